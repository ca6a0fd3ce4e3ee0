"""Special functions: a few primitives, and what distributions need composed of them.

All functions are strict: arrays of one shape and dtype, Python numbers beside them.
"""

from __future__ import annotations

import math
from typing import Any

from .. import elementwise as ew
from .incomplete import betainc, betaln, gammainc, gammaincc
from .primitive import digamma, erf, erfc, erfinv, lgamma, log_ndtr, ndtri, trigamma

__all__ = [
    "betainc",
    "betaln",
    "digamma",
    "erf",
    "erfc",
    "erfinv",
    "gammainc",
    "gammaincc",
    "lgamma",
    "log_ndtr",
    "log_sigmoid",
    "logit",
    "ndtr",
    "ndtri",
    "trigamma",
    "xlog1py",
    "xlogy",
]


def ndtr(x: Any) -> Any:
    """Standard normal distribution function Φ(x), accurate in the left tail."""
    return ew.mul(erfc(ew.mul(x, -math.sqrt(0.5))), 0.5)


def logit(p: Any) -> Any:
    """log p − log(1 − p)."""
    return ew.sub(ew.log(p), ew.log1p(ew.neg(p)))


def log_sigmoid(x: Any) -> Any:
    """log of 1 / (1 + e⁻ˣ), accurate on both sides."""
    return ew.neg(ew.softplus(ew.neg(x)))


def xlogy(x: Any, y: Any) -> Any:
    """x log y, and 0 where x is 0 and log y is not finite; gradients stay finite."""
    off = ew.bit_or(ew.less_equal(y, 0.0), ew.equal(y, math.inf))
    off = ew.bit_and(ew.equal(x, 0.0), off)
    return ew.mul(x, ew.log(ew.where(off, 1.0, y)))


def xlog1py(x: Any, y: Any) -> Any:
    """x log(1 + y), and 0 where x is 0 and log(1 + y) is not finite; gradients stay finite."""
    off = ew.bit_or(ew.less_equal(y, -1.0), ew.equal(y, math.inf))
    off = ew.bit_and(ew.equal(x, 0.0), off)
    return ew.mul(x, ew.log1p(ew.where(off, 0.0, y)))
