"""sin, cos and tan of an angle between -π/4 and π/4, and what becomes of them in each quadrant."""

from __future__ import annotations

from collections.abc import Callable

from .formula import Bits, Formula, Real

# (sin r / r - 1) / r², |r| ≤ π/4, in powers of r²
SIN = (
    -0.16666666666666666,
    0.008333333333333331,
    -0.0001984126984126504,
    2.755731921932058e-06,
    -2.50521062259944e-08,
    1.6058530596645953e-10,
    -7.586636882825062e-13,
)
# (cos r - 1 + r²/2) / r⁴, |r| ≤ π/4, in powers of r²
COS = (
    0.041666666666666664,
    -0.0013888888888887389,
    2.48015872987544e-05,
    -2.755731726587808e-07,
    2.087614504941318e-09,
    -1.1382544645349108e-11,
)
# The same to 2⁻³⁰, for results in single precision.
SIN_COARSE = (
    -0.16666666663844049,
    0.008333331870341349,
    -0.00019840084376422697,
    2.724962008007483e-06,
)
COS_COARSE = (0.04166666465348879, -0.0013888301867562365, 2.454768977245962e-05)


def sine(f: Formula, r: Real, low: Real) -> Real:
    """sin(r + low), |r| ≤ π/4."""
    z = r * r
    if f.coarse:
        return f.muladd(r * z, f.polynomial(z, SIN_COARSE), r)
    return r + f.muladd(r * z, f.polynomial(z, SIN), low - low * (z * 0.5))


def cosine(f: Formula, r: Real, low: Real) -> Real:
    """cos(r + low), |r| ≤ π/4, with the rounding error of 1 - r²/2 put back."""
    z = r * r
    half = z * 0.5
    if f.coarse:
        return f.muladd(z * z, f.polynomial(z, COS_COARSE), 1.0 - half)
    leading, error = f.fast_two_sum(f.real(1.0), -half)
    return leading + (error + f.muladd(z * z, f.polynomial(z, COS), -(r * low)))


def _sine_there(f: Formula, s: Real, c: Real, quarter: Bits) -> Real:
    y = f.select(quarter.has(1), c, s)
    return f.select(quarter.has(2), -y, y)


def _cosine_there(f: Formula, s: Real, c: Real, quarter: Bits) -> Real:
    odd = quarter.has(1)
    y = f.select(odd, s, c)
    return f.select(odd ^ quarter.has(2), -y, y)


def _tangent_there(f: Formula, s: Real, c: Real, quarter: Bits) -> Real:
    odd = quarter.has(1)
    return f.select(odd, c, s) / f.select(odd, -s, c)


THERE: dict[str, Callable[[Formula, Real, Real, Bits], Real]] = {
    "sin": _sine_there,
    "cos": _cosine_there,
    "tan": _tangent_there,
}
"""Name → its value at r + quarter·π/2, of the sine and cosine of r and of quarter modulo 4."""
