"""The normal distribution, its positive half, and its exponential."""

from __future__ import annotations

import math
from typing import Any

from bayesdl import constraints
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from ._base import Distribution, Shape, distribution, parameter
from ._special import HALF_LOG_TWO_PI, LOG_2, erf, log_ndtr, ndtr, ndtri
from .kl import kl


@distribution
class Normal(Distribution):
    """Normal (Gaussian) distribution on the real line.

        log p(x) = −½ ((x − loc) / scale)² − log scale − ½ log 2π

    Parameters
    ----------
    loc : float or Array
        Mean.
    scale : float or Array
        Standard deviation, > 0; the square root of the variance, and of 1 / precision.

    Notes
    -----
    *Support*: (−∞, ∞). *Same as* ``scipy.stats.norm(loc, scale)``.

    Examples
    --------
    >>> float(Normal(0.0, 2.0).log_prob(2.0))
    -2.112085...
    """

    loc: Any = parameter(constraints.real)
    scale: Any = parameter(constraints.positive)

    support = constraints.real
    reference = "scipy.stats.norm(loc, scale)"
    examples = ((0.0, 1.0), (-3.0, 0.2), (1e4, 1e-3))

    def _log_prob(self, x: Any) -> Any:
        # One division for each scale, not for each value.
        z = (x - self.loc) * (1.0 / self.scale)
        return -0.5 * bnp.square(z) - (bnp.log(self.scale) + HALF_LOG_TWO_PI)

    def _draw(self, key: Any, shape: Shape) -> Any:
        return self.loc + self.scale * random.normal(key, shape, self._dtype)

    def _cdf(self, x: Any) -> Any:
        return ndtr((x - self.loc) / self.scale)

    def log_cdf(self, value: Any) -> Any:
        """log P(X ≤ value), accurate far to the left."""
        own, x = self._ready(value)
        return own._spread(log_ndtr(bnp.asarray((x - own.loc) / own.scale)), x)

    def _icdf(self, p: Any) -> Any:
        return self.loc + self.scale * ndtri(p)

    def _entropy(self) -> Any:
        return 0.5 + HALF_LOG_TWO_PI + bnp.log(self.scale)

    def _mean(self) -> Any:
        return self.loc

    def _variance(self) -> Any:
        return bnp.square(self.scale)


@distribution
class HalfNormal(Distribution):
    """Absolute value of a normal number of mean 0.

        log p(x) = −½ (x / scale)² − log scale + ½ log(2 / π)

    Parameters
    ----------
    scale : float or Array
        Standard deviation of the normal number, > 0; that of the half is scale √(1 − 2/π).

    Notes
    -----
    *Support*: [0, ∞). *Same as* ``scipy.stats.halfnorm(0, scale)``.
    """

    scale: Any = parameter(constraints.positive)

    support = constraints.nonnegative
    reference = "scipy.stats.halfnorm(0, scale)"
    examples = ((1.0,), (0.2,), (30.0,))

    def _log_prob(self, x: Any) -> Any:
        z = x * (1.0 / self.scale)
        return -0.5 * bnp.square(z) - (bnp.log(self.scale) + (HALF_LOG_TWO_PI - LOG_2))

    def _draw(self, key: Any, shape: Shape) -> Any:
        return self.scale * bnp.abs(random.normal(key, shape, self._dtype))

    def _cdf(self, x: Any) -> Any:
        return erf(bnp.maximum(x, 0.0) / (self.scale * math.sqrt(2.0)))

    def _icdf(self, p: Any) -> Any:
        return self.scale * -ndtri(0.5 * (1.0 - p))

    def _entropy(self) -> Any:
        return 0.5 + HALF_LOG_TWO_PI - LOG_2 + bnp.log(self.scale)

    def _mean(self) -> Any:
        return self.scale * math.sqrt(2.0 / math.pi)

    def _variance(self) -> Any:
        return bnp.square(self.scale) * (1.0 - 2.0 / math.pi)


@distribution
class LogNormal(Distribution):
    """Exponential of a normal number.

        log p(x) = −½ ((log x − loc) / scale)² − log(x scale) − ½ log 2π

    Parameters
    ----------
    loc : float or Array
        Mean of log x.
    scale : float or Array
        Standard deviation of log x, > 0.

    Notes
    -----
    *Support*: (0, ∞). *Same as* ``scipy.stats.lognorm(scale, scale=exp(loc))``.
    """

    loc: Any = parameter(constraints.real)
    scale: Any = parameter(constraints.positive)

    support = constraints.positive
    reference = "scipy.stats.lognorm(scale, scale=np.exp(loc))"
    examples = ((0.0, 1.0), (-1.0, 0.3), (2.0, 0.5))

    def _log_prob(self, x: Any) -> Any:
        log_x = bnp.log(x)
        z = (log_x - self.loc) * (1.0 / self.scale)
        return -0.5 * bnp.square(z) - (log_x + (bnp.log(self.scale) + HALF_LOG_TWO_PI))

    def _draw(self, key: Any, shape: Shape) -> Any:
        return bnp.exp(self.loc + self.scale * random.normal(key, shape, self._dtype))

    def _cdf(self, x: Any) -> Any:
        return ndtr((bnp.log(bnp.maximum(x, 0.0)) - self.loc) / self.scale)

    def _icdf(self, p: Any) -> Any:
        return bnp.exp(self.loc + self.scale * ndtri(p))

    def _entropy(self) -> Any:
        return 0.5 + HALF_LOG_TWO_PI + bnp.log(self.scale) + self.loc

    def _mean(self) -> Any:
        return bnp.exp(self.loc + 0.5 * bnp.square(self.scale))

    def _variance(self) -> Any:
        spread = bnp.square(self.scale)
        return bnp.expm1(spread) * bnp.exp(2.0 * self.loc + spread)


@kl(Normal, Normal)
def _normal_normal(p: Any, q: Any) -> Any:
    ratio = bnp.square(p.scale / q.scale)
    return 0.5 * (ratio + bnp.square((p.loc - q.loc) / q.scale) - 1.0 - bnp.log(ratio))


@kl(HalfNormal, HalfNormal)
def _half_normal_half_normal(p: Any, q: Any) -> Any:
    ratio = bnp.square(p.scale / q.scale)
    return 0.5 * (ratio - 1.0 - bnp.log(ratio))


@kl(LogNormal, LogNormal)
def _log_normal_log_normal(p: Any, q: Any) -> Any:
    return _normal_normal(p, q)
