"""The asymmetric Laplace distribution, whose mode is a chosen quantile."""

from __future__ import annotations

from typing import Any

from bayesdl import constraints
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from ._base import Distribution, Shape, distribution, parameter


@distribution
class AsymmetricLaplace(Distribution):
    """Exponential tails on both sides of `loc`, which a share `level` of the mass lies below.

        log p(x) = −ρ((x − loc) / scale) + log level (1 − level) / scale,
        ρ(z) = max(level z, (level − 1) z)

    The most likely `loc` of a sample is its quantile at `level`.

    Parameters
    ----------
    loc : float or Array
        Mode, and quantile at `level`.
    scale : float or Array
        > 0.
    level : float or Array
        In (0, 1).

    Notes
    -----
    *Support*: (−∞, ∞). *Same as* ``scipy.stats.laplace_asymmetric(κ, loc, scale / √(q (1 − q)))``
    with q = level and κ² = q / (1 − q).

    References
    ----------
    Yu & Moyeed (2001), Bayesian quantile regression, section 2.

    Examples
    --------
    >>> round(float(AsymmetricLaplace(3.0, 0.5, 0.9).cdf(3.0)), 6)
    0.9
    """

    loc: Any = parameter(constraints.real)
    scale: Any = parameter(constraints.positive)
    level: Any = parameter(constraints.unit_interval)

    support = constraints.real
    reference = (
        "scipy.stats.laplace_asymmetric("
        "np.sqrt(level / (1 - level)), loc, scale / np.sqrt(level * (1 - level)))"
    )
    examples = ((0.0, 1.0, 0.5), (-3.0, 0.2, 0.9))

    def _log_prob(self, x: Any) -> Any:
        z = (x - self.loc) / self.scale
        loss = bnp.maximum(self.level * z, (self.level - 1.0) * z)
        return bnp.log(self.level * (1.0 - self.level) / self.scale) - loss

    def _draw(self, key: Any, shape: Shape) -> Any:
        return self._icdf(random.uniform(key, shape, self._dtype))

    def _cdf(self, x: Any) -> Any:
        z = (x - self.loc) / self.scale
        below = self.level * bnp.exp((1.0 - self.level) * bnp.minimum(z, 0.0))
        above = (1.0 - self.level) * bnp.exp(-self.level * bnp.maximum(z, 0.0))
        return bnp.where(z < 0.0, below, 1.0 - above)

    def _icdf(self, p: Any) -> Any:
        low = p < self.level
        left = bnp.log(bnp.where(low, p, self.level) / self.level) / (1.0 - self.level)
        right = bnp.log(bnp.where(low, 1.0 - self.level, 1.0 - p) / (1.0 - self.level))
        return self.loc + self.scale * bnp.where(low, left, -right / self.level)

    def _entropy(self) -> Any:
        return 1.0 + bnp.log(self.scale / (self.level * (1.0 - self.level)))

    def _mean(self) -> Any:
        q = self.level
        return self.loc + self.scale * (1.0 - 2.0 * q) / (q * (1.0 - q))

    def _variance(self) -> Any:
        q = self.level
        return bnp.square(self.scale / (q * (1.0 - q))) * (1.0 - 2.0 * q + 2.0 * q * q)
