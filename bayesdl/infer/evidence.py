"""What an optimisation says of the evidence, and what to say of one that broke down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayesdl._base.errors import SampleError
from bayesdl._base.source import user_source
from bayesdl.model.density import Density
from bayesdl.transform.derived import value_and_grad

from .kernel import Kernel
from .run import Run
from .starts import not_finite


def evidence_bounds(stats: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, float]:
    """Lower bounds of the log evidence, from the log weights of a guide's draws.

    Parameters
    ----------
    stats : mapping of name to array, shape (chain, draw)
        With "elbo", or "elbo_estimate" from minibatches; else there are none, nor where one is not
        finite.

    Returns
    -------
    dict
        "elbo" and its standard error; "log_evidence_bound", that of all draws as importance
        samples, where the weights are those of all rows.

    References
    ----------
    Burda, Grosse & Salakhutdinov (2016), Importance weighted autoencoders, theorem 1
    (arXiv:1509.00519).

    Examples
    --------
    >>> found = evidence_bounds({"elbo": np.log([[1.0, 3.0]])})
    >>> round(found["elbo"], 4), round(found["log_evidence_bound"], 4)
    (0.5493, 0.6931)
    """
    exact = "elbo" in stats
    if not exact and "elbo_estimate" not in stats:
        return {}
    weights = stats["elbo" if exact else "elbo_estimate"].ravel()
    if not np.isfinite(weights).all():
        return {}
    error = float(weights.std(ddof=1) / np.sqrt(weights.size)) if weights.size > 1 else 0.0
    found = {"elbo": float(weights.mean()), "elbo_standard_error": error}
    if exact:
        found["log_evidence_bound"] = float(
            np.logaddexp.reduce(weights.astype(np.float64)) - np.log(weights.size)
        )
    return found


def refuse_broken(kernel: Kernel, density: Density, run: Run) -> None:
    """Refuse what an optimisation gave that lost its way.

    Raises
    ------
    SampleError
        With the step, and the site and operation if they are found at a draw of the last good
        guide; the error's `run` holds those draws.
    """
    steps = [kernel.broken({n: v[c] for n, v in run.warmup.items()}) for c in range(_chains(run))]
    for chain, step in enumerate(steps):
        if step is not None:
            error = _lost(density, run.latest[chain], chain, step)
            error.run = run  # type: ignore[attr-defined]
            raise error


def _chains(run: Run) -> int:
    return len(next(iter(run.warmup.values()))) if run.warmup else 0


def _lost(density: Density, positions: np.ndarray[Any, Any], chain: int, step: int) -> SampleError:
    found = next((e for p in positions if (e := _culprit(density, p)) is not None), None)
    return SampleError(
        f"the objective of chain {chain} is not finite from step {step} on.",
        facts=found.facts if found else [("draws of the last good guide", "all finite")],
        fix="give a smaller learning_rate, clip_norm=1.0, or a smaller init_sd.",
        where=found.where if found else user_source(),
        code="S107",
    )


def _culprit(density: Density, position: np.ndarray[Any, Any]) -> SampleError | None:
    with np.errstate(all="ignore"):
        value, gradient = value_and_grad(density.function)(position, *density.data)
    if np.isfinite(value) and np.isfinite(gradient).all():
        return None
    return not_finite(density, position, float(value), gradient)
