"""Successes in a number of trials."""

from __future__ import annotations

from typing import Any

from bayesdl import constraints
from bayesdl.constraints import Constraint
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from ._base import Distribution, Shape, distribution, parameter
from ._special import betainc, betaln, log_choose, xlog1py, xlogy
from .bernoulli import failure, success


@distribution
class Binomial(Distribution):
    """Number of successes in independent trials.

        log p(k) = log n! / (k! (n − k)!) + k log probs + (n − k) log(1 − probs),   n = total_count

    Parameters
    ----------
    total_count : int or Array
        Number of trials n ≥ 0.
    probs : float or Array, optional
        Probability of success, in [0, 1].
    logits : float or Array, optional
        log(probs / (1 − probs)). Give one of the two.

    Notes
    -----
    *Support*: {0, …, total_count}. *Same as* ``scipy.stats.binom(total_count, probs)``.
    """

    total_count: Any = parameter(constraints.nonnegative_integer)
    probs: Any = parameter(constraints.unit_interval, default=None)
    logits: Any = parameter(constraints.real, default=None)

    choice_of = ("probs", "logits")
    reference = "scipy.stats.binom(total_count, probs)"
    examples = ((10, 0.3), (1, 0.99), (200, 0.5), {"total_count": 30, "logits": -1.5})

    @property
    def support(self) -> Constraint:
        return constraints.integer_interval(0, self.total_count)

    def _log_prob(self, x: Any) -> Any:
        n = self.total_count
        if self.probs is None:
            return log_choose(n, x) + x * self.logits - n * bnp.softplus(self.logits)
        return log_choose(n, x) + xlogy(x, self.probs) + xlog1py(n - x, -self.probs)

    def _draw(self, key: Any, shape: Shape) -> Any:
        return random.binomial(key, self.total_count, success(self), shape)

    def _cdf(self, x: Any) -> Any:
        k, n = bnp.floor(x), self.total_count
        inside = bnp.logical_and(k >= 0.0, k < n)
        k_safe, n_safe = bnp.where(inside, k, 0.0), bnp.where(inside, n, 1.0)
        below = betainc(n_safe - k_safe, k_safe + 1.0, failure(self))
        return bnp.where(inside, below, bnp.where(k < 0.0, 0.0, 1.0))

    def _mean(self) -> Any:
        return self.total_count * success(self)

    def _variance(self) -> Any:
        return self.total_count * success(self) * failure(self)


@distribution
class BetaBinomial(Distribution):
    """Number of successes in trials whose probability of success is a beta number.

        log p(k) = log n! / (k! (n − k)!) + log B(k + a, n − k + b) − log B(a, b)

    Parameters
    ----------
    total_count : int or Array
        Number of trials n ≥ 0.
    concentration1, concentration0 : float or Array
        a, b > 0 of the beta distribution.

    Notes
    -----
    *Support*: {0, …, total_count}. *Same as* ``scipy.stats.betabinom(total_count, a, b)``.
    """

    total_count: Any = parameter(constraints.nonnegative_integer)
    concentration1: Any = parameter(constraints.positive)
    concentration0: Any = parameter(constraints.positive)

    reference = "scipy.stats.betabinom(total_count, concentration1, concentration0)"
    examples = ((10, 2.0, 3.0), (1, 0.5, 0.5), (50, 20.0, 4.0))

    @property
    def support(self) -> Constraint:
        return constraints.integer_interval(0, self.total_count)

    def _log_prob(self, x: Any) -> Any:
        n, a, b = self.total_count, self.concentration1, self.concentration0
        return log_choose(n, x) + betaln(x + a, n - x + b) - betaln(a, b)

    def _draw(self, key: Any, shape: Shape) -> Any:
        keys = random.split(key)
        probs = random.beta(keys[0], self.concentration1, self.concentration0, shape)
        return random.binomial(keys[1], self.total_count, probs, shape)

    def _mean(self) -> Any:
        a, b = self.concentration1, self.concentration0
        return self.total_count * a / (a + b)

    def _variance(self) -> Any:
        n, a, b = self.total_count, self.concentration1, self.concentration0
        total = a + b
        return n * a * b * (total + n) / (bnp.square(total) * (total + 1.0))
