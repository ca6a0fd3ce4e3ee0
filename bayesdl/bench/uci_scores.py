"""Scores of a posterior on the test rows of a split, so that all methods are measured alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.criticism.posterior import Posterior

from .uci_sets import Floats, Split


@dataclass(frozen=True)
class Score:
    """What one split gave.

    Parameters
    ----------
    rmse, ll : float
        On the test rows, in the target's own unit; `ll` is a mean over rows.
    """

    rmse: float
    ll: float


def scores_of(posterior: Posterior, split: Split, *settings: Any) -> tuple[float, float]:
    """RMSE of the mean prediction and mean log predictive density, in the target's own unit.

    Parameters
    ----------
    posterior : Posterior
        Of a model (x, y, *settings) whose observed site is "y".
    split : Split
    *settings
        The model's other arguments.
    """
    arguments = split.x_test, split.y_test, *settings
    mean = posterior.predict(*arguments, kind="mean")["y"]
    density = posterior.log_likelihood(*arguments)["y"]
    return split.scores(mean.mean(axis=(0, 1), dtype=float), log_mean(density))


def log_mean(terms: Any) -> Floats:
    """Log of the mean of exp over chains and draws.

    Parameters
    ----------
    terms : array, shape (chain, draw, rows)

    Examples
    --------
    >>> log_mean(np.log([[[1.0], [3.0]]])).round(6).tolist()
    [0.693147]
    """
    top = terms.max(axis=(0, 1))
    return np.asarray(top + np.log(np.exp(terms - top).mean(axis=(0, 1), dtype=float)))
