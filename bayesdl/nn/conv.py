"""Convolutions with random kernels, over one or two spatial axes."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ShapeError
from bayesdl._base.source import user_source
from bayesdl.model.statements import weighted
from bayesdl.ops import numpy as bnp
from bayesdl.ops import structural

from ._base import Example, Layer, Prior, layer, masked, of_biases, unit_normal, weight
from ._windows import Padding, Sizes, each, pairs_of, spatial_of, windows
from .priors import fan_in_normal


@dataclass(frozen=True)
class _Conv(Layer):
    """What convolutions over any number of axes share; `Conv2d` describes the fields."""

    axes: ClassVar[int]

    fan_out: int
    kernel: int | Sizes = 3
    stride: int | Sizes = 1
    padding: Padding = "same"
    dilation: int | Sizes = 1
    groups: int = 1
    name: str = "conv"
    prior: Prior = fan_in_normal()
    bias: bool = True
    bias_prior: Prior = unit_normal

    def __call__(self, x: Any) -> Any:
        x = bnp.asarray(x)
        size, stride, dilation = (
            each(getattr(self, what), self.axes, what, self.name)
            for what in ("kernel", "stride", "dilation")
        )
        channels = x.shape[-1]
        self._check_groups(channels)
        x = masked(self.name, x, self.groups)
        inside = channels // self.groups
        fan_in = self._fan_in(inside, size, stride)
        w = weight(
            f"{self.name}.weight",
            self.prior,
            fan_in,
            (inside, *size, self.fan_out),
            "weight",
            self.name,
        )

        def product(x: Any, w: Any) -> Any:
            return self._convolved(x, w, size, stride, dilation)

        y = weighted(self.name, x, w, product, once=False)
        if not self.bias:
            return y
        bias_prior = of_biases(self.bias_prior, self.prior)
        return y + weight(
            f"{self.name}.bias", bias_prior, fan_in, (self.fan_out,), "bias", self.name
        )

    def _fan_in(self, inside: int, size: Sizes, stride: Sizes) -> int:
        """The terms of one sum."""
        return inside * math.prod(size)

    def _convolved(self, x: Any, w: Any, size: Sizes, stride: Sizes, dilation: Sizes) -> Any:
        """The sums, without bias."""
        found = windows(x, size, stride, self.padding, dilation, owner=self.name)
        count = found.shape[: 1 + len(size)]
        if self.groups == 1:
            kernel = bnp.reshape(bnp.moveaxis(w, 0, -2), (-1, self.fan_out))
            # The rows stay an axis of their own, so that row tiles see them.
            return bnp.matmul(bnp.reshape(found, (*count, -1)), kernel)
        inside, window = w.shape[0], math.prod(size)
        columns = bnp.reshape(found, (math.prod(count), window, self.groups, inside))
        kernel = bnp.reshape(w, (inside, window, self.groups, -1))
        y = bnp.einsum("rkgi,ikgo->rgo", columns, kernel)
        return bnp.reshape(y, (*count, self.fan_out))

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


@layer
@dataclass(frozen=True)
class Conv1d(_Conv):
    """Convolution over one axis: (rows, length, channels) → (rows, length′, fan_out).

    The parameters are those of `Conv2d`.
    """

    axes: ClassVar[int] = 1
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"fan_out": 2}, (3, 7, 4), (3, 7, 2), {"weight": (4, 3, 2), "bias": (2,)}),
        Example(
            {"fan_out": 4, "kernel": 2, "stride": 2, "padding": "valid", "groups": 2},
            (3, 7, 2),
            (3, 3, 4),
            {"weight": (1, 2, 4), "bias": (4,)},
        ),
    )


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
    prior, bias_prior : Distribution, callable from fan_in to one, or None
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

    axes: ClassVar[int] = 2
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            {"fan_out": 2, "bias": False}, (3, 4, 5, 2), (3, 4, 5, 2), {"weight": (2, 3, 3, 2)}
        ),
        Example(
            {"fan_out": 2, "kernel": (1, 2), "dilation": 2, "padding": 1},
            (2, 4, 4, 1),
            (2, 6, 4, 2),
            {"weight": (1, 1, 2, 2), "bias": (2,)},
        ),
    )


@dataclass(frozen=True)
class _ConvTranspose(_Conv):
    """What transposed convolutions share; `ConvTranspose2d` describes them."""

    def _fan_in(self, inside: int, size: Sizes, stride: Sizes) -> int:
        """The terms of one sum: an output is reached by every stride-th entry of a window."""
        reached = (-(-k // s) for k, s in zip(size, stride, strict=True))
        return inside * math.prod(reached)

    def _convolved(self, x: Any, w: Any, size: Sizes, stride: Sizes, dilation: Sizes) -> Any:
        spatial = spatial_of(x, len(size), self.name)
        wide = tuple(n * s for n, s in zip(spatial, stride, strict=True))
        pairs = pairs_of(self.padding, wide, size, stride, dilation, self.name)
        parts = self._spread(x, w)
        parts = bnp.reshape(parts, (x.shape[0], *spatial, *size, self.fan_out))
        full = structural.reach_of(spatial, size, stride, dilation)
        if self.padding == "same":
            full = tuple(max(f, n) for f, n in zip(full, wide, strict=True))
        y = structural.fold(parts, first=1, shape=full, stride=stride, dilation=dilation)
        kept = tuple(slice(a, n - b) for n, (a, b) in zip(full, pairs, strict=True))
        return y[(slice(None), *kept)]

    def _spread(self, x: Any, w: Any) -> Any:
        """What each input adds to its window."""
        rows, inside = math.prod(x.shape[:-1]), w.shape[0]
        if self.groups == 1:
            return bnp.matmul(x, bnp.reshape(w, (inside, -1)))
        columns = bnp.reshape(x, (rows, self.groups, inside))
        kernel = bnp.reshape(w, (inside, -1, self.groups, self.fan_out // self.groups))
        return bnp.einsum("rgi,ikgo->rkgo", columns, kernel)


@layer
@dataclass(frozen=True)
class ConvTranspose1d(_ConvTranspose):
    """Transposed convolution over one axis: (rows, length, channels) → (rows, length′, fan_out).

    The parameters are those of `ConvTranspose2d`.
    """

    axes: ClassVar[int] = 1
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            {"fan_out": 2, "stride": 2}, (3, 4, 2), (3, 8, 2), {"weight": (2, 3, 2), "bias": (2,)}
        ),
        Example(
            {"fan_out": 4, "groups": 2, "padding": "valid"},
            (3, 4, 2),
            (3, 6, 4),
            {"weight": (1, 3, 4), "bias": (4,)},
        ),
    )


@layer
@dataclass(frozen=True)
class ConvTranspose2d(_ConvTranspose):
    """Transposed convolution: every input adds its multiple of the weights to a window of outputs.

        y[h·s + i·d, w·s + j·d, o] += Σ_c x[h, w, c] · weight[c, i, j, o];  then bias[o]

    What `Conv2d` with the same options does to cotangents: strides make the output larger.

    Parameters
    ----------
    fan_out, kernel, stride, dilation, groups, name, prior, bias, bias_prior
        As for `Conv2d`, with the same shapes of sites. fan_in counts the inputs that reach one
        output.
    padding : {"same", "valid"}, int, or pairs of int, default "same"
        "same" gives ``size · stride`` outputs along each axis; "valid" gives all that is reached,
        ``(size − 1) · stride + (kernel − 1) · dilation + 1``; numbers are cut off its ends.

    Raises
    ------
    ShapeError
        If inputs have other axes, or channels do not split into the groups.
    ArgumentError
        For a size that is not positive.

    References
    ----------
    Dumoulin & Visin (2016), A guide to convolution arithmetic for deep learning
    (arXiv:1603.07285), chapter 4.
    """

    axes: ClassVar[int] = 2
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            {"fan_out": 2, "stride": 2, "kernel": 2},
            (3, 2, 3, 2),
            (3, 4, 6, 2),
            {"weight": (2, 2, 2, 2), "bias": (2,)},
        ),
    )
