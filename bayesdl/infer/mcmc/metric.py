"""Metrics: how a Hamiltonian kernel turns momentum into velocity, and draws a momentum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from bayesdl.ops import numpy as bnp
from bayesdl.ops import random


class Metric(Protocol):
    """The inverse of a mass matrix, M⁻¹: the closer to the posterior covariance, the better."""

    def velocity(self, momentum: Any) -> Any:
        """M⁻¹ p, shape (dim,)."""
        ...

    def momentum(self, key: Any) -> Any:
        """A momentum from N(0, M), shape (dim,)."""
        ...


@dataclass(frozen=True)
class Diagonal(Metric):
    """M⁻¹ = diag(variance).

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

    def velocity(self, momentum: Any) -> Any:
        return self.variance * momentum

    def momentum(self, key: Any) -> Any:
        z = random.normal(key, self.variance.shape, self.variance.dtype)
        return z / bnp.sqrt(self.variance)


@dataclass(frozen=True)
class Stretched(Metric):
    """M⁻¹ = diag(variance) + B diag(excess) Bᵀ: scaled coordinates, stretched along directions.

    Parameters
    ----------
    variance : Array, shape (dim,)
        σ².
    basis : Array, shape (dim, rank)
        B = σ U, where the columns of U are orthonormal.
    excess : Array, shape (rank,)
        λ − 1, where λ is the variance along a column of U after scaling.

    Examples
    --------
    >>> import numpy as np
    >>> along = Stretched(np.ones(2), np.array([[0.6], [0.8]]), np.array([99.0]))
    >>> along.velocity(np.array([0.6, 0.8])).round(6).tolist()
    [60.0, 80.0]
    """

    __tree__: ClassVar[bool] = True

    variance: Any
    basis: Any
    excess: Any

    def velocity(self, momentum: Any) -> Any:
        along = self.excess * (self.basis.T @ momentum)
        return self.variance * momentum + self.basis @ along

    def momentum(self, key: Any) -> Any:
        z = random.normal(key, self.variance.shape, self.variance.dtype)
        scale = bnp.sqrt(self.variance)
        shrunk = (1.0 / bnp.sqrt(1.0 + self.excess) - 1.0) * (self.basis.T @ (z / scale))
        return (z + (self.basis @ shrunk) / scale) / scale
