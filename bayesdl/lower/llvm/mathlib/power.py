"""Powers and cube roots: where a logarithm must carry more digits than a double holds."""

from __future__ import annotations

from .catalogue import Accuracy, scalar
from .exponential import decompose, exponential, logarithm, power_of_two
from .formula import Formula, Real

# ln 2 = high + low, k·high exact for every exponent k of a double.
LN2 = (0.6931471805598903, 5.497923018708371e-14)
TWO_THIRDS = (2.0 / 3.0, 3.700743415417188e-17)

# ((2 atanh(√w) / √w - 2) / w - 2/3) / w, 0 ≤ w ≤ (3 - 2√2)²
LOG_TAIL = (
    0.4,
    0.28571428571429364,
    0.2222222222165619,
    0.18181818335323596,
    0.15384594969914414,
    0.1333480429153991,
    0.11706247113968263,
    0.1172306594446699,
)

# ∛m, √½ ≤ m ≤ √2, to ten bits
CBRT = (0.5569431441613982, 0.5469623271533837, -0.10422782887305863)


def _logarithm_pair(f: Formula, x: Real) -> tuple[Real, Real]:
    """log x as high + low with about 65 correct bits, 0 < x < ∞.

    With s = (m - 1) / (m + 1), log m = 2s + s³ (2/3 + s² P(s²)); all but P in double-double
    arithmetic.
    """
    k, m = decompose(f, x)
    g = m - 1.0
    d, d_low = f.fast_two_sum(f.real(2.0), g)
    reciprocal = 1.0 / d
    s = g * reciprocal
    p, p_low = f.two_product(s, d)
    s_low = (((g - p) - p_low) - s * d_low) * reciprocal
    w, w_low = f.two_product(s, s)
    w_low = w_low + 2.0 * s * s_low
    c, c_low = f.fast_two_sum(f.real(TWO_THIRDS[0]), w * f.polynomial(w, LOG_TAIL))
    c_low = c_low + TWO_THIRDS[1]
    cube, cube_low = f.two_product(s, w)
    cube_low = cube_low + (s * w_low + s_low * w)
    u, u_low = f.two_product(cube, c)
    u_low = u_low + (cube * c_low + cube_low * c)
    high, low = f.two_sum(k * LN2[0], s + s)
    high, lower = f.two_sum(high, u)
    return f.fast_two_sum(high, (low + lower) + (k * LN2[1] + 2.0 * s_low + u_low))


def _power_of_positive(f: Formula, a: Real, y: Real) -> Real:
    """a^y for 0 < a < ∞."""
    if f.coarse:
        return exponential(f, y * logarithm(f, a)).times()
    high, low = _logarithm_pair(f, a)
    exponent, error = f.two_product(y, high)
    moderate = f.absolute(exponent) < 800.0
    return exponential(f, exponent, f.select(moderate, error + y * low, 0.0)).times()


@scalar("power", Accuracy(1.5, 1), arity=2, through_double=True)
def power(f: Formula, x: Real, y: Real) -> Real:
    """xʸ; a negative base needs an integral exponent; ends and zeros as in C's `pow` and NumPy."""
    a = f.absolute(x)
    magnitude = _power_of_positive(f, a, y)
    infinite = a.equals(float("inf"))
    edge = f.select(a.equals(0.0) ^ (y > 0.0), float("inf"), 0.0)
    magnitude = f.select(a.equals(0.0) | infinite, edge, magnitude)
    signed = f.select(y.is_odd(), f.copysign(magnitude, x), magnitude)
    undefined = ((x < 0.0) & ~infinite & y.is_fractional()) | x.is_nan() | y.is_nan()
    unit_base = a.equals(1.0) & f.absolute(y).equals(float("inf"))
    result = f.select(undefined, float("nan"), signed)
    return f.select(y.equals(0.0) | x.equals(1.0) | unit_base, 1.0, result)


@scalar("cbrt", Accuracy(1, 1))
def cbrt(f: Formula, x: Real) -> Real:
    """The real cube root, by two Halley steps; the second starts where the square is exact."""
    a = f.absolute(x)
    k, m = decompose(f, a)
    shifted = f.muladd(k, 1.0 / 3.0, f.format.shift)
    third = shifted - f.format.shift
    rest = k - third * 3.0
    up, down = rest > 0.5, rest < -0.5
    y = f.polynomial(m, CBRT) * f.select(
        up, 1.2599210498948732, f.select(down, 0.7937005259840998, 1.0)
    )
    m = m * f.select(up, 2.0, f.select(down, 0.5, 1.0))
    cube = y * y * y
    y = y * (cube + (m + m)) / (cube + cube + m)
    y, _ = f.split(y)
    quotient = m / (y * y)
    y = y + y * ((quotient - y) / (y + y + quotient))
    y = f.flip(y * power_of_two(f, shifted), x)
    return f.select((a > 0.0) & (a < float("inf")), y, x)
