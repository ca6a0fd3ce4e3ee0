"""What an optimisation says of the evidence, and what to say of one that broke down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayesdl._base.errors import SampleError
from bayesdl._base.source import user_source
from bayesdl.ir.program import Equation
from bayesdl.model.density import Density
from bayesdl.ops import random
from bayesdl.transform.derived import value_and_grad

from .block import Target
from .culprit import all_finite, computed, first_bad_operation, operation_rows, site_rows
from .kernel import Kernel
from .run import Run


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


def refuse_broken(kernel: Kernel, density: Density, target: Target, run: Run) -> None:
    """Refuse what an optimisation gave that lost its way.

    Raises
    ------
    SampleError
        With the step, and the site and operation where its objective ceased to be finite; the
        error's `run` holds draws of the last good guide.
    """
    steps = [kernel.broken({n: v[c] for n, v in run.warmup.items()}) for c in range(_chains(run))]
    for chain, step in enumerate(steps):
        if step is not None:
            facts, culprit = _found(kernel, density, target, run, chain, step)
            error = SampleError(
                f"the objective of chain {chain} is not finite from step {step} on.",
                facts=facts,
                fix=kernel.when_lost,
                where=culprit.source if culprit and culprit.source else user_source(),
                code="S107",
            )
            error.run = run  # type: ignore[attr-defined]
            raise error


def _chains(run: Run) -> int:
    return len(next(iter(run.warmup.values()))) if run.warmup else 0


def _found(
    kernel: Kernel, density: Density, target: Target, run: Run, chain: int, step: int
) -> tuple[list[tuple[str, ...]], Equation | None]:
    """What sites have where the objective was lost, and the operation that it was lost in.

    The state has stood still since, so that the step can be computed once more.
    """
    key, state = random.fold_in(run.keys[chain], np.int64(step)), run.states[chain]
    lost = "the gradient by the guide's parameters"
    for replay in kernel.replays(key, state, step, target):
        if not all_finite(replay.args[0]):
            lost = "the change of what is optimised, in the step before"
            break
        culprit = first_bad_operation(replay.function, *replay.args)
        if culprit is not None:
            return [*_rows(density, replay.position), *operation_rows(culprit)], culprit
    return [("not finite", lost)], None


def _rows(density: Density, position: Any) -> list[tuple[str, ...]]:
    """Of a position that is one of all rows: that of a minibatch may have fewer unknowns."""
    if position is None or position.shape != (density.dim,):
        return []
    _, gradient = computed(value_and_grad(density.function), position, *density.data)
    return site_rows(density, position, gradient)
