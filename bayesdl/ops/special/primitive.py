"""Special functions that are primitives: elementwise, SciPy's in meaning, exact in derivative."""

from __future__ import annotations

import math
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from bayesdl._base.alone import load_alone

from .. import elementwise as ew
from .._declare import Op, elementwise

TWO_OVER_ROOT_PI = 2.0 / math.sqrt(math.pi)
HALF_ROOT_PI = math.sqrt(math.pi) / 2.0
ROOT_TWO_PI = math.sqrt(2.0 * math.pi)
HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)


@cache
def _scipy(name: str) -> Any:
    """A special function of SciPy's, loaded when it is first computed.

    Most of them are in one compiled module; the package around it takes a quarter of a second.
    """
    try:
        return getattr(load_alone("scipy.special._special_ufuncs"), name)
    except (ImportError, AttributeError):
        return getattr(import_module("scipy.special"), name)


def _special(name: str, partial: Any, **options: Any) -> Op:
    """An elementwise primitive of one argument with the meaning of ``scipy.special.<name>``."""
    scipy_name = options.pop("scipy_name", name)
    return elementwise(
        name,
        numpy=lambda x: _scipy(scipy_name)(x),
        partials=lambda o, x: (partial(o, x),),
        arity=1,
        **options,
    )


def _bell(x: Any) -> Any:
    """exp(−x²)."""
    return ew.exp(ew.neg(ew.square(x)))


erf = _special("erf", lambda o, x: ew.mul(_bell(x), TWO_OVER_ROOT_PI))
erfc = _special("erfc", lambda o, x: ew.mul(_bell(x), -TWO_OVER_ROOT_PI))
erfinv = _special(
    "erfinv",
    lambda o, x: ew.mul(ew.exp(ew.square(o)), HALF_ROOT_PI),
    guarded=True,
    domain=(-0.9, 0.9),
)
# The inverse of the standard normal distribution function.
ndtri = _special(
    "ndtri",
    lambda o, x: ew.mul(ew.exp(ew.mul(ew.square(o), 0.5)), ROOT_TWO_PI),
    guarded=True,
    domain=(0.05, 0.95),
)
log_ndtr = _special("log_ndtr", lambda o, x: inverse_mills_ratio(x, o), domain=(-30.0, 3.0))
lgamma = _special("lgamma", lambda o, x: digamma(x), scipy_name="gammaln", domain=(0.3, 5.0))
digamma = _special("digamma", lambda o, x: trigamma(x), scipy_name="psi", domain=(0.3, 5.0))
trigamma = elementwise(
    "trigamma",
    numpy=lambda x: _scipy("zeta")(np.asarray(x).dtype.type(2.0), x),
    partials=lambda o, x: (tetragamma(x),),
    arity=1,
    domain=(0.3, 5.0),
)


def inverse_mills_ratio(x: Any, log_cdf: Any) -> Any:
    """φ(x) / Φ(x), the derivative of log Φ(x), given log Φ(x).

    Far to the left the quotient is a difference of large logarithms, and the divergent series of
    Laplace for Mills' ratio is cut after nine terms instead: 1e-15 from x = −20 on.
    """
    near = ew.exp(ew.sub(ew.sub(ew.mul(ew.square(x), -0.5), log_cdf), HALF_LOG_TWO_PI))
    far = ew.minimum(x, -20.0)
    inverse = ew.div(1.0, ew.square(far))
    series = _horner(inverse, [math.prod(range(1, 2 * n, 2)) * (-1.0) ** n for n in range(9)])
    return ew.where(ew.less(x, -20.0), ew.div(ew.neg(far), series), near)


def tetragamma(x: Any) -> Any:
    """The second derivative of digamma, by recurrence, asymptotic series and reflection.

    Composed of primitives, so that all further derivatives exist.

    References
    ----------
    Abramowitz & Stegun (1964), 6.4.6, 6.4.7 and 6.4.14.
    """
    left = ew.less(x, 0.0)
    shifted = ew.where(left, ew.sub(1.0, x), x)
    total: Any = None
    for _ in range(10):
        term = ew.integer_power(shifted, exponent=-3)
        total = term if total is None else ew.add(total, term)
        shifted = ew.add(shifted, 1.0)
    inverse = ew.div(1.0, ew.square(shifted))
    # B₂ₖ (2k + 1), k = 0, 1, …; the odd term 1/x³ stands apart.
    tail = _horner(inverse, [1.0, 1 / 2, -1 / 6, 1 / 6, -3 / 10, 5 / 6, -691 / 210, 35 / 2])
    tail = ew.mul(inverse, ew.add(tail, ew.div(1.0, shifted)))
    right = ew.neg(ew.add(ew.mul(total, 2.0), tail))
    angle = ew.mul(ew.where(left, x, 0.5), math.pi)
    reflected = ew.div(
        ew.mul(ew.cos(angle), 2.0 * math.pi**3), ew.integer_power(ew.sin(angle), exponent=3)
    )
    return ew.where(left, ew.sub(right, reflected), right)


def _horner(x: Any, coefficients: list[float]) -> Any:
    """Σ cₙ xⁿ."""
    total = ew.mul(x, coefficients[-1])
    for c in coefficients[-2:0:-1]:
        total = ew.mul(ew.add(total, c), x)
    return ew.add(total, coefficients[0])
