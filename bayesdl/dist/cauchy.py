"""Cauchy's distribution and its positive half."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bayesdl import constraints
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from ._base import Distribution, Shape, distribution, parameter
from ._special import LOG_2, LOG_PI


@distribution
class Cauchy(Distribution):
    """Cauchy's (Lorentz') distribution on the real line.

        log p(x) = −log π − log scale − log(1 + ((x − loc) / scale)²)

    Parameters
    ----------
    loc : float or Array
        Median.
    scale : float or Array
        Half the distance between the quartiles, > 0.

    Notes
    -----
    *Support*: (−∞, ∞). *Same as* ``scipy.stats.cauchy(loc, scale)``. It has no mean: `mean` and
    `variance` are NaN.
    """

    loc: Any = parameter(constraints.real)
    scale: Any = parameter(constraints.positive)

    support = constraints.real
    reference = "scipy.stats.cauchy(loc, scale)"
    examples = ((0.0, 1.0), (-3.0, 0.2))

    def _log_prob(self, x: Any) -> Any:
        z = (x - self.loc) * (1.0 / self.scale)
        return -bnp.log1p(bnp.square(z)) - (bnp.log(self.scale) + LOG_PI)

    def _draw(self, key: Any, shape: Shape) -> Any:
        return self.loc + self.scale * _centred(random.uniform(key, shape, self._dtype))

    def _cdf(self, x: Any) -> Any:
        # The angle of the point (1, −z), which keeps the left tail.
        z = (x - self.loc) / self.scale
        return bnp.arctan2(bnp.ones_like(z), -z) / math.pi

    def _icdf(self, p: Any) -> Any:
        return self.loc + self.scale * _centred(p)

    def _entropy(self) -> Any:
        return bnp.log(4.0 * math.pi * self.scale)

    def _mean(self) -> Any:
        return np.nan

    def _variance(self) -> Any:
        return np.nan


@distribution
class HalfCauchy(Distribution):
    """Absolute value of a Cauchy number of centre 0.

        log p(x) = log(2 / π) − log scale − log(1 + (x / scale)²)

    Parameters
    ----------
    scale : float or Array
        Median, > 0.

    Notes
    -----
    *Support*: [0, ∞). *Same as* ``scipy.stats.halfcauchy(0, scale)``. Mean and variance are
    infinite.
    """

    scale: Any = parameter(constraints.positive)

    support = constraints.nonnegative
    reference = "scipy.stats.halfcauchy(0, scale)"
    examples = ((1.0,), (0.2,), (30.0,))

    def _log_prob(self, x: Any) -> Any:
        shrink = bnp.log1p(bnp.square(x * (1.0 / self.scale)))
        return -shrink - (bnp.log(self.scale) + (LOG_PI - LOG_2))

    def _draw(self, key: Any, shape: Shape) -> Any:
        return self.scale * bnp.tan(0.5 * math.pi * random.uniform(key, shape, self._dtype))

    def _cdf(self, x: Any) -> Any:
        return bnp.arctan(bnp.maximum(x, 0.0) / self.scale) * (2.0 / math.pi)

    def _icdf(self, p: Any) -> Any:
        return self.scale * bnp.where(p < 1.0, bnp.tan(0.5 * math.pi * p), np.inf)

    def _entropy(self) -> Any:
        return bnp.log(2.0 * math.pi * self.scale)

    def _mean(self) -> Any:
        return np.inf

    def _variance(self) -> Any:
        return np.inf


def _centred(p: Any) -> Any:
    """−cot πp, from the nearer end, and infinite at both ends."""
    near = bnp.minimum(p, 1.0 - p)
    size = bnp.where(near > 0.0, 1.0 / bnp.tan(math.pi * bnp.where(near > 0.0, near, 0.25)), np.inf)
    return bnp.where(p < 0.5, -size, size)
