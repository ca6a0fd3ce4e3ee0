"""Metrics: how a Hamiltonian kernel turns momentum into velocity, and draws a momentum."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random
from bayesdl.ops.structural import dynamic_slice, dynamic_update_slice
from bayesdl.tracing.flow import cond, while_loop

CHUNK = 8
"""Directions that are read at once: what registers hold."""


class Metric(Protocol):
    """The inverse of a mass matrix, M⁻¹: the closer to the posterior covariance, the better.

    Momenta and gradients are *scaled*: kernels keep them in coordinates where M⁻¹ is diagonal, of
    which there may be more than positions have. Sums and multiples of scaled vectors are scaled.
    """

    @property
    def weights(self) -> Any:
        """The diagonal of M⁻¹ where it acts on scaled vectors: pᵀ M⁻¹ q = Σ weights · p · q."""
        ...

    def scaled(self, gradient: Any) -> Any:
        """A gradient, shape (dim,), scaled."""
        ...

    def velocity(self, momentum: Any) -> Any:
        """M⁻¹ p, shape (dim,), of a scaled momentum."""
        ...

    def momentum(self, key: Any) -> Any:
        """A scaled momentum from N(0, M)."""
        ...


@dataclass(frozen=True)
class Diagonal(Metric):
    """M⁻¹ = L Lᵀ with L = diag(scale); Lᵀ p is scaled, and standard normal.

    Parameters
    ----------
    scale : Array, shape (dim,)

    Examples
    --------
    >>> import numpy as np
    >>> Diagonal(np.array([2.0, 0.5])).velocity(np.array([1.0, 2.0])).tolist()
    [2.0, 1.0]
    """

    __tree__: ClassVar[bool] = True

    scale: Any

    @property
    def weights(self) -> float:
        return 1.0

    def scaled(self, gradient: Any) -> Any:
        return self.scale * gradient

    def velocity(self, momentum: Any) -> Any:
        return self.scale * momentum

    def momentum(self, key: Any) -> Any:
        return random.normal(key, self.scale.shape, self.scale.dtype)


@dataclass(frozen=True)
class Turned(Metric):
    """M⁻¹ = L Lᵀ with L = diag(scale) R: stretched along directions, as one square matrix.

    Parameters
    ----------
    scale : Array, shape (dim,)
    root : Array, shape (dim, dim)
        R, symmetric.
    in_use : Array, shape (), bool
        Whether R is anything but the identity; if not, it costs nothing.
    """

    __tree__: ClassVar[bool] = True

    scale: Any
    root: Any
    in_use: Any

    @property
    def weights(self) -> float:
        return 1.0

    def scaled(self, gradient: Any) -> Any:
        return self._stretched(self.scale * gradient)

    def velocity(self, momentum: Any) -> Any:
        return self.scale * self._stretched(momentum)

    def momentum(self, key: Any) -> Any:
        return random.normal(key, self.scale.shape, self.scale.dtype)

    def _stretched(self, vector: Any) -> Any:
        return cond(self.in_use, lambda v: self.root @ v, lambda v: v, vector)


@dataclass(frozen=True)
class Stretched(Metric):
    """M⁻¹ = diag(scale) (1 + Uᵀ diag(excess) U) diag(scale): the same where directions are few.

    With q = scale · p, a scaled vector is [q, U q]: a leapfrog step then takes one product with U
    for the gradient and one with Uᵀ for the velocity, where a root would take two of each.

    Parameters
    ----------
    scale : Array, shape (dim,)
    directions : Array, shape (rank, dim)
        U, whose rows are orthonormal, or zero.
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
    >>> along.velocity(along.scaled(np.array([0.6, 0.8]))).round(6).tolist()
    [60.0, 80.0]
    """

    __tree__: ClassVar[bool] = True

    scale: Any
    directions: Any
    excess: Any
    count: Any

    @property
    def weights(self) -> Any:
        return bnp.concatenate([bnp.ones_like(self.scale), self.excess])

    def scaled(self, gradient: Any) -> Any:
        own = self.scale * gradient
        return bnp.concatenate([own, self._along(own)])

    def velocity(self, momentum: Any) -> Any:
        dim = self.scale.shape[0]
        return self.scale * self._sum(momentum[:dim], self.excess * momentum[dim:])

    def momentum(self, key: Any) -> Any:
        z = random.normal(key, self.scale.shape, self.scale.dtype)
        along, shrunk = self._along(z), 1.0 / bnp.sqrt(1.0 + self.excess)
        return bnp.concatenate([self._sum(z, (shrunk - 1.0) * along), shrunk * along])

    def _along(self, vector: Any) -> Any:
        """U v, zero beyond the directions in use."""

        def turn(carry: tuple[Any, Any]) -> tuple[Any, Any]:
            at, found = carry
            return at + CHUNK, dynamic_update_slice(found, self._rows(at) @ vector, at)

        return self._each_chunk(turn, bnp.zeros_like(self.excess))

    def _sum(self, start: Any, factors: Any) -> Any:
        """A vector and Uᵀ f."""

        def turn(carry: tuple[Any, Any]) -> tuple[Any, Any]:
            at, total = carry
            return at + CHUNK, total + dynamic_slice(factors, at, sizes=(CHUNK,)) @ self._rows(at)

        return self._each_chunk(turn, start)

    def _rows(self, at: Any) -> Any:
        dim = self.scale.shape[0]
        return dynamic_slice(self.directions, at, np.int64(0), sizes=(CHUNK, dim))

    def _each_chunk(self, turn: Any, start: Any) -> Any:
        return while_loop(lambda carry: carry[0] < self.count, turn, (np.int64(0), start))[1]
