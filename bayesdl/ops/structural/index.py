"""Places known only at run time: dynamic slice/update and gather/scatter_add."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl._base.errors import ShapeError
from bayesdl.ir.primitive import Case
from bayesdl.ir.types import ArrayType

from .. import elementwise as ew
from .._declare import linear
from .repeat import Axes, broadcast, iota, to_front, zeros_like
from .shape import concatenate, reshape

# --- dynamic slice and update -----------------------------------------------------------------
# Starts are int64 scalars and are clamped so that the window fits.


def _clamped(starts: Any, shape: Axes, sizes: Axes) -> list[int]:
    return [int(min(max(int(s), 0), n - k)) for s, n, k in zip(starts, shape, sizes, strict=True)]


def _dynamic_slice_numpy(x: Any, *starts: Any, sizes: Axes) -> Any:
    at = _clamped(starts, np.shape(x), sizes)
    return np.array(np.asarray(x)[tuple(slice(a, a + k) for a, k in zip(at, sizes, strict=True))])


def _dynamic_update_numpy(x: Any, update: Any, *starts: Any) -> Any:
    at = _clamped(starts, np.shape(x), np.shape(update))
    out = np.array(x)
    out[tuple(slice(a, a + k) for a, k in zip(at, np.shape(update), strict=True))] = update
    return out


def _batch_dynamic_slice(size: int, args: Any, flags: Any, *, sizes: Axes) -> Any:
    if not any(flags[1:]):
        zero = np.int64(0)
        return dynamic_slice(args[0], zero, *args[1:], sizes=(size, *sizes)), True
    x, starts = to_front(args[0], flags[0], size), args[1:]
    return gather(x, window_indices(starts, flags[1:], np.shape(x)[1:], sizes, size)), True


def _window_offsets(starts: Any, flags: Any, shape: Axes, sizes: Axes, full: Axes) -> list[Any]:
    """Per axis: the clamped start of each example's window, repeated to the shape `full`."""
    found = []
    for start, flag, n, k in zip(starts, flags, shape, sizes, strict=True):
        start = ew.minimum(ew.maximum(start, 0), n - k)
        found.append(broadcast(start, shape=full, axes=tuple(range(1 if flag else 0, len(full)))))
    return found


def _place(axis: int, full: Axes) -> Any:
    return iota(shape=full, axis=axis, dtype=np.dtype(np.int64))


def _join(parts: Any, full: Axes) -> Any:
    return concatenate(*(reshape(p, shape=(*full, 1)) for p in parts), axis=len(full))


def window_indices(starts: Any, flags: Any, shape: Axes, sizes: Axes, size: int) -> Any:
    """Indices (size, *sizes, 1 + rank) of a window per example: batch number, then place."""
    full = (size, *sizes)
    offsets = _window_offsets(starts, flags, shape, sizes, full)
    parts = [ew.add(o, _place(i + 1, full)) for i, o in enumerate(offsets)]
    return _join([_place(0, full), *parts], full)


def _batch_dynamic_update(size: int, args: Any, flags: Any) -> Any:
    x, update = (to_front(a, f, size) for a, f in zip(args[:2], flags[:2], strict=True))
    if not any(flags[2:]):
        return dynamic_update_slice(x, update, np.int64(0), *args[2:]), True
    full, window = np.shape(x), np.shape(update)[1:]
    offsets = _window_offsets(args[2:], flags[2:], full[1:], window, full)
    places = [ew.sub(_place(i + 1, full), o) for i, o in enumerate(offsets)]
    inside = broadcast(np.bool_(True), shape=full, axes=tuple(range(len(full))))
    for place, k in zip(places, window, strict=True):
        inside = ew.bit_and(inside, ew.bit_and(ew.greater_equal(place, 0), ew.less(place, k)))
    return ew.where(inside, gather(update, _join([_place(0, full), *places], full)), x), True


dynamic_slice = linear(
    "dynamic_slice",
    type=lambda x, *starts, sizes: x.with_shape(sizes),
    numpy=_dynamic_slice_numpy,
    transpose=lambda ct, x, *starts, sizes: (dynamic_update_slice(zeros_like(x), ct, *starts),),
    batch=_batch_dynamic_slice,
    cases=(
        Case(
            ("f64[5,3]", "i64[]", "i64[]"),
            {"sizes": (2, 3)},
            values=(None, np.int64(1), np.int64(0)),
        ),
        Case(("f32[5]", "i64[]"), {"sizes": (2,)}, values=(None, np.int64(9))),
    ),
)
dynamic_update_slice = linear(
    "dynamic_update_slice",
    type=lambda x, update, *starts: x,
    numpy=_dynamic_update_numpy,
    transpose=lambda ct, x, update, *starts: (
        dynamic_update_slice(ct, zeros_like(update), *starts),
        dynamic_slice(ct, *starts, sizes=np.shape(update)),
    ),
    linear_in=(0, 1),
    batch=_batch_dynamic_update,
    cases=(
        Case(
            ("f64[5,3]", "f64[2,3]", "i64[]", "i64[]"),
            values=(None, None, np.int64(1), np.int64(0)),
        ),
        Case(("i64[5]", "i64[1]", "i64[]"), values=(None, None, np.int64(7))),
    ),
)

# --- gather and scatter-add -------------------------------------------------------------------
# indices: int64, shape (*batch, k): each row indexes the first k axes. Out of range is clamped.


def _gather_index(indices: Any, shape: Axes) -> tuple[Any, ...]:
    return tuple(np.clip(indices[..., i], 0, shape[i] - 1) for i in range(indices.shape[-1]))


def _gather_type(x: ArrayType, indices: ArrayType) -> ArrayType:
    _check_indices("gather", x, indices)
    return x.with_shape((*indices.shape[:-1], *x.shape[indices.shape[-1] :]))


def _scatter_type(x: ArrayType, indices: ArrayType, updates: ArrayType) -> ArrayType:
    _check_indices("scatter_add", x, indices)
    if updates != _gather_type(x, indices):
        raise ShapeError(
            "`scatter_add` got updates that do not fit its indices.",
            facts=[("updates", updates), ("needed", _gather_type(x, indices))],
            fix="give one update per row of indices, of the shape and dtype that gather returns.",
            code="T101",
        )
    return x


def _check_indices(name: str, x: ArrayType, indices: ArrayType) -> None:
    depth = indices.shape[-1] if indices.shape else 0
    if not 1 <= depth <= x.ndim or indices.dtype != np.int64:
        raise ShapeError(
            f"`{name}` needs rows of 64-bit indices into the first axes of an array.",
            facts=[("array", x), ("indices", indices)],
            fix="give indices of shape (..., k), where k is at least 1 and at most the number of "
            "axes.",
            code="T101",
        )


def _scatter_numpy(x: Any, indices: Any, updates: Any) -> Any:
    out = np.array(x)
    np.add.at(out, _gather_index(indices, out.shape), updates)
    return out


def _with_batch_index(indices: Any, flag: bool, size: int) -> Any:
    indices = to_front(indices, flag, size)
    shape = (*np.shape(indices)[:-1], 1)
    return concatenate(
        iota(shape=shape, axis=0, dtype=np.dtype(np.int64)), indices, axis=len(shape) - 1
    )


def _batch_gather(size: int, args: Any, flags: Any) -> Any:
    if not flags[0]:
        return gather(args[0], args[1]), True
    return gather(args[0], _with_batch_index(args[1], flags[1], size)), True


def _batch_scatter(size: int, args: Any, flags: Any) -> Any:
    x, updates = to_front(args[0], flags[0], size), to_front(args[2], flags[2], size)
    return scatter_add(x, _with_batch_index(args[1], flags[1], size), updates), True


_INDEX = np.array([[0], [2], [2], [1]])
_INDEX2 = np.array([[[0, 1], [2, 0]], [[1, 1], [2, 0]]])
gather = linear(
    "gather",
    type=_gather_type,
    numpy=lambda x, indices: np.asarray(np.asarray(x)[_gather_index(indices, np.shape(x))]),
    transpose=lambda ct, x, indices: (scatter_add(zeros_like(x), indices, ct),),
    batch=_batch_gather,
    cases=(
        Case(("f64[3,2]", "i64[4,1]"), values=(None, _INDEX)),
        Case(("f64[3,2]", "i64[2,2,2]"), values=(None, _INDEX2)),
        Case(("i64[3]", "i64[1]"), values=(None, np.array([7]))),
    ),
)
scatter_add = linear(
    "scatter_add",
    type=_scatter_type,
    numpy=_scatter_numpy,
    transpose=lambda ct, x, indices, updates: (ct, gather(ct, indices)),
    linear_in=(0, 2),
    batch=_batch_scatter,
    cases=(
        Case(("f64[3,2]", "i64[4,1]", "f64[4,2]"), values=(None, _INDEX, None)),
        Case(("f32[3,2]", "i64[2,2,2]", "f32[2,2]"), values=(None, _INDEX2, None)),
    ),
)
