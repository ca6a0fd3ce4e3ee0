"""Hyperbolic functions and their inverses, in forms that stay accurate near zero."""

from __future__ import annotations

from .catalogue import Accuracy, scalar
from .exponential import (
    LOG2_E,
    expm1,
    exponential,
    log1p,
)
from .formula import Formula, Real

LN2 = 0.6931471805599453
TANH_NEAR = 0.55

# (tanh r / r - 1) / r² = v / q in r², r ≤ TANH_NEAR: the coefficients of v, and of q.
TANH_DOUBLE = (
    (-0.3333333333333333, -0.020501964963793903, -0.0001993183245513845),
    (1.0, 0.4615058948913807, 0.02329555102548231, 0.0002066839880815247),
)
TANH_SINGLE = ((-0.33333331196499705, -0.0015591251790646166), (1.0, 0.4046735322756793))


@scalar("tanh", Accuracy(2, 2))
def tanh(f: Formula, x: Real) -> Real:
    """Below TANH_NEAR, tanh a = a + v / q with polynomials; above, 1 - 2 / (1 + e²ᵃ), a = |x|.

    With a = k ln 2 / 2 + r, e²ᵃ = 2ᵏ (q + n) / (q - n), where n / q = tanh r by the same
    polynomials. Both ways are a number and a fraction, so that they share the one division.
    """
    a = f.at_most(f.absolute(x), 20.0 if f.double else 9.5)
    near = a < TANH_NEAR
    shifted = f.muladd(a, -2.0 * LOG2_E, f.format.shift)
    r = f.select(near, a, f.muladd(shifted - f.format.shift, 0.5 * LN2, a))
    w = r * r
    above, below = TANH_DOUBLE if f.double else TANH_SINGLE
    q, v = f.polynomial(w, below), r * w * f.polynomial(w, above)
    n = f.muladd(r, q, v)
    # -2 · 2⁻ᵏ (q - n)
    far = (q - n) * ((shifted.bits() << f.format.mantissa) + f.bits_of(-2.0)).real()
    part = f.select(near, v, far) / f.select(near, q, f.muladd(far, -0.5, q + n))
    return f.flip(f.select(near, a, 1.0) + part, x)


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
