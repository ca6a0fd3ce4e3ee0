"""Pareto-smoothed importance sampling: weights, and a number that says when not to trust them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bayesdl._base.errors import ArgumentError, ShapeError
from bayesdl._base.source import user_source

from ._checks import Floats, no_nan, real_array
from ._special import log_sum_exp

_LEAST_TAIL = 5
_LOG_TINY = float(np.log(np.finfo(np.float64).tiny))


def psis(log_weights: ArrayLike, *, relative_efficiency: float = 1.0) -> tuple[Floats, Floats]:
    """Replace the largest importance weights by quantiles of a fitted generalised Pareto tail.

    Parameters
    ----------
    log_weights : array, shape (sample, *shape)
        Unnormalised log importance weights, in nats; −inf is a weight of zero. Columns are
        independent problems.
    relative_efficiency : float
        Effective over actual sample size of the proposal draws: 1 for independent ones, smaller for
        a chain.

    Returns
    -------
    smoothed_log_weights : array, shape (sample, *shape)
        Smoothed, truncated at the largest raw weight, normalised so that their exponentials sum to
        one.
    khat : array, shape (*shape)
        Estimated tail shape. Below 0.7 (with a few thousand draws) estimates can be trusted.
        Infinity when fewer than five weights stand in the tail, so that nothing could be fitted or
        smoothed; minus infinity when all weights are equal, the case in which there is nothing to
        smooth.

    Raises
    ------
    ArgumentError
        If a weight is NaN or +inf, a column holds no weight above zero, or relative_efficiency is
        not positive.
    ShapeError
        If log_weights is a scalar or empty.

    References
    ----------
    Vehtari, Simpson, Gelman, Yao, Gabry (2024), Pareto smoothed importance sampling, JMLR 25(72),
    algorithm 1. Zhang and Stephens (2009), A new and efficient estimation method for the
    generalized Pareto distribution, Technometrics 51(3), for the fit.

    Examples
    --------
    >>> import numpy as np
    >>> smoothed, khat = psis(np.random.default_rng(0).normal(size=1000))
    >>> bool(np.isclose(np.exp(smoothed).sum(), 1.0)), bool(khat < 0.7)
    (True, True)
    """
    raw = _checked(log_weights)
    if not relative_efficiency > 0.0:
        raise ArgumentError(
            "`relative_efficiency` must be positive.",
            facts=[("relative_efficiency", relative_efficiency)],
            fix="ess / number of draws, or leave it out for independent draws.",
            where=user_source(),
            code="K104",
        )
    size = len(raw)
    tail = int(np.ceil(min(size / 5.0, 3.0 * np.sqrt(size / relative_efficiency))))
    columns = raw.reshape(size, -1).T
    fits = [_smooth(column, tail) for column in columns]
    smoothed = np.stack([weights for weights, _ in fits], axis=1)
    khat = np.array([k for _, k in fits])
    return smoothed.reshape(raw.shape), khat.reshape(raw.shape[1:])[()]


def _checked(log_weights: ArrayLike) -> Floats:
    raw = real_array("log_weights", log_weights)
    if raw.ndim == 0 or raw.size == 0:
        raise ShapeError(
            "`log_weights` must have the shape (sample, *shape), with at least one sample.",
            facts=[("log_weights", f"shape {raw.shape}")],
            where=user_source(),
            code="K101",
        )
    no_nan("log_weights", raw)
    largest = np.atleast_1d(raw.max(axis=0))
    bad = largest[~np.isfinite(largest)]
    if bad.size:
        raise ArgumentError(
            "importance weights must be finite, and one of them above zero.",
            facts=[
                ("largest log weight", bad[0]),
                ("columns like this", f"{bad.size} of {largest.size}"),
            ],
            fix="check the two log densities whose difference these weights are.",
            where=user_source(),
            code="K107",
        )
    return raw


def _smooth(column: Floats, tail: int) -> tuple[Floats, float]:
    weights = column - column.max()
    if weights.min() == 0.0:
        return weights - np.log(len(weights)), -np.inf
    ordered = np.sort(weights)
    cutoff = max(ordered[max(0, len(ordered) - tail - 1)], _LOG_TINY)
    (members,) = np.nonzero(weights > cutoff)
    khat = np.inf
    if len(members) >= _LEAST_TAIL:
        members = members[np.argsort(weights[members])]
        threshold = np.exp(cutoff)
        k, scale = _fit_tail(np.exp(weights[members]) - threshold)
        if np.isfinite(k) and scale > 0.0:
            khat = k
            levels = (np.arange(len(members)) + 0.5) / len(members)
            weights[members] = np.minimum(np.log(threshold + _tail_quantile(levels, k, scale)), 0.0)
    return weights - log_sum_exp(weights, 0), khat


def _fit_tail(excess: Floats) -> tuple[float, float]:
    """Shape and scale of a generalised Pareto law for sorted excesses; NaN where it has none.

    The profile likelihood is averaged over a grid of b = −k/σ under a weak prior, then k is shrunk
    to 1/2 as by ten further observations.
    """
    count = len(excess)
    quartile = excess[int(count / 4 + 0.5) - 1]
    if not quartile > 0.0:
        return np.nan, np.nan
    points = 30 + int(np.sqrt(count))
    grid = 1.0 / excess[-1] + (1.0 - np.sqrt(points / (np.arange(points) + 0.5))) / (3.0 * quartile)
    shape = np.log1p(-grid[:, None] * excess).mean(axis=1)
    profile = count * (np.log(-grid / shape) - shape - 1.0)
    posterior = np.exp(profile - log_sum_exp(profile, 0))
    # Points of no weight are dropped, as the reference implementation does.
    posterior[posterior < 10.0 * np.finfo(np.float64).eps] = 0.0
    b = float(np.sum(grid * posterior) / posterior.sum())
    k = float(np.log1p(-b * excess).mean())
    return (count * k + 5.0) / (count + 10.0), -k / b


def _tail_quantile(levels: Floats, k: float, scale: float) -> Floats:
    hazard = -np.log1p(-levels)
    if abs(k) < np.finfo(np.float64).eps:
        return scale * hazard
    quantile: Floats = scale * np.expm1(k * hazard) / k
    return quantile
