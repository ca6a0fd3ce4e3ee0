"""Maps onto Cholesky factors of correlation and covariance matrices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bayesdl._base.errors import ShapeError
from bayesdl._base.source import user_source
from bayesdl.ops import numpy as bnp

from ._base import Bijector, Shape, bijector
from .elementary import log_one_minus_tanh_squared


@bijector
class CorrCholesky(Bijector):
    """R^(k(k−1)/2) → lower triangular k × k matrices with rows of length 1 and a positive diagonal.

    tanh of the entries, row by row, are the canonical partial correlations zᵢⱼ, and

        Lᵢⱼ = zᵢⱼ ∏ⱼ′﹤ⱼ √(1 − zᵢⱼ′²),   Lᵢᵢ = ∏ⱼ′﹤ᵢ √(1 − zᵢⱼ′²)

    The determinant is that of the map to the entries below the diagonal.

    References
    ----------
    Lewandowski, Kurowicka, Joe (2009), Generating random correlation matrices based on vines and
    extended onion method, section 2.
    """

    forward_event_ndim = 1
    inverse_event_ndim = 2
    example_event_shapes = ((1, 1), (2, 2), (4, 4))

    def forward_and_log_det(self, x: Any) -> tuple[Any, Any]:
        x = bnp.asarray(x)
        k = _side(x.shape, strict=True)
        partial = _filled(x, k, strict=True)
        shrink = _below(log_one_minus_tanh_squared(partial), k)
        before = 0.5 * (bnp.cumsum(shrink, -1) - shrink)
        length = bnp.exp(before)
        unit = np.eye(k, dtype=bool)
        # Above the diagonal tanh(0) = 0.
        factor = bnp.where(unit, length, bnp.tanh(partial) * length)
        log_det = bnp.sum(shrink + _below(before, k), (-2, -1))
        return factor, log_det

    def inverse(self, y: Any) -> Any:
        y = bnp.asarray(y)
        k = y.shape[-1]
        squares = bnp.square(y)
        after = bnp.flip(bnp.cumsum(bnp.flip(squares, -1), -1), -1) - squares
        rows, columns = np.tril_indices(k, -1)
        # arctanh(z) = arcsinh(z / √(1 − z²)); the entries after the j-th hold 1 − z² of the length.
        return bnp.arcsinh(y[..., rows, columns] / bnp.sqrt(after[..., rows, columns]))

    def unconstrained_shape(self, shape: Shape) -> Shape:
        k = shape[-1]
        return (*shape[:-2], k * (k - 1) // 2)

    def constrained_shape(self, shape: Shape) -> Shape:
        k = _side(shape, strict=True)
        return (*shape[:-1], k, k)


@bijector
class CovarianceCholesky(Bijector):
    """R^(k(k+1)/2) → lower triangular k × k matrices with a positive diagonal.

    The entries fill the triangle row by row, with exp on the diagonal; log|det| is the sum of the
    entries that go to the diagonal.
    """

    forward_event_ndim = 1
    inverse_event_ndim = 2
    example_event_shapes = ((1, 1), (3, 3))

    def forward_and_log_det(self, x: Any) -> tuple[Any, Any]:
        x = bnp.asarray(x)
        k = _side(x.shape, strict=False)
        entries = _filled(x, k, strict=False)
        unit = np.eye(k, dtype=bool)
        diagonal = bnp.where(unit, entries, 0.0)
        return bnp.where(unit, bnp.exp(diagonal), entries), bnp.sum(diagonal, (-2, -1))

    def inverse(self, y: Any) -> Any:
        y = bnp.asarray(y)
        unit = np.eye(y.shape[-1], dtype=bool)
        rows, columns = np.tril_indices(y.shape[-1])
        return bnp.where(unit, bnp.log(bnp.where(unit, y, 1.0)), y)[..., rows, columns]

    def unconstrained_shape(self, shape: Shape) -> Shape:
        k = shape[-1]
        return (*shape[:-2], k * (k + 1) // 2)

    def constrained_shape(self, shape: Shape) -> Shape:
        k = _side(shape, strict=False)
        return (*shape[:-1], k, k)


def _side(shape: Shape, strict: bool) -> int:
    """k, where the last axis counts the entries of a k × k triangle."""
    count = shape[-1]
    k = (math.isqrt(8 * count + 1) + (1 if strict else -1)) // 2
    if k * (k - 1 if strict else k + 1) // 2 != count:
        raise ShapeError(
            f"{count} numbers do not fill a triangle.",
            facts=[("shape", shape)],
            fix="give 1, 3, 6, 10, … numbers.",
            where=user_source(),
            code="D105",
        )
    return k


def _filled(x: Any, k: int, strict: bool) -> Any:
    """Entries in the lower triangle of a k × k matrix, row by row, and zeros elsewhere."""
    rows, columns = np.tril_indices(k, -1 if strict else 0)
    if not rows.size:
        return bnp.zeros((*x.shape[:-1], k, k), x.dtype)
    place = np.zeros((k, k), dtype=np.int64)
    place[rows, columns] = np.arange(rows.size)
    inside = np.zeros((k, k), dtype=bool)
    inside[rows, columns] = True
    return bnp.where(inside, x[..., place], 0.0)


def _below(x: Any, k: int) -> Any:
    """What stands below the diagonal; zeros elsewhere."""
    return bnp.where(np.tri(k, k, -1, dtype=bool), x, 0.0)
