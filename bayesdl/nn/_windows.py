"""Windows that slide over spatial axes: what convolution and pooling share."""

from __future__ import annotations

from typing import Any

from bayesdl._base.errors import ArgumentError, ShapeError
from bayesdl._base.source import user_source
from bayesdl.ops import numpy as bnp
from bayesdl.ops import structural

Sizes = tuple[int, ...]
Padding = str | int | tuple[tuple[int, int], ...]


def windows(
    x: Any,
    size: Sizes,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
    outside: float = 0.0,
    owner: str = "",
) -> Any:
    """All windows of an image.

    Parameters
    ----------
    x : array, shape (rows, *spatial, channels)
    size, stride, dilation : tuple of int
        One entry for each spatial axis.
    padding : "same", "valid", int, or a pair of ints for each spatial axis
        "same" gives ``ceil(spatial / stride)`` windows along each axis.
    outside : float
        What stands beyond the edges.
    owner : str
        Name of the layer, for errors.

    Returns
    -------
    array, shape (rows, *windows, *size, channels)
    """
    spatial = spatial_of(x, len(size), owner)
    pairs = pairs_of(padding, spatial, size, stride, dilation, owner)
    reach = tuple((k - 1) * d + 1 for k, d in zip(size, dilation, strict=True))
    full = tuple(n + low + high for n, (low, high) in zip(spatial, pairs, strict=True))
    if any(n < r for n, r in zip(full, reach, strict=True)):
        raise ShapeError(
            f"the windows of layer {owner!r} are larger than its inputs.",
            facts=[("inputs, padded", full), ("window", reach)],
            fix='use a smaller window or padding="same".',
            where=user_source(),
            code="T111",
        )
    if any(map(any, pairs)):
        x = bnp.pad(x, ((0, 0), *pairs, (0, 0)), constant_values=outside)
    return structural.windows(x, first=1, window=size, stride=stride, dilation=dilation)


def spatial_of(x: Any, axes: int, owner: str) -> Sizes:
    """The spatial axes of inputs, which must be so many."""
    if x.ndim != axes + 2:
        raise ShapeError(
            f"layer {owner!r} needs inputs of shape (rows, {'*spatial, '}channels).",
            facts=[("inputs", x.shape), ("spatial axes", axes)],
            fix="write x[..., None] for one channel.",
            where=user_source(),
            code="T111",
        )
    return tuple(x.shape[1:-1])


def each(value: int | Sizes, axes: int, what: str, owner: str) -> Sizes:
    """One positive whole number for each of `axes` spatial axes."""
    sizes = (value,) * axes if isinstance(value, int) else tuple(value)
    if len(sizes) != axes or any(not isinstance(n, int) or n < 1 for n in sizes):
        raise ArgumentError(
            f"{what} of layer {owner!r} must be positive whole numbers, one for each axis.",
            facts=[(what, value), ("spatial axes", axes)],
            fix=f"for example {what}={(3,) * axes if axes > 1 else 3}.",
            where=user_source(),
            code="A102",
        )
    return sizes


def pairs_of(
    padding: Padding, spatial: Sizes, size: Sizes, stride: Sizes, dilation: Sizes, owner: str
) -> tuple[tuple[int, int], ...]:
    """What is added before and behind each spatial axis."""
    if padding == "valid":
        return ((0, 0),) * len(size)
    if padding == "same":
        found = []
        for n, k, s, d in zip(spatial, size, stride, dilation, strict=True):
            need = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
            found.append((need // 2, need - need // 2))
        return tuple(found)
    if isinstance(padding, int) and padding >= 0:
        return ((padding, padding),) * len(size)
    if isinstance(padding, tuple) and len(padding) == len(size):
        return padding
    raise ArgumentError(
        f"layer {owner!r} cannot pad by {padding!r}.",
        fix='use "same", "valid", a number, or a pair (low, high) for each spatial axis.',
        where=user_source(),
        code="A102",
    )
