"""The map onto the simplex."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl.ops import numpy as bnp

from ._base import Bijector, Shape, bijector, vector_length


@bijector
class StickBreaking(Bijector):
    """R^(k−1) → the open simplex of k positive numbers with sum 1; log|det| = Σ log yᵢ.

    Part i of the stick, of the k that are to be made, takes the share sigmoid(xᵢ − log(k − i)) of
    what is left, i = 1 … k − 1; the last part takes the rest. The shift centres the map: 0 goes to
    (1/k, …, 1/k).

    Notes
    -----
    The convention of Stan up to 2.35, PyMC's old `stick_breaking` and NumPyro. All is done in
    logarithms, so that parts near 0 keep their relative accuracy. The determinant is that of the
    map to the first k − 1 parts.

    References
    ----------
    Stan Development Team, Stan Reference Manual 2.35, section 10.7.

    Examples
    --------
    >>> StickBreaking().forward(np.zeros(3)).tolist()
    [0.25, 0.25, 0.25, 0.25]
    """

    forward_event_ndim = 1
    inverse_event_ndim = 1
    example_event_shapes = ((1,), (2,), (5,))

    def forward_and_log_det(self, x: Any) -> tuple[Any, Any]:
        x = bnp.asarray(x)
        shifted = x - _shift(x.shape[-1], x.dtype)
        over = bnp.softplus(shifted)
        left = bnp.cumsum(over, -1)
        # log yᵢ = log share + log of what was left before, where log(1 − share) = −over.
        parts = shifted - left
        rest = -bnp.sum(over, -1, keepdims=True)
        logs = bnp.concatenate([parts, rest], -1)
        return bnp.exp(logs), bnp.sum(logs, -1)

    def inverse(self, y: Any) -> Any:
        y = bnp.asarray(y)
        after = bnp.flip(bnp.cumsum(bnp.flip(y, -1), -1), -1)[..., 1:]
        return bnp.log(y[..., :-1]) - bnp.log(after) + _shift(y.shape[-1] - 1, y.dtype)

    def unconstrained_shape(self, shape: Shape) -> Shape:
        return vector_length(shape, lambda k: k - 1, "a point of the simplex")

    def constrained_shape(self, shape: Shape) -> Shape:
        return vector_length(shape, lambda k: k + 1, "a point of the simplex")


def _shift(n: int, dtype: Any) -> Any:
    """log(k − i) for i = 1 … k − 1, where k = n + 1."""
    return np.log(np.arange(n, 0, -1)).astype(dtype)
