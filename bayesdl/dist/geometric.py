"""The geometric distribution."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl import constraints
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from ._base import Distribution, Shape, distribution, parameter
from ._special import log_sigmoid, xlog1py, xlogy
from .bernoulli import failure, success


@distribution
class Geometric(Distribution):
    """Number of failures before the first success.

        log p(k) = log probs + k log(1 − probs)

    Parameters
    ----------
    probs : float or Array, optional
        Probability of success of each trial, in [0, 1].
    logits : float or Array, optional
        log(probs / (1 − probs)). Give one of the two.

    Notes
    -----
    *Support*: {0, 1, …}. *Same as* ``scipy.stats.geom(probs, -1)``: SciPy counts the trials.
    """

    probs: Any = parameter(constraints.unit_interval, default=None)
    logits: Any = parameter(constraints.real, default=None)

    choice_of = ("probs", "logits")
    support = constraints.nonnegative_integer
    reference = "scipy.stats.geom(probs, -1)"
    examples = ((0.3,), (0.9,), {"logits": -1.5})

    def _log_prob(self, x: Any) -> Any:
        if self.probs is None:
            return self.logits - (x + 1.0) * bnp.softplus(self.logits)
        return bnp.log(self.probs) + xlog1py(x, -self.probs)

    def _draw(self, key: Any, shape: Shape) -> Any:
        # A waiting time of whole steps: the floor of an exponential number.
        waited = random.exponential(key, shape, self._dtype) / -self._log_failure()
        return bnp.astype(bnp.floor(waited), np.int64)

    def _cdf(self, x: Any) -> Any:
        return -bnp.expm1((bnp.maximum(bnp.floor(x), -1.0) + 1.0) * self._log_failure())

    def _icdf(self, p: Any) -> Any:
        k = bnp.maximum(bnp.ceil(bnp.log1p(-p) / self._log_failure()) - 1.0, 0.0)
        # A quotient that should be whole may be rounded up.
        below = bnp.logical_and(k > 0.0, self._cdf(k - 1.0) >= p)
        return bnp.where(below, k - 1.0, k)

    def _entropy(self) -> Any:
        one, zero = success(self), failure(self)
        return -(xlogy(zero, zero) + xlogy(one, one)) / one

    def _mean(self) -> Any:
        return failure(self) / success(self)

    def _variance(self) -> Any:
        return failure(self) / bnp.square(success(self))

    def _log_failure(self) -> Any:
        return log_sigmoid(-self.logits) if self.probs is None else bnp.log1p(-self.probs)
