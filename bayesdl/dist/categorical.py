"""One of several classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl import constraints
from bayesdl.constraints import Constraint
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from ._base import Distribution, Shape, distribution, parameter
from ._special import xlogy
from .kl import kl


@distribution
class Categorical(Distribution):
    """Number of the class that was chosen, from 0.

        log p(k) = log probs[k] = logits[k] − log Σ exp logits

    Parameters
    ----------
    probs : Array, shape (..., k), optional
        Probabilities, with sum 1 along the last axis.
    logits : Array, shape (..., k), optional
        Logarithms of probabilities up to a constant. Give one of the two.

    Notes
    -----
    *Support*: {0, …, k − 1}. *Same as* ``scipy.stats.rv_discrete(values=(arange(k), probs))``. Mean
    and variance are those of the number of the class.

    Examples
    --------
    >>> np.exp(Categorical([0.2, 0.8]).log_prob([0, 1])).round(3).tolist()
    [0.2, 0.8]
    """

    probs: Any = parameter(constraints.simplex, default=None)
    logits: Any = parameter(constraints.real_vector, default=None)

    choice_of = ("probs", "logits")
    reference = "scipy.stats.rv_discrete(values=(np.arange(len(probs)), probs))"
    examples = (([0.2, 0.3, 0.5],), ([0.5, 0.5],), {"logits": [0.3, -2.0, 1.0, 0.0]})

    @property
    def support(self) -> Constraint:
        return constraints.integer_interval(0, classes(self) - 1)

    def _log_prob(self, x: Any) -> Any:
        if self.probs is None:
            return _picked(self.logits, x) - bnp.logsumexp(self.logits, -1)
        return bnp.log(_picked(self.probs, x))

    def _draw(self, key: Any, shape: Shape) -> Any:
        return random.categorical(key, log_weights(self), shape)

    def _cdf(self, x: Any) -> Any:
        last = classes(self) - 1
        k = bnp.clip(bnp.floor(x), -1.0, float(last))
        below = _picked(bnp.cumsum(weights(self), -1), bnp.maximum(k, 0.0))
        return bnp.where(k < 0.0, 0.0, bnp.where(k >= float(last), 1.0, below))

    def _icdf(self, p: Any) -> Any:
        steps = bnp.cumsum(weights(self), -1)[..., :-1]
        return bnp.astype(bnp.sum(bnp.expand_dims(p, -1) > steps, -1), self._dtype)

    def _entropy(self) -> Any:
        probs = weights(self)
        return -bnp.sum(xlogy(probs, probs), -1)

    def _mean(self) -> Any:
        return bnp.sum(weights(self) * _numbers(self), -1)

    def _variance(self) -> Any:
        gap = _numbers(self) - bnp.expand_dims(self._mean(), -1)
        return bnp.sum(weights(self) * bnp.square(gap), -1)


def classes(d: Any) -> int:
    """Number of classes of a distribution with `probs` or `logits`."""
    return int(np.shape(d.logits if d.probs is None else d.probs)[-1])


def weights(d: Any) -> Any:
    """Probabilities of the classes."""
    return bnp.softmax(d.logits, -1) if d.probs is None else d.probs


def log_weights(d: Any) -> Any:
    """Logarithms of the probabilities of the classes."""
    return bnp.log_softmax(d.logits, -1) if d.probs is None else bnp.log(d.probs)


def _numbers(d: Any) -> Any:
    return np.arange(classes(d), dtype=d._dtype)


def _picked(table: Any, x: Any) -> Any:
    """table[..., x], where the leading axes of table and x broadcast."""
    index = bnp.astype(x, np.int64)
    lead = np.shape(table)[:-1]
    if not lead:
        return bnp.getitem(table, index)
    shape = bnp.broadcast_shape(lead, np.shape(index))
    table = bnp.broadcast_to(table, (*shape, np.shape(table)[-1]))
    index = bnp.expand_dims(bnp.broadcast_to(index, shape), -1)
    return bnp.take_along_axis(table, index, -1)[..., 0]


@kl(Categorical, Categorical)
def _categorical_categorical(p: Any, q: Any) -> Any:
    probs = weights(p)
    return bnp.sum(xlogy(probs, probs) - xlogy(probs, weights(q)), -1)
