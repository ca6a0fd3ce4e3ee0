"""Counts of several classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl import constraints
from bayesdl.constraints import Constraint
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random
from bayesdl.tracing.flow import scan

from ._base import Distribution, Shape, distribution, parameter
from ._special import lgamma, xlogy
from .categorical import classes, log_weights, weights


@distribution
class Multinomial(Distribution):
    """How often each class was chosen in a number of independent trials.

        log p(x) = log n! − Σ log xᵢ! + Σ xᵢ log probsᵢ,   n = total_count

    Parameters
    ----------
    total_count : int or Array
        Number of trials n ≥ 0.
    probs : Array, shape (..., k), optional
        Probabilities, with sum 1 along the last axis.
    logits : Array, shape (..., k), optional
        Logarithms of probabilities up to a constant. Give one of the two.

    Notes
    -----
    *Support*: vectors of k counts with sum n. *Same as* ``scipy.stats.multinomial(total_count,
    probs)``.
    """

    total_count: Any = parameter(constraints.nonnegative_integer)
    probs: Any = parameter(constraints.simplex, default=None)
    logits: Any = parameter(constraints.real_vector, default=None)

    choice_of = ("probs", "logits")
    reference = "scipy.stats.multinomial(total_count, probs)"
    examples = (
        (10, [0.2, 0.3, 0.5]),
        (1, [0.5, 0.5]),
        {"total_count": 6, "logits": [0.3, -2.0, 1.0]},
    )

    @property
    def support(self) -> Constraint:
        return constraints.counts(self.total_count)

    @property
    def event_shape(self) -> Shape:
        return (classes(self),)

    def _log_prob(self, x: Any) -> Any:
        chosen = x * log_weights(self) if self.probs is None else xlogy(x, self.probs)
        return lgamma(self.total_count + 1.0) + bnp.sum(chosen - lgamma(x + 1.0), -1)

    def _draw(self, key: Any, shape: Shape) -> Any:
        k = classes(self)
        probs = bnp.moveaxis(bnp.broadcast_to(weights(self), (*shape, k)), -1, 0)
        # Of what is left after class i, the share that class i takes is binomial.
        after = bnp.flip(bnp.cumsum(bnp.flip(probs, 0), 0), 0)
        share = bnp.clip(probs / bnp.where(after > 0.0, after, 1.0), 0.0, 1.0)
        left = bnp.broadcast_to(bnp.astype(self.total_count, np.int64), shape)

        def step(left: Any, given: Any) -> tuple[Any, Any]:
            key, share = given
            count = random.binomial(key, bnp.astype(left, share.dtype), share, shape)
            return left - count, count

        rest, counts = (
            scan(step, left, (random.split(key, k - 1), share[:-1])) if k > 1 else (left, None)
        )
        last = bnp.expand_dims(rest, -1)
        return last if counts is None else bnp.concatenate([bnp.moveaxis(counts, 0, -1), last], -1)

    def _mean(self) -> Any:
        return bnp.expand_dims(self.total_count, -1) * weights(self)

    def _variance(self) -> Any:
        probs = weights(self)
        return bnp.expand_dims(self.total_count, -1) * probs * (1.0 - probs)
