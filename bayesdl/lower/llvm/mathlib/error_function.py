"""The error function, its complement and inverse, and the normal distribution function."""

from __future__ import annotations

import math

from .catalogue import Accuracy, scalar
from .exponential import LN2_SINGLE, decompose, exponential, log, logarithm_of_sum
from .formula import Formula, Mask, Real

SQRT_HALF = 0.7071067811865476
HALF_SQRT_HALF = 0.3535533905932738

# erf x / x - 1, |x| ≤ 1, in powers of x²
ERF = (
    0.1283791670955126,
    -0.3761263890318375,
    0.11283791670954879,
    -0.026866170645076792,
    0.0052239776248180145,
    -0.000854832698083379,
    0.0001205533111164271,
    -1.4925595266831182e-05,
    1.6461000484121361e-06,
    -1.6350312701054618e-07,
    1.4659775274046955e-08,
    -1.1372848856789924e-09,
    5.957176147746114e-11,
)
# (1 + 2x) exp(x²) erfc(x), x ≥ 0, in powers of (x - 3) / (x + 3) (Shepherd & Laframboise 1981)
SCALED = (
    1.2530080582697296,
    -0.13562110612458117,
    -0.04756229435345087,
    0.1296451587027606,
    -0.11927366341530699,
    0.06830802734397848,
    -0.023770514918645888,
    0.002529391816066239,
    0.0018886903591561553,
    -0.0007798322721083991,
    -0.00010515979981501177,
    0.00012509935235563107,
    4.949484992570595e-06,
    -2.0100567931289227e-05,
    -7.315105164159062e-07,
    3.472414602875686e-06,
    3.5683839153992204e-07,
    -6.166496077604353e-07,
    -1.4160064940265987e-07,
    1.0187000600072885e-07,
    4.180784698845582e-08,
    -1.3326364813003834e-08,
    -8.500397929772615e-09,
    9.885798831139365e-10,
    8.864219016427092e-10,
)

# Wichura (1988), algorithm AS 241, PPND16: numerators and denominators of the three ranges.
CENTRE = (
    (
        3.3871328727963666080e0,
        1.3314166789178437745e2,
        1.9715909503065514427e3,
        1.3731693765509461125e4,
        4.5921953931549871457e4,
        6.7265770927008700853e4,
        3.3430575583588128105e4,
        2.5090809287301226727e3,
    ),
    (
        1.0,
        4.2313330701600911252e1,
        6.8718700749205790830e2,
        5.3941960214247511077e3,
        2.1213794301586595867e4,
        3.9307895800092710610e4,
        2.8729085735721942674e4,
        5.2264952788528545610e3,
    ),
)
TAIL = (
    (
        1.42343711074968357734e0,
        4.63033784615654529590e0,
        5.76949722146069140550e0,
        3.64784832476320460504e0,
        1.27045825245236838258e0,
        2.41780725177450611770e-1,
        2.27238449892691845833e-2,
        7.74545014278341407640e-4,
    ),
    (
        1.0,
        2.05319162663775882187e0,
        1.67638483018380384940e0,
        6.89767334985100004550e-1,
        1.48103976427480074590e-1,
        1.51986665636164571966e-2,
        5.47593808499534494600e-4,
        1.05075007164441684324e-9,
    ),
)
FAR_TAIL = (
    (
        6.65790464350110377720e0,
        5.46378491116411436990e0,
        1.78482653991729133580e0,
        2.96560571828504891230e-1,
        2.65321895265761230930e-2,
        1.24266094738807843860e-3,
        2.71155556874348757815e-5,
        2.01033439929228813265e-7,
    ),
    (
        1.0,
        5.99832206555887937690e-1,
        1.36929880922735805310e-1,
        1.48753612908506148525e-2,
        7.86869131145613259100e-4,
        1.84631831751005468180e-5,
        1.42151175831644588870e-7,
        2.04426310338993978564e-15,
    ),
)

# Φ⁻¹(1/2 + q) / q in powers of w = -log(1 - 4q²) ≤ 5 (the variable: Giles 2012)
CENTRE_SINGLE = (
    2.50662827,
    0.656233847,
    0.0326660909,
    -0.0066054007,
    -0.00035760054,
    0.000124383703,
    1.18187318e-05,
    -5.69757185e-06,
    6.36444838e-07,
    -2.53597641e-08,
)
# |Φ⁻¹(1/2 + q)| / √w in powers of 1/√w - 3/8, 5 ≤ w ≤ 103
TAIL_SINGLE = (
    1.32555163,
    -0.224251807,
    0.298260033,
    0.188802689,
    -1.30862677,
    0.0136991087,
    7.72583294,
    42.8948593,
    90.6173782,
    89.4617004,
)
# log(1 + g) / g, √½ - 1 ≤ g ≤ √2 - 1
LOG_SINGLE = (
    0.999999968,
    -0.500003751,
    0.33334606,
    -0.24968907,
    0.199133479,
    -0.172782061,
    0.161262479,
    -0.0989535074,
)


def _scaled_complement(f: Formula, a: Real) -> Real:
    """exp(a²) erfc(a) for 0 ≤ a < 2⁵¹²."""
    return f.polynomial((a - 3.0) / (a + 3.0), SCALED) / (a + a + 1.0)


def _gaussian(f: Formula, a: Real, factor: Real, half: float) -> Real:
    """factor · exp(-half·a²), with an exact square: its rounding error would grow with its size."""
    high, low = f.split(a)
    return exponential(f, high * high * -half, low * (a + high) * -half).times(factor)


@scalar("erf", Accuracy(1.5, 1), through_double=True)
def erf(f: Formula, x: Real) -> Real:
    """The error function, 2/√π ∫₀ˣ exp(-t²) dt."""
    a = f.at_most(f.absolute(x), 7.0)
    square = a * a
    above = 1.0 - exponential(f, -square).times(_scaled_complement(f, a))
    return f.select(a > 1.0, f.flip(above, x), f.muladd(x, f.polynomial(square, ERF), x))


@scalar("erfc", Accuracy(5, 1), through_double=True)
def erfc(f: Formula, x: Real) -> Real:
    """1 - erf x, with full relative accuracy in the upper tail."""
    a = f.at_most(f.absolute(x), 30.0)
    y = _gaussian(f, a, _scaled_complement(f, a), 1.0)
    return f.select(x < 0.0, 2.0 - y, y)


@scalar("log_ndtr", Accuracy(6, 1), through_double=True)
def log_ndtr(f: Formula, x: Real) -> Real:
    """The logarithm of the normal distribution function.

    log(erfcx(-x/√2) / 2) - x²/2 for x ≤ 0, where both terms are negative; above,
    log1p(-erfc(x/√2) / 2).
    """
    a = f.absolute(x)
    half_scaled = _scaled_complement(f, f.at_most(a, 2.0**500) * SQRT_HALF) * 0.5
    upper = _gaussian(f, f.at_most(a, 60.0), half_scaled, 0.5)
    total, error = f.fast_two_sum(f.real(1.0), -upper)
    left = x <= 0.0
    y = logarithm_of_sum(f, f.select(left, half_scaled, total), f.select(left, 0.0, error), -upper)
    return f.select(x.is_nan(), x, f.select(left, y - x * x * 0.5, y))


def _probit(f: Formula, q: Real, tail: Real) -> tuple[Mask, Real]:
    """Whether |q| is central, and the quantile over q where it is, else the quantile's magnitude.

    The probability is 1/2 + q, and tail = 1/2 - |q| exactly, which q alone cannot give.
    """
    central = f.absolute(q) <= 0.425
    r = f.sqrt(-log(f, tail))
    far = r > 5.0
    t = f.select(central, 0.180625 - q * q, r - f.select(far, 5.0, 1.6))
    numerator, denominator = (
        f.polynomial(
            t,
            [
                f.select(central, c, f.select(far, e, d))
                for c, d, e in zip(CENTRE[part], TAIL[part], FAR_TAIL[part], strict=True)
            ],
        )
        for part in (0, 1)
    )
    return central, f.select(tail.equals(0.0), float("inf"), numerator / denominator)


def _depth(f: Formula, v: Real) -> Real:
    """-log v for 0 ≤ v ≤ 1, NaN outside; the error is absolute, so near 1 it may be all of it."""
    k, m = decompose(f, v)
    g = m - 1.0
    high, low = LN2_SINGLE
    w = -f.muladd(k, high, f.muladd(k, low, g * f.polynomial(g, LOG_SINGLE)))
    return f.select(v > 0.0, w, f.select(v.equals(0.0), float("inf"), float("nan")))


def _probit_single(f: Formula, x: Real, w: Real, centre: float, square: float) -> Real:
    """√square times the quantile of 1/2 + q, in single precision, with w = -log(1 - 4q²).

    It is q times a polynomial in w at the centre, and √w times one in 1/√w outside. Where w is near
    0 its absolute error counts, not the relative one: the polynomial hardly changes there. x is q
    times √square / centre, so that what turns one into the other costs no rounding.

    References: Giles (2012), Approximating the erfinv function, for the variable w.
    """
    central = w <= 5.0
    root = f.sqrt(w * square)
    t = f.select(central, w, math.sqrt(square) / root - 0.375)
    pairs = zip(CENTRE_SINGLE, TAIL_SINGLE, strict=True)
    y = f.polynomial(t, [f.select(central, c * centre, d) for c, d in pairs])
    return y * f.select(central, x, f.copysign(root, x))


@scalar("ndtri", Accuracy(6, 3))
def ndtri(f: Formula, p: Real) -> Real:
    """The quantile of the standard normal distribution; ∓∞ at 0 and 1, NaN outside."""
    q = p - 0.5
    if not f.double:
        return _probit_single(f, q, _depth(f, (p * 4.0) * (1.0 - p)), 1.0, 1.0)
    central, y = _probit(f, q, f.select(p < 0.5, p, 1.0 - p))
    return f.select(central, q * y, f.copysign(y, q))


@scalar("erfinv", Accuracy(6, 3))
def erfinv(f: Formula, x: Real) -> Real:
    """The inverse of the error function; ∓∞ at -1 and 1, NaN outside."""
    if not f.double:
        a = f.absolute(x)
        w = _depth(f, f.select(a < 0.5, 1.0 - a * a, (1.0 - a) * (1.0 + a)))
        return _probit_single(f, x, w, HALF_SQRT_HALF, 0.5)
    central, y = _probit(f, x * 0.5, (1.0 - f.absolute(x)) * 0.5)
    return f.select(central, x * (y * HALF_SQRT_HALF), f.copysign(y * SQRT_HALF, x))
