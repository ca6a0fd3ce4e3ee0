"""Convolutions with random kernels, over one or two spatial axes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from bayesdl import dist
from bayesdl._base.errors import ShapeError
from bayesdl._base.source import user_source
from bayesdl.model.statements import units
from bayesdl.ops import numpy as bnp

from ._base import Layer, Prior, layer, weight
from ._windows import Padding, Sizes, each, windows
from .priors import fan_in_normal


@dataclass(frozen=True)
class _Conv(Layer):
    """What convolutions over any number of axes share; `Conv2d` describes the fields."""

    fan_out: int
    kernel: int | Sizes = 3
    stride: int | Sizes = 1
    padding: Padding = "same"
    dilation: int | Sizes = 1
    groups: int = 1
    name: str = "conv"
    prior: Prior = fan_in_normal()
    bias: bool = True
    bias_prior: Prior = dist.Normal(0.0, 1.0)

    @property
    def axes(self) -> int:
        """Number of spatial axes."""
        raise NotImplementedError

    def __call__(self, x: Any) -> Any:
        x = bnp.asarray(x)
        size, stride, dilation = (
            each(getattr(self, what), self.axes, what, self.name)
            for what in ("kernel", "stride", "dilation")
        )
        channels = x.shape[-1]
        self._check_groups(channels)
        found = windows(masked(self.name, x), size, stride, self.padding, dilation, owner=self.name)
        inside = channels // self.groups
        fan_in = inside * math.prod(size)
        w = weight(
            f"{self.name}.weight",
            self.prior,
            fan_in,
            (inside, *size, self.fan_out),
            "weight",
            self.name,
        )
        y = self._product(found, bnp.moveaxis(w, 0, -2), inside)
        if not self.bias:
            return y
        return y + weight(
            f"{self.name}.bias", self.bias_prior, fan_in, (self.fan_out,), "bias", self.name
        )

    def _product(self, found: Any, w: Any, inside: int) -> Any:
        places, out = found.shape[:-2], self.fan_out // self.groups
        parts = []
        for g in range(self.groups):
            columns = found[..., g * inside : (g + 1) * inside]
            columns = bnp.reshape(columns, (math.prod(places), -1))
            kernel = bnp.reshape(w[..., g * out : (g + 1) * out], (-1, out))
            parts.append(bnp.reshape(bnp.matmul(columns, kernel), (*places, out)))
        return parts[0] if len(parts) == 1 else bnp.concatenate(parts, axis=-1)

    def _check_groups(self, channels: int) -> None:
        if channels % self.groups or self.fan_out % self.groups:
            raise ShapeError(
                f"the channels of layer {self.name!r} do not split into its groups.",
                facts=[
                    ("channels in", channels),
                    ("channels out", self.fan_out),
                    ("groups", self.groups),
                ],
                fix="use a number of groups that divides both.",
                where=user_source(),
                code="T111",
            )


def masked(name: str, x: Any) -> Any:
    """Units that enter a layer; dropout drops a whole channel of a row, not single pixels.

    References
    ----------
    Tompson, Goroshin, Jain, LeCun & Bregler (2015), Efficient object localization using
    convolutional networks, section 3.2.
    """
    shape = (x.shape[0], *(1,) * (x.ndim - 2), x.shape[-1])
    return x * units(name, bnp.ones(shape, x.dtype))


@layer
@dataclass(frozen=True)
class Conv1d(_Conv):
    """Convolution over one axis: (rows, length, channels) → (rows, length′, fan_out).

    The parameters are those of `Conv2d`.
    """

    name: str = "conv"

    @property
    def axes(self) -> int:
        """One."""
        return 1


@layer
@dataclass(frozen=True)
class Conv2d(_Conv):
    """Convolution over two axes: (rows, height, width, channels) → (rows, …, …, fan_out).

        y[h, w, o] = Σ_{i, j, c} weight[c, i, j, o] · x[h·s + i·d, w·s + j·d, c] + bias[o]

    Parameters
    ----------
    fan_out : int
        Channels of the output.
    kernel : int or tuple of int, default 3
        Size of the window.
    stride, dilation : int or tuple of int, default 1
        s and d above.
    padding : {"same", "valid"}, int, or pairs of int, default "same"
        "same" gives ``ceil(size / stride)`` outputs along each axis.
    groups : int, default 1
        Channels are split into so many groups that do not see one another.
    name : str, default "conv"
        Prefix of the sites ``{name}.weight``, shape (channels / groups, *kernel, fan_out), and
        ``{name}.bias``, shape (fan_out,).
    prior, bias_prior : Distribution, or callable from fan_in to one
        Normal(0, 1/√fan_in) and Normal(0, 1) by default; fan_in counts the window.
    bias : bool, default True

    Raises
    ------
    ShapeError
        If inputs have other axes, or channels do not split into the groups.
    ArgumentError
        For a size that is not positive.

    References
    ----------
    Dumoulin & Visin (2016), A guide to convolution arithmetic for deep learning
    (arXiv:1603.07285).
    """

    name: str = "conv"

    @property
    def axes(self) -> int:
        """Two."""
        return 2
