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
class Diagonal:
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
