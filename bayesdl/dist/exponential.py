"""The exponential distribution."""

from __future__ import annotations

from typing import Any

from bayesdl import constraints
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from ._base import Distribution, Shape, distribution, parameter
from .kl import kl


@distribution
class Exponential(Distribution):
    """Exponential distribution: waiting time for an event that comes at a constant rate.

        log p(x) = log rate − rate x

    Parameters
    ----------
    rate : float or Array
        Events per unit of time, > 0; the mean is 1 / rate (called `scale` in SciPy).

    Notes
    -----
    *Support*: [0, ∞). *Same as* ``scipy.stats.expon(0, 1 / rate)``.
    """

    rate: Any = parameter(constraints.positive)

    support = constraints.nonnegative
    reference = "scipy.stats.expon(0, 1 / rate)"
    examples = ((1.0,), (0.2,), (30.0,))

    def _log_prob(self, x: Any) -> Any:
        return bnp.log(self.rate) - self.rate * x

    def _draw(self, key: Any, shape: Shape) -> Any:
        return random.exponential(key, shape, self._dtype) / self.rate

    def _cdf(self, x: Any) -> Any:
        return -bnp.expm1(-self.rate * bnp.maximum(x, 0.0))

    def _icdf(self, p: Any) -> Any:
        return -bnp.log1p(-p) / self.rate

    def _entropy(self) -> Any:
        return 1.0 - bnp.log(self.rate)

    def _mean(self) -> Any:
        return 1.0 / self.rate

    def _variance(self) -> Any:
        return 1.0 / bnp.square(self.rate)


@kl(Exponential, Exponential)
def _exponential_exponential(p: Any, q: Any) -> Any:
    ratio = q.rate / p.rate
    return ratio - 1.0 - bnp.log(ratio)
