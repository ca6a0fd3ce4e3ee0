"""The logistic distribution."""

from __future__ import annotations

import math
from typing import Any

from bayesdl import constraints
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from ._base import Distribution, Shape, distribution, parameter
from ._special import logit


@distribution
class Logistic(Distribution):
    """Logistic distribution on the real line; its distribution function is a sigmoid.

        log p(x) = z − 2 log(1 + eᶻ) − log scale,   z = (x − loc) / scale

    Parameters
    ----------
    loc : float or Array
        Mean and median.
    scale : float or Array
        > 0; the standard deviation is π scale / √3.

    Notes
    -----
    *Support*: (−∞, ∞). *Same as* ``scipy.stats.logistic(loc, scale)``.
    """

    loc: Any = parameter(constraints.real)
    scale: Any = parameter(constraints.positive)

    support = constraints.real
    reference = "scipy.stats.logistic(loc, scale)"
    examples = ((0.0, 1.0), (-3.0, 0.2))

    def _log_prob(self, x: Any) -> Any:
        z = (x - self.loc) * (1.0 / self.scale)
        return z - 2.0 * bnp.softplus(z) - bnp.log(self.scale)

    def _draw(self, key: Any, shape: Shape) -> Any:
        return self._icdf(random.uniform(key, shape, self._dtype))

    def _cdf(self, x: Any) -> Any:
        return bnp.sigmoid((x - self.loc) / self.scale)

    def _icdf(self, p: Any) -> Any:
        return self.loc + self.scale * logit(p)

    def _entropy(self) -> Any:
        return 2.0 + bnp.log(self.scale)

    def _mean(self) -> Any:
        return self.loc

    def _variance(self) -> Any:
        return bnp.square(self.scale) * (math.pi**2 / 3.0)
