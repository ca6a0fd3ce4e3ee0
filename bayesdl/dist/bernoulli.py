"""One trial."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl import constraints
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from ._base import Distribution, Shape, distribution, parameter
from ._special import xlog1py, xlogy
from .kl import kl


@distribution
class Bernoulli(Distribution):
    """Success (1) or failure (0).

        log p(1) = log probs,   log p(0) = log(1 − probs);   x logits − log(1 + e^logits)

    Parameters
    ----------
    probs : float or Array, optional
        Probability of success, in [0, 1].
    logits : float or Array, optional
        log(probs / (1 − probs)), on the real line. Give one of the two.

    Notes
    -----
    *Support*: {0, 1}, as booleans, integers or floats. *Same as* ``scipy.stats.bernoulli(probs)``.

    Examples
    --------
    >>> Bernoulli(logits=0.0).log_prob([0, 1]).round(4).tolist()
    [-0.6931, -0.6931]
    """

    probs: Any = parameter(constraints.unit_interval, default=None)
    logits: Any = parameter(constraints.real, default=None)

    choice_of = ("probs", "logits")
    support = constraints.boolean
    reference = "scipy.stats.bernoulli(probs)"
    examples = ((0.3,), (0.99,), {"logits": -1.5})

    def _log_prob(self, x: Any) -> Any:
        if self.probs is None:
            return x * self.logits - bnp.softplus(self.logits)
        return xlogy(x, self.probs) + xlog1py(1.0 - x, -self.probs)

    def _draw(self, key: Any, shape: Shape) -> Any:
        return bnp.astype(random.bernoulli(key, success(self), shape), np.int64)

    def _cdf(self, x: Any) -> Any:
        return bnp.where(x < 0.0, 0.0, bnp.where(x < 1.0, 1.0 - success(self), 1.0))

    def _icdf(self, p: Any) -> Any:
        return bnp.where(p <= 1.0 - success(self), 0.0, 1.0)

    def _entropy(self) -> Any:
        if self.probs is None:
            return bnp.softplus(self.logits) - self.logits * bnp.sigmoid(self.logits)
        return -xlogy(self.probs, self.probs) - xlog1py(1.0 - self.probs, -self.probs)

    def _mean(self) -> Any:
        return success(self)

    def _variance(self) -> Any:
        return success(self) * failure(self)


def success(d: Any) -> Any:
    """Probability of success of a distribution with `probs` or `logits`."""
    return bnp.sigmoid(d.logits) if d.probs is None else d.probs


def failure(d: Any) -> Any:
    """Probability of failure; small ones are exact where logits were given."""
    return bnp.sigmoid(-d.logits) if d.probs is None else 1.0 - d.probs


@kl(Bernoulli, Bernoulli)
def _bernoulli_bernoulli(p: Any, q: Any) -> Any:
    one, zero = success(p), failure(p)
    hit = xlogy(one, one) - xlogy(one, success(q))
    return hit + xlogy(zero, zero) - xlogy(zero, failure(q))
