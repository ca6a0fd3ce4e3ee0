"""Distribution of correlation matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl import constraints
from bayesdl.ops import linalg, random
from bayesdl.ops import numpy as bnp

from ._base import Distribution, Shape, distribution, parameter
from ._special import LOG_PI, lgamma


@distribution
class LKJCholesky(Distribution):
    """Cholesky factor L of a correlation matrix R = L Lᵀ with density ∝ det(R)^(concentration − 1).

        log p(L) = Σᵢ (k − i + 2η − 2) log Lᵢᵢ − log c(k, η),   i = 2 … k, η = concentration

    Parameters
    ----------
    dimension : int
        k ≥ 1, rows of the matrix.
    concentration : float or Array, default 1
        η > 0; 1 is uniform over correlation matrices, larger values draw them to the identity.

    Notes
    -----
    *Support*: lower triangular matrices with rows of length 1 and a positive diagonal; the density
    is with respect to the entries below the diagonal. A correlation rᵢⱼ has mean 0 and variance
    1 / (2 η + k − 1).

    References
    ----------
    Lewandowski, Kurowicka, Joe (2009), Generating random correlation matrices based on vines and
    extended onion method, sections 2 and 3.
    """

    dimension: int
    concentration: Any = parameter(constraints.positive, default=1.0)

    support = constraints.corr_cholesky
    examples = ((2, 1.0), (3, 2.0), (4, 0.5))

    @property
    def event_shape(self) -> Shape:
        return (self.dimension, self.dimension)

    def _log_prob(self, x: Any) -> Any:
        k = self.dimension
        eta = bnp.expand_dims(self.concentration, -1)
        powers = np.arange(k - 2, -1, -1, dtype=self._dtype) + 2.0 * (eta - 1.0)
        diagonal = bnp.log(linalg.diagonal_of(x)[..., 1:])
        return bnp.sum(powers * diagonal, -1) - self._log_norm()

    def _log_norm(self) -> Any:
        """Of the factor: the determinant of L ↦ R is part of the powers of the diagonal."""
        k, eta = self.dimension, self.concentration
        total = 0.0 * eta
        for i in range(1, k):
            # Row i + 1 has i free entries: an integral over the unit ball.
            power = eta + 0.5 * (k - 1 - i)
            total = total + 0.5 * i * LOG_PI + lgamma(power) - lgamma(power + 0.5 * i)
        return total

    def _draw(self, key: Any, shape: Shape) -> Any:
        k = self.dimension
        keys = random.split(key)
        directions = random.normal(keys[0], (*shape, k, k), self._dtype)
        below = np.tri(k, k, -1, dtype=bool)
        directions = bnp.where(below, directions, 0.0)
        lengths = bnp.sqrt(bnp.sum(bnp.square(directions), -1, keepdims=True))
        rows = np.arange(1, k, dtype=self._dtype)
        power = bnp.expand_dims(self.concentration, -1) + 0.5 * (k - 1 - rows)
        squared = random.beta(keys[1], 0.5 * rows, power, (*shape, k - 1))
        squared = bnp.concatenate([bnp.zeros((*shape, 1), self._dtype), squared], -1)
        share = bnp.sqrt(bnp.expand_dims(squared, -1)) / bnp.where(lengths > 0.0, lengths, 1.0)
        diagonal = bnp.sqrt(1.0 - squared)
        on = np.eye(k, dtype=bool)
        return bnp.where(on, bnp.expand_dims(diagonal, -1), directions * share)
