"""Scores of predictions against what was observed: error, density, sharpness and calibration."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bayesdl._base.errors import ShapeError
from bayesdl._base.source import user_source

from ._checks import Floats, all_finite, no_nan, predictions, probability, real_array
from ._special import log_sum_exp


def rmse(y: ArrayLike, draws: ArrayLike) -> float:
    """Root mean squared error of the predictive mean.

        √ mean_i (y_i − mean_s draws_si)²

    Parameters
    ----------
    y : array, shape (rows, *out)
        Observed values.
    draws : array, shape (sample, rows, *out)
        Predictive draws, in the unit of y.

    Returns
    -------
    float
        In the unit of y; small is good.

    Raises
    ------
    ShapeError
        If draws is not shaped (sample, *y.shape). Nothing is broadcast.
    ArgumentError
        If y or draws holds NaN or infinities.

    Examples
    --------
    >>> rmse([1.0, 2.0], [[1.0, 1.0], [1.0, 5.0]])
    0.7071067811865476
    """
    observed, drawn = predictions(y, draws)
    return float(np.sqrt(np.mean((observed - drawn.mean(axis=0)) ** 2)))


def nlpd(log_prob_draws: ArrayLike) -> float:
    """Negative log predictive density per row.

        − mean_i log( mean_s p(y_i | θ_s) )

    Parameters
    ----------
    log_prob_draws : array, shape (sample, rows)
        Log density of each observed row under each posterior draw, in nats; outputs of one row
        already summed.

    Returns
    -------
    float
        Nats per row; small is good. Infinity when a row is impossible under every draw.

    Raises
    ------
    ShapeError
        If log_prob_draws has not exactly two axes or is empty.
    ArgumentError
        If it holds NaN.

    Notes
    -----
    It depends on the unit of y: standardising y by s lowers it by log s.

    References
    ----------
    Gneiting and Raftery (2007), Strictly proper scoring rules, section 4.1 (logarithmic score).
    """
    values = real_array("log_prob_draws", log_prob_draws)
    if values.ndim != 2 or values.size == 0:
        raise ShapeError(
            "`log_prob_draws` must have the shape (sample, rows).",
            facts=[("log_prob_draws", f"shape {values.shape}")],
            fix="flatten the chains, and sum over the outputs of one row, first.",
            where=user_source(),
            code="K101",
        )
    no_nan("log_prob_draws", values)
    return float(np.log(len(values)) - log_sum_exp(values, 0).mean())


def crps(y: ArrayLike, draws: ArrayLike) -> float:
    """Continuous ranked probability score, estimated without bias from the draws.

        E|X − y| − ½ E|X − X'|,    the second mean over pairs of different draws

    Parameters
    ----------
    y : array, shape (rows, *out)
        Observed values.
    draws : array, shape (sample, rows, *out)
        Predictive draws, noise included; at least two.

    Returns
    -------
    float
        Mean over all rows and outputs, in the unit of y; small is good. For a point prediction it
        would be the absolute error.

    Raises
    ------
    ShapeError
        If draws is not shaped (sample, *y.shape).
    ArgumentError
        If y or draws holds NaN or infinities, or there are fewer than two draws.

    Notes
    -----
    Sorting turns the sum over pairs into one over draws, so the cost is n log n. The usual 1/n²
    estimator favours methods that were given more draws; this one does not, for independent draws.

    References
    ----------
    Gneiting and Raftery (2007), Strictly proper scoring rules, section 4.2. Ferro (2014), Fair
    scores for ensemble forecasts, section 2.

    Examples
    --------
    >>> round(crps([0.0], [[-1.0], [1.0], [3.0]]), 6)
    0.333333
    """
    observed, drawn = predictions(y, draws, least=2)
    count = len(drawn)
    # Both means know differences only; taking y off first keeps digits when y is far from 0.
    ordered = np.sort(drawn - observed, axis=0)
    ranks = 2.0 * np.arange(count) - count + 1.0
    spread = np.tensordot(ranks, ordered, axes=1) / (count * (count - 1.0))
    return float(np.mean(np.abs(ordered).mean(axis=0) - spread))


def coverage(y: ArrayLike, draws: ArrayLike, prob: float = 0.9) -> float:
    """Share of observed values inside the central predictive interval.

    Parameters
    ----------
    y : array, shape (rows, *out)
        Observed values.
    draws : array, shape (sample, rows, *out)
        Predictive draws, noise included.
    prob : float
        Probability that the interval should hold.

    Returns
    -------
    float
        In [0, 1]; close to prob is good.

    Raises
    ------
    ShapeError
        If draws is not shaped (sample, *y.shape).
    ArgumentError
        If y or draws holds NaN or infinities, or prob is not strictly between 0 and 1.

    Examples
    --------
    >>> coverage([0.0, 9.0], [[-1.0, -1.0], [0.0, 0.0], [1.0, 1.0]], prob=0.5)
    0.5
    """
    observed, drawn = predictions(y, draws)
    low, high = central_interval(drawn, prob)
    return float(np.mean((low <= observed) & (observed <= high)))


def interval_width(draws: ArrayLike, prob: float = 0.9) -> float:
    """Mean width of the central predictive interval: the price at which its coverage was bought.

    Parameters
    ----------
    draws : array, shape (sample, rows, *out)
        Predictive draws, noise included.
    prob : float
        Probability that the interval should hold.

    Returns
    -------
    float
        In the unit of the draws; small is good where coverage holds.

    Raises
    ------
    ArgumentError
        If draws holds NaN or infinities, or prob is not strictly between 0 and 1.

    Examples
    --------
    >>> interval_width([[0.0], [1.0], [2.0]], prob=0.5)
    1.0
    """
    drawn = real_array("draws", draws)
    all_finite("draws", drawn)
    low, high = central_interval(drawn, prob)
    return float(np.mean(high - low))


def pit(y: ArrayLike, draws: ArrayLike) -> Floats:
    """Probability integral transform: where each observed value falls among its predictive draws.

        ( #{s : draws_s < y} + ½ #{s : draws_s = y} ) / samples

    Parameters
    ----------
    y : array, shape (rows, *out)
        Observed values.
    draws : array, shape (sample, rows, *out)
        Predictive draws, noise included.

    Returns
    -------
    array, shape (rows, *out)
        In [0, 1]; uniform over rows when the predictions are calibrated, heaped at both ends when
        they are too sure, heaped in the middle when they are too timid.

    Raises
    ------
    ShapeError
        If draws is not shaped (sample, *y.shape).
    ArgumentError
        If y or draws holds NaN or infinities.

    References
    ----------
    Gneiting, Balabdaoui, Raftery (2007), Probabilistic forecasts, calibration and sharpness,
    section 3.1. Czado, Gneiting, Held (2009), Predictive model assessment for count data, section
    2, for ties.

    Examples
    --------
    >>> pit([1.0], [[0.0], [1.0], [2.0], [3.0]]).tolist()
    [0.375]
    """
    observed, drawn = predictions(y, draws)
    places: Floats = ((drawn < observed) + 0.5 * (drawn == observed)).mean(axis=0)
    return places


def central_interval(draws: Floats, prob: float) -> tuple[Floats, Floats]:
    """Both ends of the central interval over the first axis, by linear interpolation."""
    tail = (1.0 - probability("prob", prob)) / 2.0
    low, high = np.quantile(draws, [tail, 1.0 - tail], axis=0)
    return low, high
