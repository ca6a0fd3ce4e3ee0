"""The negative binomial distribution."""

from __future__ import annotations

from typing import Any

from bayesdl import constraints
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from ._base import Distribution, Shape, distribution, parameter
from ._special import betainc, lgamma, xlogy


@distribution
class NegativeBinomial(Distribution):
    """Poisson counts whose rate was drawn from a gamma distribution: counts with overdispersion.

        log p(k) = log Γ(k + c) − log Γ(c) − log k! − c log(1 + rate / c) + k log(rate / (c + rate))

    Parameters
    ----------
    rate : float or Array
        Expected number, ≥ 0, as for `Poisson`.
    concentration : float or Array
        c > 0, of the gamma distribution; the variance is rate + rate² / c, and c → ∞ is `Poisson`.

    Notes
    -----
    *Support*: {0, 1, …}. *Parametrisation*: failures before the c-th success of trials with
    probability of success c / (c + rate), so *same as* ``scipy.stats.nbinom(c, c / (c + rate))``;
    Stan's `neg_binomial_2` and PyMC's ``(mu, alpha)`` are ``(rate, concentration)``.
    """

    rate: Any = parameter(constraints.nonnegative)
    concentration: Any = parameter(constraints.positive)

    support = constraints.nonnegative_integer
    reference = "scipy.stats.nbinom(concentration, concentration / (concentration + rate))"
    examples = ((3.0, 2.0), (0.2, 0.5), (50.0, 20.0))

    def _log_prob(self, x: Any) -> Any:
        c, rate = self.concentration, self.rate
        ways = lgamma(x + c) - lgamma(c) - lgamma(x + 1.0)
        return ways - c * bnp.log1p(rate / c) + xlogy(x, rate / (c + rate))

    def _draw(self, key: Any, shape: Shape) -> Any:
        keys = random.split(key)
        rate = random.gamma(keys[0], self.concentration, shape) * (self.rate / self.concentration)
        return random.poisson(keys[1], rate, shape)

    def _cdf(self, x: Any) -> Any:
        k, c = bnp.floor(x), self.concentration
        below = betainc(c, bnp.maximum(k, 0.0) + 1.0, c / (c + self.rate))
        return bnp.where(k < 0.0, 0.0, below)

    def _mean(self) -> Any:
        return self.rate

    def _variance(self) -> Any:
        return self.rate + bnp.square(self.rate) / self.concentration
