"""Laplace's distribution."""

from __future__ import annotations

import math
from typing import Any

from bayesdl import constraints
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from ._base import Distribution, Shape, distribution, parameter
from ._special import LOG_2
from .kl import kl


@distribution
class Laplace(Distribution):
    """Laplace's (double exponential) distribution on the real line.

        log p(x) = −|x − loc| / scale − log 2 scale

    Parameters
    ----------
    loc : float or Array
        Mean and median.
    scale : float or Array
        Mean distance from `loc`, > 0; the standard deviation is √2 scale.

    Notes
    -----
    *Support*: (−∞, ∞). *Same as* ``scipy.stats.laplace(loc, scale)``.
    """

    loc: Any = parameter(constraints.real)
    scale: Any = parameter(constraints.positive)

    support = constraints.real
    reference = "scipy.stats.laplace(loc, scale)"
    examples = ((0.0, 1.0), (-3.0, 0.2))

    def _log_prob(self, x: Any) -> Any:
        return -bnp.abs(x - self.loc) * (1.0 / self.scale) - (bnp.log(self.scale) + LOG_2)

    def _draw(self, key: Any, shape: Shape) -> Any:
        return self._icdf(random.uniform(key, shape, self._dtype))

    def _cdf(self, x: Any) -> Any:
        z = (x - self.loc) / self.scale
        tail = 0.5 * bnp.exp(-bnp.abs(z))
        return bnp.where(z < 0.0, tail, 1.0 - tail)

    def _icdf(self, p: Any) -> Any:
        low = p < 0.5
        size = bnp.log(2.0 * bnp.where(low, p, 1.0 - p))
        return self.loc + self.scale * bnp.where(low, size, -size)

    def _entropy(self) -> Any:
        return 1.0 + math.log(2.0) + bnp.log(self.scale)

    def _mean(self) -> Any:
        return self.loc

    def _variance(self) -> Any:
        return 2.0 * bnp.square(self.scale)


@kl(Laplace, Laplace)
def _laplace_laplace(p: Any, q: Any) -> Any:
    distance = bnp.abs(p.loc - q.loc)
    moved = (distance + p.scale * bnp.exp(-distance / p.scale)) / q.scale
    return bnp.log(q.scale / p.scale) + moved - 1.0
