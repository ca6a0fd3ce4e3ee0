"""Sets of vectors and matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.bijectors import Bijector
from bayesdl.ops import numpy as bnp
from bayesdl.ops.linalg import cholesky

from ._base import Constraint, no_bijector

# How far sums and lengths that must be 1 may be off: float32 data beside float64 parameters pass.
_SLACK = {np.dtype(np.float64): 1e-6, np.dtype(np.float32): 1e-3}


@dataclass(frozen=True, repr=False, eq=False)
class Arrays(Constraint):
    """Vectors or matrices with a property, named after it."""

    name: str
    axes: int
    test: Callable[[Any], Any]
    coordinates: Bijector | None

    @property
    def event_ndim(self) -> int:  # type: ignore[override]
        """Number of axes of one value."""
        return self.axes

    def contains(self, value: Any) -> Any:
        return self.test(bnp.asarray(value))

    @property
    def bijector(self) -> Bijector:
        if self.coordinates is None:
            raise no_bijector(self, "use a Cholesky factor (covariance_cholesky) in its place.")
        return self.coordinates


def _slack(x: Any) -> float:
    return _SLACK.get(x.dtype, 0.0)


def finite(x: Any) -> Any:
    """Vectors of finite numbers."""
    return bnp.all(bnp.isfinite(x), -1)


def on_simplex(x: Any) -> Any:
    """Vectors that are not negative, with sum 1 up to the slack of the dtype."""
    near = bnp.less_equal(bnp.abs(bnp.sum(x, -1) - 1.0), _slack(x))
    return bnp.logical_and(bnp.all(bnp.greater_equal(x, 0.0), -1), near)


def increasing(x: Any) -> Any:
    """Vectors that grow."""
    return bnp.logical_and(finite(x), bnp.all(bnp.greater(bnp.diff(x), 0.0), -1))


def increasing_positive(x: Any) -> Any:
    """Vectors that grow from above 0."""
    return bnp.logical_and(increasing(x), bnp.greater(x[..., 0], 0.0))


def triangular(x: Any) -> Any:
    """Finite, zero above the diagonal, positive on it."""
    k = x.shape[-1]
    above = bnp.where(np.tri(k, dtype=bool), 0.0, x)
    on = bnp.where(np.eye(k, dtype=bool), x, 1.0)
    good = bnp.logical_and(
        bnp.isfinite(x), bnp.logical_and(bnp.equal(above, 0.0), bnp.greater(on, 0.0))
    )
    return bnp.all(good, (-2, -1))


def correlation_factor(x: Any) -> Any:
    """Triangular matrices with rows of length 1 up to the slack of the dtype."""
    lengths = bnp.sum(bnp.square(x), -1)
    near = bnp.all(bnp.less_equal(bnp.abs(lengths - 1.0), _slack(x)), -1)
    return bnp.logical_and(triangular(x), near)


def definite(x: Any) -> Any:
    """Symmetric positive definite matrices."""
    x = x if x.dtype.kind == "f" else bnp.astype(x, bnp.default_dtype())
    turned = bnp.swapaxes(x, -1, -2)
    gap = bnp.abs(x - turned) - _slack(x) * (bnp.abs(x) + bnp.abs(turned))
    symmetric = bnp.all(bnp.less_equal(gap, 0.0), (-2, -1))
    pivots = bnp.where(np.eye(x.shape[-1], dtype=bool), cholesky(x), 1.0)
    return bnp.logical_and(symmetric, bnp.all(bnp.greater(pivots, 0.0), (-2, -1)))
