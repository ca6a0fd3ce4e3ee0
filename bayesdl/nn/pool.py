"""Pooling: one number for each window of each channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.ops import numpy as bnp

from ._base import Example, Layer, layer
from ._windows import Padding, Sizes, each, windows


@dataclass(frozen=True)
class _Pool(Layer):
    """What both pools share: their windows."""

    size: int | Sizes = 2
    stride: int | Sizes | None = None
    padding: Padding = "valid"

    def _pooled(self, x: Any, reduce: Callable[..., Any], outside: float) -> Any:
        axes, owner = x.ndim - 2, type(self).__name__
        size = each(self.size, axes, "size", owner)
        stride = size if self.stride is None else each(self.stride, axes, "stride", owner)
        found = windows(x, size, stride, self.padding, (1,) * axes, outside, owner)
        return reduce(found, axis=tuple(range(axes + 1, 2 * axes + 1)))


@layer
@dataclass(frozen=True)
class MaxPool(_Pool):
    """The largest entry of each window, by channel.

    Parameters
    ----------
    size : int or tuple of int, default 2
        Of the window, for all spatial axes of the input or for each.
    stride : int or tuple of int, optional
        `size` if not given.
    padding : {"valid", "same"}, int, or pairs of int, default "valid"
    """

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, (3, 4, 6, 2), (3, 2, 3, 2)),
        Example({"size": 3, "stride": 1, "padding": "same"}, (3, 5, 2), (3, 5, 2)),
    )

    def __call__(self, x: Any) -> Any:
        return self._pooled(bnp.asarray(x), bnp.max, -np.inf)


@layer
@dataclass(frozen=True)
class AveragePool(_Pool):
    """The mean of each window, by channel; what lies beyond the edges counts as zero.

    The parameters are those of `MaxPool`.
    """

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, (3, 4, 6, 2), (3, 2, 3, 2)),
        Example({"size": 3, "padding": 1}, (3, 6, 2), (3, 2, 2)),
    )

    def __call__(self, x: Any) -> Any:
        return self._pooled(bnp.asarray(x), bnp.mean, 0.0)
