"""Metrics: how a Hamiltonian kernel turns momentum into velocity, and draws a momentum."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random
from bayesdl.ops.structural import dynamic_slice, dynamic_update_slice
from bayesdl.tracing.flow import while_loop

CHUNK = 8
"""Directions that are read at once: what registers hold."""


class Metric(Protocol):
    """The inverse of a mass matrix, M⁻¹: the closer to the posterior covariance, the better.

    Momenta and gradients are *lifted*: they carry, behind their own elements, what the metric needs
    of them, so that M⁻¹ is diagonal there and pᵀ M⁻¹ q = Σ weights · p · q. Sums and multiples of
    lifted vectors are lifted.
    """

    @property
    def weights(self) -> Any:
        """The diagonal of M⁻¹ where it acts on lifted vectors."""
        ...

    def lift(self, vector: Any) -> Any:
        """A momentum or a gradient, shape (dim,), lifted."""
        ...

    def velocity(self, momentum: Any) -> Any:
        """M⁻¹ p, shape (dim,), of a lifted momentum."""
        ...

    def momentum(self, key: Any) -> Any:
        """A lifted momentum from N(0, M)."""
        ...


@dataclass(frozen=True)
class Diagonal(Metric):
    """M⁻¹ = diag(variance); nothing is to be lifted.

    Parameters
    ----------
    variance : Array, shape (dim,)

    Examples
    --------
    >>> import numpy as np
    >>> Diagonal(np.array([4.0, 0.5])).velocity(np.array([1.0, 2.0])).tolist()
    [4.0, 1.0]
    """

    __tree__: ClassVar[bool] = True

    variance: Any

    @property
    def weights(self) -> Any:
        return self.variance

    def lift(self, vector: Any) -> Any:
        return vector

    def velocity(self, momentum: Any) -> Any:
        return self.variance * momentum

    def momentum(self, key: Any) -> Any:
        z = random.normal(key, self.variance.shape, self.variance.dtype)
        return z / bnp.sqrt(self.variance)


@dataclass(frozen=True)
class Stretched(Metric):
    """M⁻¹ = diag(variance) + Dᵀ diag(excess) D: scaled coordinates, stretched along directions.

    A lifted vector is [p, D p]: a leapfrog step then takes one product with D for the gradient, and
    one with Dᵀ for the velocity, and costs what the directions in use cost.

    Parameters
    ----------
    variance : Array, shape (dim,)
        σ².
    directions : Array, shape (rank, dim)
        D = U σ, where the rows of U are orthonormal, or zero.
    excess : Array, shape (rank,)
        λ − 1, where λ is the variance along a row of U after scaling.
    count : Array, shape (), int64
        Only so many of the first directions are in use.

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.zeros((8, 2))
    >>> rows[0] = 0.6, 0.8
    >>> along = Stretched(np.ones(2), rows, np.full(8, 99.0), np.int64(1))
    >>> along.velocity(along.lift(np.array([0.6, 0.8]))).round(6).tolist()
    [60.0, 80.0]
    """

    __tree__: ClassVar[bool] = True

    variance: Any
    directions: Any
    excess: Any
    count: Any

    @property
    def weights(self) -> Any:
        return bnp.concatenate([self.variance, self.excess])

    def lift(self, vector: Any) -> Any:
        return bnp.concatenate([vector, self._along(vector)])

    def velocity(self, momentum: Any) -> Any:
        dim = self.variance.shape[0]
        return self._sum(self.variance * momentum[:dim], self.excess * momentum[dim:])

    def momentum(self, key: Any) -> Any:
        z = random.normal(key, self.variance.shape, self.variance.dtype)
        scale, shrunk = bnp.sqrt(self.variance), 1.0 / bnp.sqrt(1.0 + self.excess)
        along = self._along(z / scale)
        own = (z + self._sum(bnp.zeros_like(z), (shrunk - 1.0) * along) / scale) / scale
        return bnp.concatenate([own, shrunk * along])

    def _along(self, vector: Any) -> Any:
        """D v, zero beyond the directions in use."""

        def turn(carry: tuple[Any, Any]) -> tuple[Any, Any]:
            at, found = carry
            return at + CHUNK, dynamic_update_slice(found, self._rows(at) @ vector, at)

        return self._each_chunk(turn, bnp.zeros_like(self.excess))

    def _sum(self, start: Any, factors: Any) -> Any:
        """A vector and Dᵀ f."""

        def turn(carry: tuple[Any, Any]) -> tuple[Any, Any]:
            at, total = carry
            return at + CHUNK, total + dynamic_slice(factors, at, sizes=(CHUNK,)) @ self._rows(at)

        return self._each_chunk(turn, start)

    def _rows(self, at: Any) -> Any:
        dim = self.variance.shape[0]
        return dynamic_slice(self.directions, at, np.int64(0), sizes=(CHUNK, dim))

    def _each_chunk(self, turn: Any, start: Any) -> Any:
        return while_loop(lambda carry: carry[0] < self.count, turn, (np.int64(0), start))[1]
