"""The pair windows/fold: places that slide over axes, read side by side or added back."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from bayesdl._base.errors import ShapeError
from bayesdl.ir.primitive import Case
from bayesdl.ir.types import ArrayType

from .._declare import linear
from .repeat import Axes
from .shape import slice_

# The axes from `first` on are slid over, one for each entry of `stride`. Window w has at offset k
# the element w · stride + k · dilation. Counts of windows stand where the axes stood, offsets
# behind all of them. Padding is left to `pad`.


def reach_of(count: Axes, size: Axes, stride: Axes, dilation: Axes) -> Axes:
    """The elements from the first of the first window to the last of the last one, by axis."""
    return tuple(
        (c - 1) * s + (k - 1) * d + 1
        for c, k, s, d in zip(count, size, stride, dilation, strict=True)
    )


def _counts(x: ArrayType, first: int, size: Axes, stride: Axes, dilation: Axes) -> Axes:
    spatial = x.shape[first : first + len(size)]
    reach = reach_of((1,) * len(size), size, stride, dilation)
    if len(spatial) < len(size) or any(n < r for n, r in zip(spatial, reach, strict=True)):
        raise ShapeError(
            "`windows` are larger than what they slide over.",
            facts=[("operand", x), ("axes, from", first), ("window", reach)],
            fix="pad the operand, or take smaller windows.",
            code="T101",
        )
    return tuple((n - r) // s + 1 for n, r, s in zip(spatial, reach, stride, strict=True))


def _windows_type(x: ArrayType, *, first: int, window: Axes, stride: Axes, dilation: Axes) -> Any:
    count, end = _counts(x, first, window, stride, dilation), first + len(window)
    return x.with_shape((*x.shape[:first], *count, *window, *x.shape[end:]))


def _windows_numpy(x: Any, *, first: int, window: Axes, stride: Axes, dilation: Axes) -> Any:
    x, end = np.ascontiguousarray(x), first + len(window)
    kind = _windows_type(
        ArrayType(x.shape, x.dtype), first=first, window=window, stride=stride, dilation=dilation
    )
    steps = x.strides[first:end]
    by_window = (n * s for n, s in zip(steps, stride, strict=True))
    by_offset = (n * d for n, d in zip(steps, dilation, strict=True))
    strides = (*x.strides[:first], *by_window, *by_offset, *x.strides[end:])
    return np.array(as_strided(x, kind.shape, strides), order="C")


def _fold_type(y: ArrayType, *, first: int, shape: Axes, stride: Axes, dilation: Axes) -> Any:
    axes = len(shape)
    count, size = y.shape[first : first + axes], y.shape[first + axes : first + 2 * axes]
    reach = reach_of(count, size, stride, dilation)
    if any(n < r for n, r in zip(shape, reach, strict=True)):
        raise ShapeError(
            "`fold` got windows that reach beyond the shape wanted.",
            facts=[("windows", y), ("axes, from", first), ("shape", shape), ("needed", reach)],
            fix="give the shape over which the windows slid.",
            code="T101",
        )
    return y.with_shape((*y.shape[:first], *shape, *y.shape[first + 2 * axes :]))


def _fold_numpy(y: Any, *, first: int, shape: Axes, stride: Axes, dilation: Axes) -> Any:
    y, axes = np.asarray(y), len(shape)
    count, size = y.shape[first : first + axes], y.shape[first + axes : first + 2 * axes]
    out = np.zeros((*y.shape[:first], *shape, *y.shape[first + 2 * axes :]), y.dtype)
    before = (slice(None),) * first
    for offset in product(*(range(k) for k in size)):
        starts = (k * d for k, d in zip(offset, dilation, strict=True))
        cut = tuple(
            slice(a, a + (c - 1) * s + 1, s) for a, c, s in zip(starts, count, stride, strict=True)
        )
        out[(*before, *cut)] += y[(*before, *(slice(None),) * axes, *offset)]
    return out


def _windows_transpose(ct: Any, x: Any, *, first: int, window: Axes, **steps: Axes) -> Any:
    return (fold(ct, first=first, shape=np.shape(x)[first : first + len(window)], **steps),)


def _fold_transpose(ct: Any, y: Any, *, first: int, shape: Axes, **steps: Axes) -> Any:
    axes = len(shape)
    size, count = np.shape(y)[first + axes : first + 2 * axes], np.shape(y)[first : first + axes]
    found = windows(ct, first=first, window=size, **steps)
    # A rest that no window reached may have room for one more.
    extra = np.shape(found)[first : first + axes] != count
    return (_first_of(found, first, count) if extra else found,)


def _first_of(found: Any, first: int, count: Axes) -> Any:
    """Only so many windows along each axis."""
    shape = np.shape(found)
    limit = (*shape[:first], *count, *shape[first + len(count) :])
    return slice_(found, start=(0,) * len(shape), limit=limit, stride=(1,) * len(shape))


windows = linear(
    "windows",
    type=_windows_type,
    numpy=_windows_numpy,
    transpose=_windows_transpose,
    batch=lambda size, args, flags, *, first, **sizes: (
        windows(args[0], first=first + 1, **sizes),
        True,
    ),
    cases=(
        Case(("f64[2,5,3]",), {"first": 1, "window": (3,), "stride": (1,), "dilation": (1,)}),
        Case(
            ("f32[2,5,6,3]",),
            {"first": 1, "window": (2, 3), "stride": (2, 1), "dilation": (1, 2)},
        ),
        Case(("i64[4,3]",), {"first": 0, "window": (2, 2), "stride": (2, 1), "dilation": (1, 1)}),
        Case(("bool[5]",), {"first": 0, "window": (2,), "stride": (3,), "dilation": (1,)}),
    ),
)
fold = linear(
    "fold",
    type=_fold_type,
    numpy=_fold_numpy,
    transpose=_fold_transpose,
    batch=lambda size, args, flags, *, first, **sizes: (
        fold(args[0], first=first + 1, **sizes),
        True,
    ),
    cases=(
        Case(("f64[2,3,3,2]",), {"first": 1, "shape": (5,), "stride": (1,), "dilation": (1,)}),
        Case(
            ("f32[2,2,2,2,3,3]",),
            {"first": 1, "shape": (5, 6), "stride": (2, 1), "dilation": (1, 2)},
        ),
        Case(("i64[2,2]",), {"first": 0, "shape": (6,), "stride": (1,), "dilation": (2,)}),
    ),
)
