"""The beta distribution."""

from __future__ import annotations

from typing import Any

from bayesdl import constraints
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from ._base import Distribution, Shape, distribution, parameter
from ._special import betainc, betaln, digamma, xlog1py, xlogy
from .kl import kl


@distribution
class Beta(Distribution):
    """Beta distribution on the unit interval.

        log p(x) = (a − 1) log x + (b − 1) log(1 − x) − log B(a, b)

    Parameters
    ----------
    concentration1, concentration0 : float or Array
        a, b > 0: imagined successes and failures. Mean a / (a + b).

    Notes
    -----
    *Support*: [0, 1]; at an end the density is its limit, which may be infinite. *Same as*
    ``scipy.stats.beta(concentration1, concentration0)``.
    """

    concentration1: Any = parameter(constraints.positive)
    concentration0: Any = parameter(constraints.positive)

    support = constraints.unit_interval
    reference = "scipy.stats.beta(concentration1, concentration0)"
    examples = ((5.0, 5.0), (1.0, 1.0), (0.5, 2.0), (80.0, 3.0))

    def _log_prob(self, x: Any) -> Any:
        a, b = self.concentration1, self.concentration0
        return xlogy(a - 1.0, x) + xlog1py(b - 1.0, -x) - betaln(a, b)

    def _draw(self, key: Any, shape: Shape) -> Any:
        return random.beta(key, self.concentration1, self.concentration0, shape)

    def _cdf(self, x: Any) -> Any:
        return betainc(self.concentration1, self.concentration0, bnp.clip(x, 0.0, 1.0))

    def _entropy(self) -> Any:
        a, b = self.concentration1, self.concentration0
        mixed = (a - 1.0) * digamma(a) + (b - 1.0) * digamma(b) - (a + b - 2.0) * digamma(a + b)
        return betaln(a, b) - mixed

    def _mean(self) -> Any:
        return self.concentration1 / (self.concentration1 + self.concentration0)

    def _variance(self) -> Any:
        total = self.concentration1 + self.concentration0
        return self.concentration1 * self.concentration0 / (bnp.square(total) * (total + 1.0))


@kl(Beta, Beta)
def _beta_beta(p: Any, q: Any) -> Any:
    one, zero = p.concentration1 - q.concentration1, p.concentration0 - q.concentration0
    both = digamma(p.concentration1 + p.concentration0)
    gap = betaln(q.concentration1, q.concentration0) - betaln(p.concentration1, p.concentration0)
    return (
        gap
        + one * digamma(p.concentration1)
        + zero * digamma(p.concentration0)
        - (one + zero) * both
    )
