"""The logarithm of the gamma function and its first two derivatives."""

from __future__ import annotations

from .catalogue import Accuracy, scalar
from .exponential import logarithm
from .formula import Formula, Mask, Real

PI = 3.141592653589793
HALF_LOG_TWO_PI_MINUS_HALF = 0.4189385332046727
# From here on the asymptotic series are exact to double precision.
ASYMPTOTIC = 8.0

# log Γ(1 + t) / (t (t - 1)), 0 ≤ t ≤ 1, in powers of t - 1/2
LOG_GAMMA = (
    0.4831289505409809,
    -0.14595989591430594,
    0.06291140107456485,
    -0.03130848750105327,
    0.01679709863121395,
    -0.009425622444829649,
    0.005446457842219553,
    -0.0032120742206072908,
    0.0019229162321227923,
    -0.001164411377219605,
    0.0007115202752051298,
    -0.00043803516132580534,
    0.00027130273545114005,
    -0.0001685717945035172,
    0.00010541715222185904,
    -6.793733027397047e-05,
    4.281642862794779e-05,
    -2.148770252062576e-05,
    1.3584275459130943e-05,
    -1.8527803997032962e-05,
    1.1820969445467145e-05,
)
# The series below are in powers of 1/a², a ≥ 8.
# a (log Γ(a) - (a - 1/2) log a + a - log(2π)/2)
STIRLING = (
    0.08333333333333333,
    -0.002777777777773988,
    0.0007936507897524055,
    -0.0005952365845056352,
    0.0008414700852428958,
    -0.0018903829935085934,
    0.005065905352702229,
)
# a² (log a - 1/(2a) - ψ(a))
DIGAMMA = (
    0.08333333333333287,
    -0.008333333331168558,
    0.003968252342841529,
    -0.004166217650683737,
    0.0075190882299101345,
    -0.017711160396400843,
)
# a³ (ψ'(a) - 1/a - 1/(2a²))
TRIGAMMA = (
    0.16666666666666655,
    -0.03333333333249287,
    0.023809522943893147,
    -0.033332997063696544,
    0.07569481310072045,
    -0.24699740945796847,
    0.8586880090892491,
)
# (sin πr / r - π) / r², |r| ≤ 1/2, in powers of r²
SIN_PI = (
    -5.16771278004997,
    2.55016403987734,
    -0.599264529320343,
    0.08214588659675232,
    -0.007370430719634586,
    0.0004663008741149636,
    -2.1906201655131873e-05,
    7.72574303078898e-07,
)


def _sine_of_pi_times(f: Formula, r: Real) -> Real:
    """sin πr for |r| ≤ 1/2."""
    w = r * r
    return r * f.muladd(w, f.polynomial(w, SIN_PI), f.real(PI))


def _distance_to_integer(f: Formula, x: Real) -> Real:
    """x minus the nearest integer; zero for huge x, which are integers."""
    moderate = f.absolute(x) < 2.0**51
    return f.select(moderate, x - f.round(x), 0.0)


@scalar(
    "lgamma",
    Accuracy(6, 1, note="float64, x < 0: absolute 1e-15 (2 + |x| log(1 + |x|)) near zeros"),
    through_double=True,
)
def lgamma(f: Formula, x: Real) -> Real:
    """log |Γ(x)|; ∞ at zero and the negative integers, -∞ at -∞ as in SciPy."""
    a = f.absolute(x)
    y = _log_gamma_of_positive(f, a)
    r = f.absolute(_distance_to_integer(f, a))
    # Γ(x) Γ(-x) = -π / (x sin πx). Next to zero the product underflows, and log Γ(-a) = log Γ(a).
    reflected = -(logarithm(f, a * _sine_of_pi_times(f, r) * (1.0 / PI)) + y)
    y = f.select((x < 0.0) & (a > 2.0**-70), reflected, y)
    pole = (x <= 0.0) & r.equals(0.0)
    return f.select(x.is_nan() | a.equals(float("inf")), x, f.select(pole, float("inf"), y))


def _log_gamma_of_positive(f: Formula, a: Real) -> Real:
    """log Γ(a) for 0 < a < ∞: one logarithm serves the recurrence and Stirling's series."""
    y, product = a, f.real(1.0)
    for _ in range(int(ASYMPTOTIC) - 2):
        above = y > 2.0
        y = f.select(above, y - 1.0, y)
        product = f.select(above, product * y, product)
    below_one, far = a < 1.0, a >= ASYMPTOTIC
    t = f.select(below_one, a, y - 1.0)
    base = t * (t - 1.0) * f.polynomial(t - 0.5, LOG_GAMMA)
    log = logarithm(f, f.select(below_one | far, a, product))
    inverse = 1.0 / a
    series = inverse * f.polynomial(inverse * inverse, STIRLING)
    stirling = (a - 0.5) * (log - 1.0) + (series + HALF_LOG_TWO_PI_MINUS_HALF)
    return f.select(far, stirling, base + f.select(below_one, -log, log))


def _recurrence(f: Formula, a: Real, order: int) -> tuple[Real, Real]:
    """a + n ≥ 8, and Σ 1/(a + i)^order over i < n, as one division.

    The term of a itself, by far the largest for a small a, comes last: the rounding of the product
    of the others is in numerator and denominator alike, and cancels in that term.
    """
    steps = [a, *(a + float(i) for i in range(1, int(ASYMPTOTIC) + 1))]
    below: list[Mask] = [step < ASYMPTOTIC for step in steps[:-1]]
    above, numerator, denominator = a, f.real(0.0), f.real(1.0)
    for step, inside in zip(steps[1:], below, strict=True):
        above = f.select(inside, step, above)
    for step, inside in zip(steps[-2::-1], below[::-1], strict=True):
        factor = step if order == 1 else step * step
        numerator = f.select(inside, f.muladd(numerator, factor, denominator), numerator)
        denominator = f.select(inside, denominator * factor, denominator)
    return above, numerator / denominator


@scalar(
    "digamma",
    Accuracy(4, 1, absolute=2e-15, note="float64, x < 0: absolute 2e-15 (2 + |π cot πx|)"),
    through_double=True,
)
def digamma(f: Formula, x: Real) -> Real:
    """ψ(x), the derivative of log Γ; NaN at negative integers, ∓∞ at ±0.

    For x < 0, ψ(x) = ψ(1 - x) - π cot πx.
    """
    negative = x < 0.0
    a, total = _recurrence(f, f.select(negative, 1.0 - x, x), 1)
    inverse = 1.0 / a
    w = inverse * inverse
    y = (logarithm(f, a) - (inverse * 0.5 + w * f.polynomial(w, DIGAMMA))) - total
    r = _distance_to_integer(f, x)
    cosine = _sine_of_pi_times(f, 0.5 - f.absolute(r))
    reflected = f.select(r.equals(0.0), float("nan"), y - PI * cosine / _sine_of_pi_times(f, r))
    ends = f.select(a < float("inf"), y, a)
    return f.select(negative, reflected, ends)


@scalar(
    "trigamma",
    Accuracy(4, 1, note="float64, x < 0: absolute 3e-15 π²/sin² πx"),
    through_double=True,
)
def trigamma(f: Formula, x: Real) -> Real:
    """ψ'(x), the second derivative of log Γ; ∞ at zero and the negative integers.

    For x < 0, ψ'(x) = π²/sin² πx - ψ'(1 - x).
    """
    negative = x < 0.0
    a, total = _recurrence(f, f.select(negative, 1.0 - x, x), 2)
    inverse = 1.0 / a
    w = inverse * inverse
    y = total + (inverse + w * f.muladd(inverse, f.polynomial(w, TRIGAMMA), f.real(0.5)))
    ratio = PI / _sine_of_pi_times(f, _distance_to_integer(f, x))
    return f.select(negative, ratio * ratio - y, y)
