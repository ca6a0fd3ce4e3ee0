"""Circular functions and their inverses.

The argument is reduced by multiples of π/2 in pieces of 23 bits, so that for |x| ≤ 2³⁰ every
product is exact (Cody & Waite 1980), whether the machine fuses or not. Beyond, `far` takes over.
"""

from __future__ import annotations

from .catalogue import Accuracy, scalar
from .circular import THERE, cosine, sine
from .far import with_far
from .formula import Formula, Mask, Real

TWO_OVER_PI = 0.6366197723675814
HALF_PI_PARTS = (
    1.570796251296997,
    7.549789415861596e-08,
    5.390302529957765e-15,
    3.2820031633724233e-22,
    3.7950107727212256e-29,
)

# (arctan z / z - 1) / z², |z| ≤ √2 - 1, in powers of z²
ARCTAN = (
    -0.3333333333333333,
    0.19999999999995513,
    -0.1428571428466518,
    0.11111111015146714,
    -0.09090904573669059,
    0.07692183087342018,
    -0.06664509989817952,
    0.058581362519054436,
    -0.05085383488839586,
    0.039229744536528326,
    -0.019174543571928365,
)
# (arcsin z / z - 1) / z², |z| ≤ 1/2, in powers of z²
ARCSIN = (
    0.16666666666666669,
    0.07499999999998433,
    0.04464285714635543,
    0.030381944138531247,
    0.02237217294214989,
    0.017352392720869945,
    0.013971212973553311,
    0.011479177415181617,
    0.0103228143502052,
    0.005457506718563782,
    0.01740087944288715,
    -0.014851887071528912,
    0.028757851367602328,
)
TAN_PI_8 = 0.41421356237309503
# π/4 = high + low, high short enough that its first four multiples are exact.
QUARTER_PI = (0.7853981633974483, 3.061616997868383e-17)
HALF_PI = (1.5707963267948966, 6.123233995736766e-17)


def _reduce(f: Formula, a: Real) -> tuple[Real, Real, Real]:
    """k + shift, and a - k π/2 as high + low, for 0 ≤ a ≤ 2³⁰."""
    shifted = f.muladd(a, TWO_OVER_PI, f.format.shift)
    k = shifted - f.format.shift
    p0, p1, p2, p3, p4 = HALF_PI_PARTS
    exact = f.muladd(-k, p1, f.muladd(-k, p0, a))
    if f.coarse:
        return shifted, f.muladd(-k, p2 + p3, exact), f.real(0.0)
    r, low = f.two_sum(exact, -(k * p2))
    r, lower = f.two_sum(r, -(k * p3))
    return shifted, *f.fast_two_sum(r, f.muladd(-k, p4, low + lower))


def _circular(f: Formula, name: str, x: Real) -> Real:
    """One of the three at |x|."""
    a = f.absolute(x)
    shifted, r, low = _reduce(f, a)
    near = THERE[name](f, sine(f, r, low), cosine(f, r, low), shifted.bits())
    return with_far(f, name, a, near)


@scalar("sin", Accuracy(1, 1), through_double=True)
def sin(f: Formula, x: Real) -> Real:
    """Sine of an angle in radians."""
    return f.flip(_circular(f, "sin", x), x)


@scalar("cos", Accuracy(1, 1), through_double=True)
def cos(f: Formula, x: Real) -> Real:
    """Cosine of an angle in radians."""
    return _circular(f, "cos", x)


@scalar("tan", Accuracy(4, 1), through_double=True)
def tan(f: Formula, x: Real) -> Real:
    """Tangent of an angle in radians."""
    return f.flip(_circular(f, "tan", x), x)


def _arctangent(f: Formula, small: Real, large: Real, turns: Real, sign: Real) -> Real:
    """turns·π/2 + sign·arctan(small / large), 0 ≤ small ≤ large; one division serves both ranges.

    Where the ratio exceeds tan π/8, arctan t = π/4 + arctan((t - 1) / (t + 1)).
    """
    upper = small > large * TAN_PI_8
    numerator = f.select(upper, small - large, small)
    z = sign * (numerator / f.select(upper, small + large, large))
    w = z * z
    quarters = f.muladd(turns, 2.0, f.select(upper, sign, 0.0))
    high, low = QUARTER_PI
    return quarters * high + (z + (z * w * f.polynomial(w, ARCTAN) + quarters * low))


@scalar("arctan", Accuracy(2, 1), through_double=True)
def arctan(f: Formula, x: Real) -> Real:
    """The angle in (-π/2, π/2) whose tangent is x."""
    a = f.absolute(x)
    swap = a > 1.0
    turns, sign = f.select(swap, 1.0, 0.0), f.select(swap, -1.0, 1.0)
    # Capped, because small - large must stay finite; π/2 is reached long before.
    a = f.at_most(a, 2.0**100)
    y = _arctangent(f, f.select(swap, 1.0, a), f.select(swap, a, 1.0), turns, sign)
    return f.flip(y, x)


@scalar("arctan2", Accuracy(4, 1), arity=2, through_double=True)
def arctan2(f: Formula, y: Real, x: Real) -> Real:
    """The angle of the point (x, y), in [-π, π]; signed zeros and infinities as in C."""
    a, b = f.absolute(y), f.absolute(x)
    swap = a > b
    small, large = f.select(swap, b, a), f.select(swap, a, b)
    scale = f.select(large > 2.0**1000, 2.0**-100, f.select(large < 2.0**-900, 2.0**100, 1.0))
    small, large = small * scale, large * scale
    infinite = large.equals(float("inf"))
    small = f.select(infinite, f.select(small.equals(float("inf")), 1.0, 0.0), small)
    large = f.select(infinite | large.equals(0.0), 1.0, large)
    left = x.bits().has(1 << (f.format.width - 1))
    turns = f.select(swap, 1.0, f.select(left, 2.0, 0.0))
    sign = f.select(swap ^ left, -1.0, 1.0)
    angle = f.flip(_arctangent(f, small, large, turns, sign), y)
    return f.select(x.is_nan() | y.is_nan(), float("nan"), angle)


def _arcsine_parts(f: Formula, a: Real) -> tuple[Mask, Real, Real]:
    """Whether a > 1/2; z; and arcsin z - z, where z = a below and √((1 - a) / 2) above."""
    upper = a > 0.5
    w = f.select(upper, (1.0 - a) * 0.5, a * a)
    z = f.select(upper, f.sqrt(w), a)
    return upper, z, z * w * f.polynomial(w, ARCSIN)


@scalar("arcsin", Accuracy(2, 1), through_double=True)
def arcsin(f: Formula, x: Real) -> Real:
    """The angle in [-π/2, π/2] whose sine is x; NaN for |x| > 1."""
    upper, z, rest = _arcsine_parts(f, f.absolute(x))
    high, low = HALF_PI
    total, error = f.fast_two_sum(f.real(high), z * -2.0)
    above = total + (error + (low - rest * 2.0))
    return f.flip(f.select(upper, above, z + rest), x)


@scalar("arccos", Accuracy(2, 1), through_double=True)
def arccos(f: Formula, x: Real) -> Real:
    """The angle in [0, π] whose cosine is x; NaN for |x| > 1."""
    upper, z, rest = _arcsine_parts(f, f.absolute(x))
    high, low = HALF_PI
    left = x < 0.0
    start = f.select(upper, f.select(left, 2.0, 0.0), 1.0)
    factor = f.select(upper, f.select(left, -2.0, 2.0), f.select(left, 1.0, -1.0))
    total, error = f.two_sum(start * high, z * factor)
    return total + (error + (rest * factor + start * low))
