"""compare(): every method on the same held-out rows, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayesdl._base.errors import ArgumentError
from bayesdl._base.source import user_source

from . import convergence, scores
from .posterior import Posterior
from .summary import KHAT_LIMIT
from .table import Table


def compare(fits: Mapping[str, Posterior], *data: Any, site: str | None = None) -> Table:
    """Score fits of one model, by whatever methods, on held-out data.

    Parameters
    ----------
    fits : mapping of str to Posterior
    *data
        The model's arguments for the held-out rows, the observed values among them.
    site : str, optional
        The observed site to score; the only one if not given.

    Returns
    -------
    Table
        A row a method: ``rmse nlpd crps cover90`` (lower is better but for coverage, which should
        be 0.90), the worst R-hat and the smallest bulk ESS *of predictions* (function space, over
        the held-out rows), k-hat where the method has one, seconds to compile and to run, peak
        memory of the process in MB. Of classes, whose numbers are only names, ``nlpd`` alone.

    Raises
    ------
    ArgumentError
        If there are no fits, or several observed sites and none is named.

    References
    ----------
    Gneiting & Raftery (2007), Strictly proper scoring rules, section 4; Vehtari et al. (2021).
    """
    if not fits:
        raise ArgumentError(
            "there is nothing to compare.",
            fix="pass {'name': fit, …}.",
            where=user_source(),
            code="A104",
        )
    found = {name: _scores(fit, data, site) for name, fit in fits.items()}
    columns = ["method", *next(iter(found.values()))]
    rows = [[name, *cells.values()] for name, cells in found.items()]
    notes = ["rhat_f and ess_f are of predictions; cover90 should be 0.90."]
    if any((fit.khat or 0.0) > KHAT_LIMIT for fit in fits.values()):
        notes.append(f"khat above {KHAT_LIMIT}: the approximation misses the posterior's tails.")
    return Table(columns, rows, note="\n".join(notes))


def _scores(fit: Posterior, data: tuple[Any, ...], site: str | None) -> dict[str, Any]:
    observed = fit.observed_values(*data)
    name = site or _only(observed)
    y = np.asarray(observed[name], dtype=float)
    predictions = fit.predict(*data)[name]
    log_lik = fit.log_likelihood(*data)[name]
    drawn = predictions.reshape(-1, *predictions.shape[2:])
    mean = fit.predict(*data, kind="mean")[name]
    several, classes = mean.shape[0] > 1, mean.ndim > predictions.ndim
    stats = fit.draws.attrs
    return {
        "rmse": None if classes else scores.rmse(y, mean.reshape(-1, *mean.shape[2:])),
        "nlpd": scores.nlpd(log_lik.reshape(-1, *log_lik.shape[2:])),
        "crps": None if classes else scores.crps(y, drawn),
        "cover90": None if classes else scores.coverage(y, drawn, 0.9),
        "rhat_f": float(np.nanmax(convergence.rhat(mean))) if several else None,
        "ess_f": float(np.nanmin(convergence.ess_bulk(mean))) if several else None,
        "khat": fit.khat,
        "compile_s": stats.get("compile_seconds"),
        "run_s": stats.get("run_seconds"),
        "peak_MB": stats.get("peak_mb"),
    }


def _only(observed: Mapping[str, Any]) -> str:
    if len(observed) != 1:
        raise ArgumentError(
            "the model has several observed sites.",
            facts=[("sites", ", ".join(observed) or "none")],
            fix="say which one to score, compare(fits, …, site='y').",
            where=user_source(),
            code="A104",
        )
    return next(iter(observed))
