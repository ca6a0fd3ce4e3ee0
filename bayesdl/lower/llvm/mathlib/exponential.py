"""Exponentials and logarithms, and the two that neural nets live on: sigmoid and softplus.

Each reduces its argument to a short interval around zero, where a polynomial is enough. In this
package, coefficients without a reference interpolate the function at Chebyshev nodes, in 60 digits,
with the smallest degree that leaves the rounding error in charge.
"""

from __future__ import annotations

from bayesdl._base.dataclass import dataclass

from .catalogue import Accuracy, scalar
from .formula import Bits, Formula, Mask, Real

LOG2_E = 1.4426950408889634
SQRT_HALF = 0.7071067811865476
LOW = -1.3862943611198906  # log 1/4

# ln 2 = high + low, high so short that k·high is exact for every exponent k (Cody & Waite 1980).
LN2_DOUBLE = (6.93147180369123816490e-01, 1.90821492927058770002e-10)
LN2_SINGLE = (0.693359375, -2.12194440e-4)

# (eʳ - 1 - r) / r², |r| ≤ ln 2 / 2
EXP_DOUBLE = (
    0.5,
    0.1666666666666667,
    0.04166666666666667,
    0.008333333333326124,
    0.0013888888888883742,
    0.00019841269874858612,
    2.4801587325574868e-05,
    2.7557255352032673e-06,
    2.7557273608709007e-07,
    2.51052370507603e-08,
    2.0914701283103285e-09,
)
EXP_SINGLE = (0.5, 0.16666667, 0.041666463, 0.0083333105, 0.0013933667, 0.0001989101)

# (2ʳ - 1) / r, |r| ≤ 1/2
EXP2_DOUBLE = (
    0.6931471805599453,
    0.24022650695910097,
    0.0555041086648216,
    0.009618129107606888,
    0.0013333558146416936,
    0.0001540353044173605,
    1.525273382983612e-05,
    1.321544258792169e-06,
    1.0178062445845774e-07,
    7.072585949269223e-09,
    4.4549605981865186e-10,
)
EXP2_SINGLE = (
    0.6931472,
    0.2402265,
    0.05550411,
    0.009618057,
    0.0013333502,
    0.00015461445,
    1.5297324e-05,
)

# (2 atanh(√w) / √w - 2) / w, 0 ≤ w ≤ (3 - 2√2)²
LOG_DOUBLE = (
    0.6666666666666666,
    0.4000000000000088,
    0.2857142857080357,
    0.22222222391724006,
    0.18181795639055004,
    0.15386239761443388,
    0.132687715685359,
    0.13086642567931964,
)
LOG_SINGLE = (0.6666667, 0.40000123, 0.28550822, 0.2333048)

# The same for 0 ≤ w ≤ 1/9, which is log(1 + z) for all of 0 ≤ z ≤ 1.
LOG_WIDE_DOUBLE = (
    0.6666666666666666,
    0.40000000000014583,
    0.28571428567108757,
    0.22222222717427863,
    0.18181789436132858,
    0.15385570064958623,
    0.13314144209654936,
    0.12001072809590713,
    0.08800738486144674,
    0.16164045611943532,
)
LOG_WIDE_SINGLE = (0.666666673, 0.399997063, 0.28592358, 0.217065758, 0.232243292)


@dataclass(frozen=True, slots=True)
class Exponential:
    """eˣ = mantissa · 2^k, with 2^k in two factors so that nothing overflows or rounds early."""

    mantissa: Real
    half: Real
    other_half: Real

    def times(self, factor: Real | float = 1.0) -> Real:
        """factor · eˣ, rounded to a subnormal once only."""
        return (self.mantissa * factor * self.half) * self.other_half


def _reduce(f: Formula, x: Real) -> tuple[Real, Real, Real, Real]:
    """k + shift, k, and x - k ln 2 as high + low."""
    high, low = LN2_DOUBLE if f.double else LN2_SINGLE
    shifted = f.muladd(x, LOG2_E, f.format.shift)
    k = shifted - f.format.shift
    first = f.muladd(-k, high, x)
    r = first - k * low
    return shifted, k, r, (first - r) - k * low


def power_of_two(f: Formula, shifted: Real | Bits) -> Real:
    """2^k from k + shift, for a normal result."""
    bits = shifted.bits() if isinstance(shifted, Real) else shifted
    return ((bits << f.format.mantissa) + f.bits_of(1.0)).real()


def _halves(f: Formula, shifted: Real, k: Real) -> tuple[Real, Real]:
    """2^a and 2^b with a + b = k."""
    half = f.muladd(k, 0.5, f.format.shift)
    return power_of_two(f, half), power_of_two(f, shifted.bits() - half.bits())


def exponential(f: Formula, x: Real, low: Real | None = None) -> Exponential:
    """eˣ, or e^(x + low) for a small correction `low`, in a form that can still be multiplied."""
    top, bottom = (720.0, -760.0) if f.double else (92.0, -108.0)
    x = f.at_least(f.at_most(x, top), bottom)
    shifted, k, r, rounding = _reduce(f, x)
    if low is not None:
        uncorrected, r = r, r + low
        rounding = rounding + ((uncorrected - r) + low)
    q = f.polynomial(r, EXP_DOUBLE if f.double else EXP_SINGLE)
    total, error = f.fast_two_sum(f.real(1.0), r)
    mantissa = total + (error + f.muladd(r * r, q, rounding))
    return Exponential(mantissa, *_halves(f, shifted, k))


@scalar("exp", Accuracy(1.2, 1.2))
def exp(f: Formula, x: Real) -> Real:
    """eˣ, without the correction of its last rounding that other functions need."""
    top, bottom = (720.0, -760.0) if f.double else (92.0, -108.0)
    x = f.at_least(f.at_most(x, top), bottom)
    high, low = LN2_DOUBLE if f.double else LN2_SINGLE
    shifted = f.muladd(x, LOG2_E, f.format.shift)
    k = shifted - f.format.shift
    r = f.muladd(-k, low, f.muladd(-k, high, x))
    q = f.polynomial(r, EXP_DOUBLE if f.double else EXP_SINGLE)
    mantissa = f.muladd(r * r, q, r) + 1.0
    return Exponential(mantissa, *_halves(f, shifted, k)).times()


@scalar("exp2", Accuracy(1, 1))
def exp2(f: Formula, x: Real) -> Real:
    """2ˣ; exact where x is an integer."""
    top, bottom = (1030.0, -1090.0) if f.double else (130.0, -160.0)
    x = f.at_least(f.at_most(x, top), bottom)
    shifted = x + f.format.shift
    k = shifted - f.format.shift
    r = x - k
    mantissa = f.muladd(r, f.polynomial(r, EXP2_DOUBLE if f.double else EXP2_SINGLE), f.real(1.0))
    return Exponential(mantissa, *_halves(f, shifted, k)).times()


def exponential_minus_one(f: Formula, x: Real) -> tuple[Real, Real, Real]:
    """y, k + shift and k with eˣ - 1 = y · 2^k, for x from about -40 up.

    y = (1 - 2⁻ᵏ) + r + (eʳ - 1 - r), where the first two are added without error: for k = 1 they
    nearly cancel.
    """
    shifted, k, r, low = _reduce(f, x)
    one_over = power_of_two(f, f.bits(0) - shifted.bits())
    one_over = f.select(k > float(f.format.bias - 2), 0.0, one_over)
    q = f.polynomial(r, EXP_DOUBLE if f.double else EXP_SINGLE)
    tail = f.muladd(r * r, q, low)
    total, error = f.fast_two_sum(1.0 - one_over, r)
    return total + (error + tail), shifted, k


@scalar("expm1", Accuracy(1.5, 1.5))
def expm1(f: Formula, x: Real) -> Real:
    """eˣ - 1."""
    top, bottom = (720.0, -40.0) if f.double else (92.0, -20.0)
    y, shifted, k = exponential_minus_one(f, f.at_least(f.at_most(x, top), bottom))
    half, other_half = _halves(f, shifted, k)
    return f.copysign((y * half) * other_half, x)


def decompose(f: Formula, x: Real) -> tuple[Real, Real]:
    """k and m with x = m·2^k and √½ ≤ m < √2, for 0 < x < ∞, subnormals too; garbage elsewhere."""
    width = f.format.mantissa
    tiny = x < f.format.min_normal
    bits = f.select(tiny, x * 2.0 ** (width + 2), x).bits()
    exponent_mask = f.bits(-(1 << width))
    lifted = f.bits((f.format.bias + 1) << width)
    # Kept unsigned, because vector units lack an arithmetic shift of 64-bit integers.
    above = bits - f.bits_of(SQRT_HALF) + lifted
    m = (bits - (above & exponent_mask) + lifted).real()
    one_ulp_one = 2.0**width
    offset = one_ulp_one + f.format.bias + 1
    biased = ((above >> width) | f.bits_of(one_ulp_one)).real()
    return biased - f.select(tiny, offset + width + 2, offset), m


def defect_of_logarithm(
    f: Formula, g: Real, addend: Real, coefficients: tuple[float, ...] | None = None
) -> Real:
    """g - log(1 + g) - addend for √½ - 1 ≤ g ≤ √2 - 1; `addend` is small, or zero where g is small.

    Other coefficients serve another interval.

    With s = g / (2 + g), log(1 + g) = g - (g²/2 - s (g²/2 + R(s²))), so that rounding touches only
    terms that are small beside g (Tang 1990, Table-driven implementation of the logarithm function;
    this arrangement: K. C. Ng, fdlibm, 1993).
    """
    s = g / (g + 2.0)
    w = s * s
    half_square = g * g * 0.5
    series = w * f.polynomial(w, coefficients or (LOG_DOUBLE if f.double else LOG_SINGLE))
    return half_square - f.muladd(s, half_square + series, addend)


def log_of_product(f: Formula, k: Real, g: Real, correction: Real | None = None) -> Real:
    """k ln 2 + log(1 + g) + correction."""
    high, low = LN2_DOUBLE if f.double else LN2_SINGLE
    addend = k * low if correction is None else f.muladd(k, low, correction)
    return f.muladd(k, high, g - defect_of_logarithm(f, g, addend))


def logarithm(f: Formula, x: Real) -> Real:
    """log x for 0 < x < ∞."""
    k, m = decompose(f, x)
    return log_of_product(f, k, m - 1.0)


def at_the_ends(f: Formula, x: Real, y: Real) -> Real:
    """y, or what a logarithm must give at 0, ∞, NaN and below 0."""
    above = f.select(x < float("inf"), y, x)
    return f.select(x > 0.0, above, f.select(x.equals(0.0), float("-inf"), float("nan")))


@scalar("log", Accuracy(1, 1))
def log(f: Formula, x: Real) -> Real:
    """The natural logarithm."""
    return at_the_ends(f, x, logarithm(f, x))


@scalar("log2", Accuracy(2, 2))
def log2(f: Formula, x: Real) -> Real:
    """The logarithm to base 2; exact at powers of two."""
    k, m = decompose(f, x)
    g = m - 1.0
    rest = defect_of_logarithm(f, g, f.real(0.0))
    # log2(e) and log(m) both as high + low, so that the product with the leading parts is exact.
    high, _ = f.split(g - rest)
    low = (g - high) - rest
    factor_high, factor_low = (
        (1.4426950216293335, 1.9259629911266175e-08) if f.double else (1.4423828125, 0.00031222842)
    )
    total, error = f.two_sum(k, high * factor_high)
    tail = (low + high) * factor_low + low * factor_high
    return at_the_ends(f, x, total + (error + tail))


def logarithm_of_one_plus(f: Formula, x: Real) -> Real:
    """log(1 + x) for -1 < x < ∞."""
    u, error = f.two_sum(f.real(1.0), x)
    return logarithm_of_sum(f, u, error, x)


def logarithm_of_sum(f: Formula, u: Real, error: Real, near_zero: Real) -> Real:
    """log(u + error), u > 0 the rounded sum; `near_zero` is u + error - 1 where u is near 1."""
    k, m = decompose(f, u)
    plain: Mask = k.equals(0.0)
    g = f.select(plain, near_zero, m - 1.0)
    return log_of_product(f, k, g, f.select(plain, 0.0, error / u))


@scalar("log1p", Accuracy(2, 2))
def log1p(f: Formula, x: Real) -> Real:
    """log(1 + x), accurate near zero."""
    u = x + 1.0
    return f.copysign(at_the_ends(f, u, logarithm_of_one_plus(f, x)), x)


@scalar("decay", Accuracy(1.2, 1.2))
def decay(f: Formula, x: Real) -> Real:
    """e^-|x|: what sigmoid and softplus share where both are wanted of one argument.

    2^k is at most 1, so that one factor does, 2^lift times too large, and rounds a subnormal once.
    """
    x = f.at_least(-f.absolute(x), -760.0 if f.double else -108.0)
    high, low = LN2_DOUBLE if f.double else LN2_SINGLE
    shifted = f.muladd(x, LOG2_E, f.format.shift)
    k = shifted - f.format.shift
    r = f.muladd(-k, low, f.muladd(-k, high, x))
    q = f.polynomial(r, EXP_DOUBLE if f.double else EXP_SINGLE)
    mantissa = f.muladd(r * r, q, r) + 1.0
    lift = 2.0**100 if f.double else 2.0**64
    scale = ((shifted.bits() << f.format.mantissa) + f.bits_of(lift)).real()
    return (mantissa * scale) * (1.0 / lift)


@scalar("sigmoid", Accuracy(2, 2))
def sigmoid(f: Formula, x: Real) -> Real:
    """1 / (1 + e⁻ˣ), with full relative accuracy in the lower tail."""
    z = decay(f, x)
    y = f.select(x < 0.0, z, 1.0) / (z + 1.0)
    # y = z - z·y: for small z, the errors of the sum and of the division then hardly count.
    return f.select(x < LOW, f.muladd(-z, y, z), y)


@scalar("softplus", Accuracy(2, 2))
def softplus(f: Formula, x: Real) -> Real:
    """log(1 + eˣ) = max(x, 0) + log1p(e^-|x|), with full relative accuracy in the lower tail."""
    z = decay(f, x)
    wide = LOG_WIDE_DOUBLE if f.double else LOG_WIDE_SINGLE
    return f.at_least(x, 0.0) + (z - defect_of_logarithm(f, z, f.real(0.0), wide))
