"""The gamma distribution and its reciprocal."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl import constraints
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from ._base import Distribution, Shape, distribution, parameter
from ._special import digamma, gammainc, gammaincc, lgamma
from .kl import kl


@distribution
class Gamma(Distribution):
    """Gamma distribution.

        log p(x) = a log b + (a − 1) log x − b x − log Γ(a),   a = concentration, b = rate

    Parameters
    ----------
    concentration : float or Array
        Shape a > 0.
    rate : float or Array
        Rate b > 0, the inverse of SciPy's `scale`. Mean a / b, variance a / b².

    Notes
    -----
    *Support*: (0, ∞). *Same as* ``scipy.stats.gamma(concentration, 0, 1 / rate)``.
    """

    concentration: Any = parameter(constraints.positive)
    rate: Any = parameter(constraints.positive)

    support = constraints.positive
    reference = "scipy.stats.gamma(concentration, 0, 1 / rate)"
    examples = ((2.0, 1.0), (0.5, 3.0), (25.0, 4.0))

    def _log_prob(self, x: Any) -> Any:
        a, b = self.concentration, self.rate
        return (a - 1.0) * bnp.log(x) - b * x + (a * bnp.log(b) - lgamma(a))

    def _draw(self, key: Any, shape: Shape) -> Any:
        return random.gamma(key, self.concentration, shape) / self.rate

    def _cdf(self, x: Any) -> Any:
        return gammainc(self.concentration, self.rate * bnp.maximum(x, 0.0))

    def _entropy(self) -> Any:
        a = self.concentration
        return a - bnp.log(self.rate) + lgamma(a) + (1.0 - a) * digamma(a)

    def _mean(self) -> Any:
        return self.concentration / self.rate

    def _variance(self) -> Any:
        return self.concentration / bnp.square(self.rate)


@distribution
class InverseGamma(Distribution):
    """Reciprocal of a gamma number.

        log p(x) = a log b − (a + 1) log x − b / x − log Γ(a),   a = concentration, b = scale

    Parameters
    ----------
    concentration : float or Array
        Shape a > 0.
    scale : float or Array
        Scale b > 0: the rate of the gamma number. Mean b / (a − 1) for a > 1.

    Notes
    -----
    *Support*: (0, ∞). *Same as* ``scipy.stats.invgamma(concentration, 0, scale)``.
    """

    concentration: Any = parameter(constraints.positive)
    scale: Any = parameter(constraints.positive)

    support = constraints.positive
    reference = "scipy.stats.invgamma(concentration, 0, scale)"
    examples = ((3.0, 1.0), (5.0, 3.0), (25.0, 4.0))

    def _log_prob(self, x: Any) -> Any:
        a, b = self.concentration, self.scale
        return (a * bnp.log(b) - lgamma(a)) - (a + 1.0) * bnp.log(x) - b / x

    def _draw(self, key: Any, shape: Shape) -> Any:
        return self.scale * bnp.exp(-random.log_gamma(key, self.concentration, shape))

    def _cdf(self, x: Any) -> Any:
        return gammaincc(self.concentration, self.scale / bnp.maximum(x, 0.0))

    def _entropy(self) -> Any:
        a = self.concentration
        return a + bnp.log(self.scale) + lgamma(a) - (1.0 + a) * digamma(a)

    def _mean(self) -> Any:
        above = self.concentration - 1.0
        return bnp.where(above > 0.0, self.scale / bnp.where(above > 0.0, above, 1.0), np.inf)

    def _variance(self) -> Any:
        above = self.concentration - 2.0
        finite = above > 0.0
        mean = self.scale / bnp.where(finite, self.concentration - 1.0, 1.0)
        return bnp.where(finite, bnp.square(mean) / bnp.where(finite, above, 1.0), np.inf)


@kl(Gamma, Gamma)
def _gamma_gamma(p: Any, q: Any) -> Any:
    a, b = p.concentration, q.concentration
    ratio = q.rate / p.rate
    return (a - b) * digamma(a) - lgamma(a) + lgamma(b) - b * bnp.log(ratio) + a * (ratio - 1.0)
