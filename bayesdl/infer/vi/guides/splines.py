"""Monotone rational-quadratic splines on an interval, the identity outside of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bayesdl.ops import numpy as bnp

LEAST = 1e-3
"""Least part of a bin in the interval, and least derivative at a knot."""


def spline_knots(raw: Any, bins: int, edge: float) -> tuple[Any, Any, Any]:
    """Knots from free numbers; zeros give the identity.

    Parameters
    ----------
    raw : Array, shape (n, 3 bins − 1)
    bins : int
    edge : float
        The spline lives on [−edge, edge].

    Returns
    -------
    x, y, slopes : Array, shape (n, bins + 1)
    """
    across, up, slopes = raw[:, :bins], raw[:, bins : 2 * bins], raw[:, 2 * bins :]
    identity = math.log(math.expm1(1.0 - LEAST))
    ones = bnp.ones((raw.shape[0], 1), raw.dtype)
    inner = LEAST + bnp.logaddexp(0.0, slopes + identity)
    return _spread(across, edge), _spread(up, edge), bnp.concatenate([ones, inner, ones], axis=1)


def _spread(raw: Any, edge: float) -> Any:
    bins = raw.shape[1]
    parts = LEAST + (1.0 - LEAST * bins) * bnp.softmax(raw, axis=-1)
    inner = 2.0 * edge * bnp.cumsum(parts, -1)[:, :-1] - edge
    end = bnp.full((raw.shape[0], 1), edge, raw.dtype)
    return bnp.concatenate([-end, inner, end], axis=1)


def spline(x: Any, knots: tuple[Any, Any, Any], edge: float) -> tuple[Any, Any]:
    """The spline at x of shape (n,), and the log of its derivative.

    References
    ----------
    Durkan, Bekasov, Murray & Papamakarios (2019), Neural spline flows, equations 4 and 5
    (arXiv:1906.04032).
    """
    inside = bnp.abs(x) < edge
    here = bnp.where(inside, x, 0.0)
    left, width, low, height, first, last = _bin(here, knots[0], knots)
    part = (here - left) / width
    y = low + _rise(part, height, height / width, first, last)
    log_slope = _log_slope(part, height / width, first, last)
    return bnp.where(inside, y, x), bnp.where(inside, log_slope, 0.0)


def spline_inverse(y: Any, knots: tuple[Any, Any, Any], edge: float) -> tuple[Any, Any]:
    """The x at which the spline is y, and the log of the spline's derivative there.

    References
    ----------
    Durkan et al. (2019), Neural spline flows, equations 6 to 8 (arXiv:1906.04032).
    """
    inside = bnp.abs(y) < edge
    here = bnp.where(inside, y, 0.0)
    left, width, low, height, first, last = _bin(here, knots[1], knots)
    mean, risen = height / width, here - low
    bend = first + last - 2.0 * mean
    a = height * (mean - first) + risen * bend
    b = height * first - risen * bend
    c = -mean * risen
    part = 2.0 * c / (-b - bnp.sqrt(bnp.maximum(b * b - 4.0 * a * c, 0.0)))
    log_slope = _log_slope(part, mean, first, last)
    return bnp.where(inside, left + part * width, y), bnp.where(inside, log_slope, 0.0)


def _bin(value: Any, edges: Any, knots: tuple[Any, Any, Any]) -> tuple[Any, ...]:
    """Left edge, width, low edge, height and the two slopes of the bin that holds each value."""
    x, y, slopes = knots
    bins = x.shape[1] - 1
    index = (value[:, None] >= edges[:, 1:-1]).sum(axis=-1)
    chosen = index[:, None] == np.arange(bins)

    def pick(columns: Any) -> Any:
        return bnp.where(chosen, columns, 0.0).sum(axis=-1)

    left, low = pick(x[:, :-1]), pick(y[:, :-1])
    width, height = pick(x[:, 1:]) - left, pick(y[:, 1:]) - low
    return left, width, low, height, pick(slopes[:, :-1]), pick(slopes[:, 1:])


def _rise(part: Any, height: Any, mean: Any, first: Any, last: Any) -> Any:
    across = part * (1.0 - part)
    return (
        height
        * (mean * part * part + first * across)
        / (mean + (first + last - 2.0 * mean) * across)
    )


def _log_slope(part: Any, mean: Any, first: Any, last: Any) -> Any:
    across, rest = part * (1.0 - part), 1.0 - part
    top = last * part * part + 2.0 * mean * across + first * rest * rest
    bottom = mean + (first + last - 2.0 * mean) * across
    return 2.0 * bnp.log(mean) + bnp.log(top) - 2.0 * bnp.log(bottom)
