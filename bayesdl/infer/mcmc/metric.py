"""Metrics: the coordinates in which a Hamiltonian kernel sees its target round."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.ops.structural import dynamic_slice
from bayesdl.tracing.flow import cond, while_loop

CHUNK = 8
"""Directions that are read at once: what registers hold."""


class Metric(Protocol):
    """A root of the inverse mass, M⁻¹ = L Lᵀ: the closer to the posterior covariance, the better.

    Momenta and gradients are *scaled*: a kernel keeps Lᵀ p and Lᵀ ∇ log π. Scaled momenta are
    standard normal, their energy is half their square, and the mass appears nowhere else.
    """

    def scaled(self, gradient: Any) -> Any:
        """Lᵀ g, shape (dim,)."""
        ...

    def velocity(self, momentum: Any) -> Any:
        """L p, shape (dim,), of a scaled momentum."""
        ...


@dataclass(frozen=True)
class Diagonal(Metric):
    """L = diag(scale).

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

    def scaled(self, gradient: Any) -> Any:
        return self.scale * gradient

    def velocity(self, momentum: Any) -> Any:
        return self.scale * momentum


@dataclass(frozen=True)
class Turned(Metric):
    """L = diag(scale) R: scaled coordinates, stretched along directions, as one square matrix.

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

    def scaled(self, gradient: Any) -> Any:
        return self._stretched(self.scale * gradient)

    def velocity(self, momentum: Any) -> Any:
        return self.scale * self._stretched(momentum)

    def _stretched(self, vector: Any) -> Any:
        return cond(self.in_use, lambda v: self.root @ v, lambda v: v, vector)


@dataclass(frozen=True)
class Stretched(Metric):
    """L = diag(scale) (1 + Uᵀ diag(excess) U): the same by its directions, where these are few.

    Parameters
    ----------
    scale : Array, shape (dim,)
    directions : Array, shape (rank, dim)
        U, whose rows are orthonormal, or zero.
    excess : Array, shape (rank,)
        √λ − 1, where λ is the variance along a row of U after scaling.
    count : Array, shape (), int64
        Only so many of the first directions are in use.

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.zeros((8, 2))
    >>> rows[0] = 0.6, 0.8
    >>> along = Stretched(np.ones(2), rows, np.full(8, 9.0), np.int64(1))
    >>> along.velocity(np.array([0.6, 0.8])).round(6).tolist()
    [6.0, 8.0]
    """

    __tree__: ClassVar[bool] = True

    scale: Any
    directions: Any
    excess: Any
    count: Any

    def scaled(self, gradient: Any) -> Any:
        return self._stretched(self.scale * gradient)

    def velocity(self, momentum: Any) -> Any:
        return self.scale * self._stretched(momentum)

    def _stretched(self, vector: Any) -> Any:
        size = self.directions.shape[1]

        def turn(carry: tuple[Any, Any]) -> tuple[Any, Any]:
            at, total = carry
            rows = dynamic_slice(self.directions, at, np.int64(0), sizes=(CHUNK, size))
            along = dynamic_slice(self.excess, at, sizes=(CHUNK,)) * (rows @ vector)
            return at + CHUNK, total + along @ rows

        return while_loop(lambda carry: carry[0] < self.count, turn, (np.int64(0), vector))[1]
