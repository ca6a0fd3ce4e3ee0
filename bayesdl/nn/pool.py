"""Pooling: one number for each window of each channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesdl.ops import numpy as bnp

from ._base import Layer, layer
from ._windows import Padding, Sizes, each, windows


@dataclass(frozen=True)
class _Pool(Layer):
    """What both pools share: their windows."""

    size: int | Sizes = 2
    stride: int | Sizes | None = None
    padding: Padding = "valid"

    def _windows(self, x: Any, outside: float) -> Any:
        axes, owner = x.ndim - 2, type(self).__name__
        size = each(self.size, axes, "size", owner)
        stride = size if self.stride is None else each(self.stride, axes, "stride", owner)
        return windows(x, size, stride, self.padding, (1,) * axes, outside, owner)


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

    def __call__(self, x: Any) -> Any:
        return bnp.max(self._windows(bnp.asarray(x), -np.inf), axis=-2)


@layer
@dataclass(frozen=True)
class AveragePool(_Pool):
    """The mean of each window, by channel; what lies beyond the edges counts as zero.

    The parameters are those of `MaxPool`.
    """

    def __call__(self, x: Any) -> Any:
        return bnp.mean(self._windows(bnp.asarray(x), 0.0), axis=-2)
