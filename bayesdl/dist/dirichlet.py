"""Dirichlet's distribution."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl import constraints
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from ._base import Distribution, Shape, distribution, parameter
from ._special import digamma, lgamma, xlogy
from .kl import kl

_positive_vector = constraints.independent(constraints.positive, 1)


@distribution
class Dirichlet(Distribution):
    """Dirichlet's distribution of probability vectors.

        log p(x) = Σ (aᵢ − 1) log xᵢ + log Γ(Σ aᵢ) − Σ log Γ(aᵢ)

    Parameters
    ----------
    concentration : Array, shape (..., k)
        aᵢ > 0. Mean a / Σ a; all ones is uniform on the simplex.

    Notes
    -----
    *Support*: the simplex; the density is with respect to the first k − 1 coordinates. *Same as*
    ``scipy.stats.dirichlet(concentration)``.
    """

    concentration: Any = parameter(_positive_vector)

    support = constraints.simplex
    reference = "scipy.stats.dirichlet(concentration)"
    examples = (([1.0, 1.0],), ([2.0, 3.0, 0.5],), ([20.0, 3.0, 4.0, 1.0],))

    @property
    def event_shape(self) -> Shape:
        return (int(np.shape(self.concentration)[-1]),)

    def _log_prob(self, x: Any) -> Any:
        return bnp.sum(xlogy(self.concentration - 1.0, x), -1) - _log_norm(self.concentration)

    def _draw(self, key: Any, shape: Shape) -> Any:
        wide = bnp.broadcast_to(self.concentration, (*shape, *self.event_shape))
        return random.dirichlet(key, wide)

    def _entropy(self) -> Any:
        a = self.concentration
        total = bnp.sum(a, -1)
        inner = bnp.sum((a - 1.0) * digamma(a), -1)
        return _log_norm(a) + (total - float(self.event_shape[0])) * digamma(total) - inner

    def _mean(self) -> Any:
        return self.concentration / bnp.sum(self.concentration, -1, keepdims=True)

    def _variance(self) -> Any:
        mean = self._mean()
        return mean * (1.0 - mean) / (bnp.sum(self.concentration, -1, keepdims=True) + 1.0)


def _log_norm(a: Any) -> Any:
    return bnp.sum(lgamma(a), -1) - lgamma(bnp.sum(a, -1))


@kl(Dirichlet, Dirichlet)
def _dirichlet_dirichlet(p: Any, q: Any) -> Any:
    a, b = p.concentration, q.concentration
    centred = digamma(a) - digamma(bnp.sum(a, -1, keepdims=True))
    return _log_norm(b) - _log_norm(a) + bnp.sum((a - b) * centred, -1)
