"""The uniform distribution on an interval."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl import constraints
from bayesdl._base.errors import ArgumentError
from bayesdl._base.source import user_source
from bayesdl.constraints import Constraint
from bayesdl.ir.builder import Handle
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from ._base import Distribution, Shape, distribution, parameter
from ._check import printed
from .kl import kl


@distribution
class Uniform(Distribution):
    """Uniform distribution on an interval.

        log p(x) = −log(high − low)

    Parameters
    ----------
    low, high : float or Array
        Ends of the interval, low < high.

    Notes
    -----
    *Support*: [low, high]. *Same as* ``scipy.stats.uniform(low, high − low)``.
    """

    low: Any = parameter(constraints.real, default=0.0)
    high: Any = parameter(constraints.real, default=1.0)

    reference = "scipy.stats.uniform(low, high - low)"
    examples = ((0.0, 1.0), (-3.0, 0.2), (10.0, 10.5))

    @property
    def support(self) -> Constraint:
        return constraints.interval(self.low, self.high)

    def _check(self) -> None:
        if isinstance(self.low, Handle) or isinstance(self.high, Handle):
            return
        if not np.all(np.less(self.low, self.high)):
            raise ArgumentError(
                "Uniform needs low < high.",
                facts=[("low", printed(self.low)), ("high", printed(self.high))],
                fix="swap the two, or look for equal bounds.",
                where=user_source(),
                code="D101",
            )

    def _log_prob(self, x: Any) -> Any:
        return -bnp.log(self.high - self.low)

    def _draw(self, key: Any, shape: Shape) -> Any:
        return self._icdf(random.uniform(key, shape, self._dtype))

    def _cdf(self, x: Any) -> Any:
        return bnp.clip((x - self.low) / (self.high - self.low), 0.0, 1.0)

    def _icdf(self, p: Any) -> Any:
        return self.low + (self.high - self.low) * p

    def _entropy(self) -> Any:
        return bnp.log(self.high - self.low)

    def _mean(self) -> Any:
        return 0.5 * (self.low + self.high)

    def _variance(self) -> Any:
        return bnp.square(self.high - self.low) / 12.0


@kl(Uniform, Uniform)
def _uniform_uniform(p: Any, q: Any) -> Any:
    inside = bnp.logical_and(p.low >= q.low, p.high <= q.high)
    return bnp.where(inside, bnp.log((q.high - q.low) / (p.high - p.low)), np.inf)
