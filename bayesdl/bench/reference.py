"""Draws beside published reference draws: which quantities there are, and how far each is off.

Quantiles are compared as probabilities: the share of own draws below the reference's quantile has a
standard error that needs no density estimate, so that z is normal far into its tails.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ArgumentError
from bayesdl.criticism import convergence

from .posteriors import POSTERIORS

Floats = np.ndarray[Any, np.dtype[np.float64]]
# A reference keeps the smaller ESS of the two tail quantiles, and that of the bulk.
QUANTILES = {"q5": (0.05, "ess_tail"), "q50": (0.5, "ess_bulk"), "q95": (0.95, "ess_tail")}


@dataclass(frozen=True)
class Reference:
    """A posterior with published answers.

    Parameters
    ----------
    name : str
    model : Model
    arguments : tuple
    expected : dict of quantity name to dict
        Mean, sd, quantiles, their Monte Carlo errors and ESS, as published.
    """

    name: str
    model: Any
    arguments: tuple[Any, ...]
    expected: dict[str, dict[str, float]]

    def draws(self, values: Mapping[str, Any]) -> dict[str, Floats]:
        """Draws of the published quantities, each of shape (chain, draw), by name.

        Parameters
        ----------
        values : mapping of site name to array, shape (chain, draw, *shape)
        """
        return {name: _element(values, name) for name in self.expected}

    def z_scores(self, draws: Mapping[str, Floats]) -> dict[str, float]:
        """z of all statistics of all quantities, by ``quantity statistic``."""
        return {
            f"{name} {statistic}": z
            for name, expected in self.expected.items()
            for statistic, z in z_scores(draws[name], expected).items()
        }


def read(data: str | Path, name: str) -> Reference:
    """A posterior of the folder ``posteriordb`` within `data`.

    Raises
    ------
    ArgumentError
        If its files are not there.
    """
    folder = Path(data) / "posteriordb" / name
    if not (folder / "reference.json").exists():
        raise ArgumentError(
            f"there are no reference draws of {name!r}.",
            facts=[("looked for", str(folder / "reference.json"))],
            fix="give the folder that holds posteriordb/: bayesdl bench posteriors --data DIR.",
            code="A113",
        )
    model, arguments = POSTERIORS[name](json.loads((folder / "data.json").read_text()))
    expected = json.loads((folder / "reference.json").read_text())["parameters"]
    return Reference(name, model, arguments, expected)


def z_scores(draws: Floats, expected: Mapping[str, float]) -> dict[str, float]:
    """Distances from a reference, each in the Monte Carlo standard errors of both sides.

        z = (F(q) − p) / √(p (1 − p) (1 / n + 1 / m))

    for the published p-quantile q, the share F of draws not above it, and the effective sample
    sizes n and m of its indicator here and there; means and standard deviations as usual.

    Parameters
    ----------
    draws : array, shape (chain, draw)
    expected : mapping of str to float
        ``mean sd q5 q50 q95``, ``mcse_mean mcse_sd``, ``ess_bulk ess_tail``.

    Returns
    -------
    dict of str to float
        By ``mean``, ``sd``, ``q5``, ``q50``, ``q95``.

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021), Rank-normalization, folding, and
    localization, Bayesian Analysis 16, section 4.
    """
    own_mean, own_sd = convergence.mcse_mean(draws), convergence.mcse_sd(draws)
    found = {
        "mean": (draws.mean() - expected["mean"]) / np.hypot(own_mean, expected["mcse_mean"]),
        "sd": (draws.std(ddof=1) - expected["sd"]) / np.hypot(own_sd, expected["mcse_sd"]),
    }
    for name, (prob, ess) in QUANTILES.items():
        below = (draws <= expected[name]).astype(float)
        # An indicator that is the same for all draws says nothing of their dependence.
        own = np.nan_to_num(convergence.ess_mean(below), nan=below.size)
        error = np.sqrt(prob * (1.0 - prob) * (1.0 / own + 1.0 / expected[ess]))
        found[name] = (below.mean() - prob) / error
    return {name: float(z) for name, z in found.items()}


def _element(values: Mapping[str, Any], name: str) -> Floats:
    """``theta[3]`` is the third element of a site, as the published names count."""
    site, _, index = name.partition("[")
    draws = np.asarray(values[site], dtype=np.float64)
    return draws[..., int(index[:-1]) - 1] if index else draws
