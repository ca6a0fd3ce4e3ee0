"""Poisson's distribution."""

from __future__ import annotations

from typing import Any

from bayesdl import constraints
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from ._base import Distribution, Shape, distribution, parameter
from ._special import gammaincc, lgamma, xlogy
from .kl import kl


@distribution
class Poisson(Distribution):
    """Number of events that come at a constant rate.

        log p(k) = k log rate − rate − log k!

    Parameters
    ----------
    rate : float or Array
        Expected number, ≥ 0; mean and variance.

    Notes
    -----
    *Support*: {0, 1, …}. *Same as* ``scipy.stats.poisson(rate)``.
    """

    rate: Any = parameter(constraints.nonnegative)

    support = constraints.nonnegative_integer
    reference = "scipy.stats.poisson(rate)"
    examples = ((3.0,), (0.2,), (150.0,))

    def _log_prob(self, x: Any) -> Any:
        return xlogy(x, self.rate) - self.rate - lgamma(x + 1.0)

    def _draw(self, key: Any, shape: Shape) -> Any:
        return random.poisson(key, self.rate, shape)

    def _cdf(self, x: Any) -> Any:
        k = bnp.floor(x)
        return bnp.where(k < 0.0, 0.0, gammaincc(bnp.maximum(k, 0.0) + 1.0, self.rate))

    def _mean(self) -> Any:
        return self.rate

    def _variance(self) -> Any:
        return self.rate


@kl(Poisson, Poisson)
def _poisson_poisson(p: Any, q: Any) -> Any:
    return xlogy(p.rate, p.rate) - xlogy(p.rate, q.rate) + q.rate - p.rate
