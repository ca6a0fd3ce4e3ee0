"""Hyperbolic functions and their inverses, from expm1 and log1p for accuracy near zero."""

from __future__ import annotations

from .catalogue import Accuracy, scalar
from .exponential import (
    expm1,
    exponential,
    exponential_minus_one_moderate,
    log1p,
)
from .formula import Formula, Real

LN2 = 0.6931471805599453


@scalar("tanh", Accuracy(2, 2))
def tanh(f: Formula, x: Real) -> Real:
    """t / (t + 2) with t = e²ˣ - 1, on |x|."""
    a = f.at_most(f.absolute(x), 20.0 if f.double else 9.5)
    t = exponential_minus_one_moderate(f, a + a)
    return f.flip(t / (t + 2.0), x)


@scalar("sinh", Accuracy(3, 3))
def sinh(f: Formula, x: Real) -> Real:
    """(t + t / (t + 1)) / 2 with t = e^|x| - 1; e^|x| / 2 from 20, since eˣ overflows first."""
    a = f.absolute(x)
    t = expm1(f, f.at_most(a, 20.0))
    near = (t + t / (t + 1.0)) * 0.5
    return f.flip(f.select(a < 20.0, near, exponential(f, a).times(0.5)), x)


@scalar("cosh", Accuracy(2, 2))
def cosh(f: Formula, x: Real) -> Real:
    """h + 1 / (4h) with h = e^|x| / 2."""
    half = exponential(f, f.absolute(x)).times(0.5)
    return half + 0.25 / half


@scalar("arcsinh", Accuracy(3, 3))
def arcsinh(f: Formula, x: Real) -> Real:
    """log1p(a + a² / (1 + √(1 + a²))) on a = |x|; log a + log 2 where a² might overflow."""
    a = f.absolute(x)
    square = a * a
    near = a + square / (f.sqrt(square + 1.0) + 1.0)
    return f.flip(_log1p_or_log_twice(f, near, a), x)


@scalar("arccosh", Accuracy(3, 3))
def arccosh(f: Formula, x: Real) -> Real:
    """log1p(t + √(2t + t²)) with t = x - 1; NaN for x < 1."""
    t = x - 1.0
    y = _log1p_or_log_twice(f, t + f.sqrt(t * (t + 2.0)), x)
    return f.select(x < 1.0, float("nan"), y)


@scalar("arctanh", Accuracy(3, 3))
def arctanh(f: Formula, x: Real) -> Real:
    """log1p(2a / (1 - a)) / 2 on a = |x|; NaN for a > 1."""
    a = f.absolute(x)
    return f.flip(log1p(f, (a + a) / (1.0 - a)) * 0.5, x)


def _log1p_or_log_twice(f: Formula, near: Real, a: Real) -> Real:
    """log1p(near), or log(2a) = log1p(a - 1) + log 2 for large a, with one logarithm for both."""
    large = a > 2.0**28 if f.double else a > 2.0**13
    y = log1p(f, f.select(large, a - 1.0, near))
    return f.select(large, y + LN2, y)
