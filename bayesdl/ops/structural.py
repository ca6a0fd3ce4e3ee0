"""Arrays made, moved and reduced, adjoint pairs side by side: sum/broadcast, gather/scatter_add."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl._base.errors import ShapeError
from bayesdl.ir.primitive import ALL, Case
from bayesdl.ir.types import ArrayType, type_of

from . import elementwise as ew
from ._declare import general, linear

Axes = tuple[int, ...]


def shifted(axes: Axes) -> Axes:
    """Axes behind a batch axis in front."""
    return tuple(a + 1 for a in axes)


def to_front(x: Any, batched: bool, size: int) -> Any:
    """The operand with a batch axis in front, made by repetition where it has none."""
    return x if batched else broadcast(x, shape=(size, *np.shape(x)), axes=(0,))


# --- constants --------------------------------------------------------------------------------

constant = general(
    "constant",
    type=lambda *, value: type_of(value),
    numpy=lambda *, value: value,
    cases=(
        Case((), {"value": np.arange(6.0).reshape(2, 3)}),
        Case((), {"value": np.array([True, False])}),
    ),
)
iota = general(
    "iota",
    generates=True,
    type=lambda *, shape, axis, dtype: ArrayType(shape, dtype),
    numpy=lambda *, shape, axis, dtype: _iota(shape, axis, dtype),
    cases=(
        Case((), {"shape": (4,), "axis": 0, "dtype": np.dtype(np.int64)}),
        Case((), {"shape": (2, 3), "axis": 1, "dtype": np.dtype(np.float64)}),
    ),
)


def _iota(shape: Axes, axis: int, dtype: Any) -> Any:
    along = np.arange(shape[axis], dtype=dtype).reshape(
        [-1 if i == axis else 1 for i in range(len(shape))]
    )
    return np.ascontiguousarray(np.broadcast_to(along, shape))


# --- sum and broadcast ------------------------------------------------------------------------


def _broadcast_numpy(x: Any, *, shape: Axes, axes: Axes) -> Any:
    return np.asarray(np.broadcast_to(np.expand_dims(x, axes), shape), order="C")


def _broadcast_type(x: ArrayType, *, shape: Axes, axes: Axes) -> ArrayType:
    if x.shape != tuple(n for i, n in enumerate(shape) if i not in axes):
        raise ShapeError(
            "`broadcast` got an operand that does not fill the other axes.",
            facts=[("operand", x), ("shape", shape), ("new axes", axes)],
            fix="reshape axes of size 1 away first.",
            code="T101",
        )
    return x.with_shape(shape)


broadcast = linear(
    "broadcast",
    generates=True,
    type=_broadcast_type,
    numpy=_broadcast_numpy,
    transpose=lambda ct, x, *, shape, axes: (reduce_sum(ct, axes=axes),),
    batch=lambda size, args, flags, *, shape, axes: (
        broadcast(args[0], shape=(size, *shape), axes=shifted(axes)),
        True,
    ),
    cases=(
        Case(("f64[3]",), {"shape": (2, 3), "axes": (0,)}),
        Case(("f64[3]",), {"shape": (3, 2), "axes": (1,)}),
        Case(("f32[]",), {"shape": (2, 2), "axes": (0, 1)}),
        Case(("i64[2]",), {"shape": (4, 2, 3), "axes": (0, 2)}),
        Case(("bool[2]",), {"shape": (2, 3), "axes": (1,)}),
    ),
)
reduce_sum = linear(
    "reduce_sum",
    type=lambda x, *, axes: x.drop(axes),
    numpy=lambda x, *, axes: np.sum(x, axis=axes, dtype=np.asarray(x).dtype),
    transpose=lambda ct, x, *, axes: (broadcast(ct, shape=np.shape(x), axes=axes),),
    batch=lambda size, args, flags, *, axes: (reduce_sum(args[0], axes=shifted(axes)), True),
    cases=(
        Case(("f64[3,4]",), {"axes": (0,)}),
        Case(("f64[3,4]",), {"axes": (1,)}),
        Case(("f32[3,4]",), {"axes": (0, 1)}),
        Case(("f64[2,3,4]",), {"axes": (0, 2)}),
        Case(("i64[5]",), {"axes": (0,)}),
        Case(("f64[0,3]",), {"axes": (0,)}),
    ),
)

# --- other reductions -------------------------------------------------------------------------

_REDUCE = ({"axes": (0,)}, {"axes": (1,)}, {"axes": (0, 1)})


def _extremum(name: str, ufunc: Any) -> Any:
    """max or min along axes; the derivative goes to the extremal elements in equal shares."""

    def mask(o: Any, x: Any, axes: Axes) -> Any:
        hit = ew.convert(ew.equal(x, broadcast(o, shape=np.shape(x), axes=axes)), dtype=x.dtype)
        return ew.div(hit, broadcast(reduce_sum(hit, axes=axes), shape=np.shape(x), axes=axes))

    def jvp(_: Any, args: Any, tangents: Any, *, axes: Axes) -> Any:
        o = op(args[0], axes=axes)
        return (o,), (reduce_sum(ew.mul(mask(o, args[0], axes), tangents[0]), axes=axes),)

    def vjp(_: Any, active: Any, args: Any, *, axes: Axes) -> Any:
        x = args[0]
        o = op(x, axes=axes)

        def pullback(cts: Any) -> Any:
            return (ew.mul(mask(o, x, axes), broadcast(cts[0], shape=np.shape(x), axes=axes)),)

        return (o,), pullback

    op = general(
        name,
        type=lambda x, *, axes: x.drop(axes),
        numpy=lambda x, *, axes: ufunc.reduce(x, axis=axes),
        jvp=jvp,
        vjp=vjp,
        batch=_batch_reduce(lambda *a, **k: op(*a, **k)),
        cases=tuple(Case((t,), p) for t in ("f64[3,4]", "f32[3,4]", "i64[3,4]") for p in _REDUCE),
    )
    return op


def _batch_reduce(op: Any) -> Any:
    def rule(_: Any, size: int, args: Any, flags: Any, *, axes: Axes) -> Any:
        return (op(args[0], axes=shifted(axes)),), (True,)

    return rule


reduce_max = _extremum("reduce_max", np.maximum)
reduce_min = _extremum("reduce_min", np.minimum)


def _logical(name: str, ufunc: Any) -> Any:
    op = general(
        name,
        type=lambda x, *, axes: x.drop(axes),
        numpy=lambda x, *, axes: ufunc.reduce(x, axis=axes),
        batch=_batch_reduce(lambda *a, **k: op(*a, **k)),
        cases=tuple(Case(("bool[3,4]",), p) for p in _REDUCE),
    )
    return op


reduce_and = _logical("reduce_and", np.logical_and)
reduce_or = _logical("reduce_or", np.logical_or)


def _arg_extremum(name: str, function: Any) -> Any:
    op = general(
        name,
        type=lambda x, *, axis: x.drop((axis,)).with_dtype(np.int64),
        numpy=lambda x, *, axis: np.asarray(function(x, axis=axis), dtype=np.int64),
        batch=lambda _, size, args, flags, *, axis: ((op(args[0], axis=axis + 1),), (True,)),
        cases=(
            Case(("f64[3,4]",), {"axis": 0}),
            Case(("f32[3,4]",), {"axis": 1}),
            Case(("i64[5]",), {"axis": 0}),
        ),
    )
    return op


argmax = _arg_extremum("argmax", np.argmax)
argmin = _arg_extremum("argmin", np.argmin)


def _accumulate(x: Any, axis: int, reverse: bool) -> Any:
    x = np.asarray(x)
    total = np.cumsum(np.flip(x, axis) if reverse else x, axis=axis, dtype=x.dtype)
    return np.ascontiguousarray(np.flip(total, axis)) if reverse else total


cumulative_sum = linear(
    "cumulative_sum",
    type=lambda x, *, axis, reverse: x,
    numpy=lambda x, *, axis, reverse: _accumulate(x, axis, reverse),
    transpose=lambda ct, x, *, axis, reverse: (cumulative_sum(ct, axis=axis, reverse=not reverse),),
    batch=lambda size, args, flags, *, axis, reverse: (
        cumulative_sum(args[0], axis=axis + 1, reverse=reverse),
        True,
    ),
    cases=tuple(
        Case((t,), {"axis": a, "reverse": r})
        for t in ("f64[3,4]", "f32[3,4]", "i64[2,3]")
        for a, r in ((0, False), (1, True))
    ),
)

# --- shape ------------------------------------------------------------------------------------

reshape = linear(
    "reshape",
    type=lambda x, *, shape: _reshape_type(x, shape),
    numpy=lambda x, *, shape: np.reshape(x, shape),
    transpose=lambda ct, x, *, shape: (reshape(ct, shape=np.shape(x)),),
    batch=lambda size, args, flags, *, shape: (reshape(args[0], shape=(size, *shape)), True),
    cases=(
        Case(("f64[3,4]",), {"shape": (2, 6)}),
        Case(("f64[1]",), {"shape": ()}),
        Case(("bool[2,3]",), {"shape": (6,)}),
    ),
)


def _reshape_type(x: ArrayType, shape: Axes) -> ArrayType:
    if x.size != int(np.prod(shape, dtype=np.int64)):
        raise ShapeError(
            "`reshape` cannot change the number of elements.",
            facts=[("operand", x), ("shape", shape)],
            note=f"{x.size} elements into {int(np.prod(shape, dtype=np.int64))}.",
            fix="give a shape with the same product, or -1 for one axis.",
            code="T101",
        )
    return x.with_shape(shape)


transpose = linear(
    "transpose",
    type=lambda x, *, permutation: x.with_shape(tuple(x.shape[p] for p in permutation)),
    numpy=lambda x, *, permutation: np.asarray(np.transpose(x, permutation), order="C"),
    transpose=lambda ct, x, *, permutation: (
        transpose(ct, permutation=tuple(np.argsort(permutation).tolist())),
    ),
    batch=lambda size, args, flags, *, permutation: (
        transpose(args[0], permutation=(0, *shifted(permutation))),
        True,
    ),
    cases=(
        Case(("f64[3,4]",), {"permutation": (1, 0)}),
        Case(("f32[2,3,4]",), {"permutation": (2, 0, 1)}),
        Case(("i64[2,3,4]",), {"permutation": (1, 0, 2)}),
    ),
)
reverse = linear(
    "reverse",
    type=lambda x, *, axes: x,
    numpy=lambda x, *, axes: np.asarray(np.flip(x, axes), order="C"),
    transpose=lambda ct, x, *, axes: (reverse(ct, axes=axes),),
    batch=lambda size, args, flags, *, axes: (reverse(args[0], axes=shifted(axes)), True),
    cases=(Case(("f64[3,4]",), {"axes": (0,)}), Case(("i64[3,4]",), {"axes": (0, 1)})),
)


def _concatenate_type(*types: ArrayType, axis: int) -> ArrayType:
    first = types[0]
    if any(t.dtype != first.dtype or t.drop((axis,)) != first.drop((axis,)) for t in types):
        raise ShapeError(
            f"`concatenate` along axis {axis} got operands that differ elsewhere or in dtype.",
            facts=[(f"operand {i}", t) for i, t in enumerate(types)],
            fix="make all other axes and the dtype equal.",
            code="T101",
        )
    return first.with_shape(
        tuple(
            sum(t.shape[axis] for t in types) if i == axis else n for i, n in enumerate(first.shape)
        )
    )


def _split_back(ct: Any, parts: Any, axis: int) -> tuple[Any, ...]:
    found, at = [], 0
    for part in parts:
        n = np.shape(part)[axis]
        start = tuple(at if a == axis else 0 for a in range(ct.ndim))
        limit = tuple(at + n if a == axis else m for a, m in enumerate(np.shape(ct)))
        found.append(slice_(ct, start=start, limit=limit, stride=(1,) * ct.ndim))
        at += n
    return tuple(found)


concatenate = linear(
    "concatenate",
    type=_concatenate_type,
    numpy=lambda *parts, axis: np.concatenate(parts, axis=axis),
    transpose=lambda ct, *parts, axis: _split_back(ct, parts, axis),
    linear_in=ALL,
    batch=lambda size, args, flags, *, axis: (
        concatenate(
            *(to_front(a, f, size) for a, f in zip(args, flags, strict=True)), axis=axis + 1
        ),
        True,
    ),
    cases=(
        Case(("f64[2,3]", "f64[1,3]", "f64[4,3]"), {"axis": 0}),
        Case(("f32[2,3]", "f32[2,1]"), {"axis": 1}),
        Case(("i64[2]", "i64[3]"), {"axis": 0}),
    ),
)

# --- slice and pad ----------------------------------------------------------------------------


def _slice_numpy(x: Any, *, start: Axes, limit: Axes, stride: Axes) -> Any:
    index = tuple(slice(a, b, s) for a, b, s in zip(start, limit, stride, strict=True))
    return np.asarray(np.asarray(x)[index], order="C")


def _slice_transpose(ct: Any, x: Any, *, start: Axes, limit: Axes, stride: Axes) -> Any:
    covered = tuple((n - 1) * s + 1 if n else 0 for n, s in zip(np.shape(ct), stride, strict=True))
    high = tuple(n - a - c for n, a, c in zip(np.shape(x), start, covered, strict=True))
    return (pad(ct, low=start, high=high, interior=tuple(s - 1 for s in stride)),)


slice_ = linear(
    "slice",
    type=lambda x, *, start, limit, stride: x.with_shape(
        tuple(max(0, -(-(b - a) // s)) for a, b, s in zip(start, limit, stride, strict=True))
    ),
    numpy=_slice_numpy,
    transpose=_slice_transpose,
    batch=lambda size, args, flags, *, start, limit, stride: (
        slice_(args[0], start=(0, *start), limit=(size, *limit), stride=(1, *stride)),
        True,
    ),
    cases=(
        Case(("f64[5,4]",), {"start": (1, 0), "limit": (5, 3), "stride": (2, 1)}),
        Case(("f64[6]",), {"start": (0,), "limit": (6,), "stride": (4,)}),
        Case(("i64[5]",), {"start": (2,), "limit": (3,), "stride": (1,)}),
    ),
)


def _pad_numpy(x: Any, *, low: Axes, high: Axes, interior: Axes) -> Any:
    x = np.asarray(x)
    out = np.zeros(_pad_shape(x.shape, low, high, interior), x.dtype)
    index = tuple(
        slice(a, a + ((n - 1) * (s + 1) + 1 if n else 0), s + 1)
        for a, n, s in zip(low, x.shape, interior, strict=True)
    )
    out[index] = x
    return out


def _pad_shape(shape: Axes, low: Axes, high: Axes, interior: Axes) -> Axes:
    return tuple(
        a + b + n + max(0, n - 1) * s for n, a, b, s in zip(shape, low, high, interior, strict=True)
    )


def _pad_transpose(ct: Any, x: Any, *, low: Axes, high: Axes, interior: Axes) -> Any:
    limit = tuple(n - b for n, b in zip(np.shape(ct), high, strict=True))
    return (slice_(ct, start=low, limit=limit, stride=tuple(s + 1 for s in interior)),)


pad = linear(
    "pad",
    type=lambda x, *, low, high, interior: x.with_shape(_pad_shape(x.shape, low, high, interior)),
    numpy=_pad_numpy,
    transpose=_pad_transpose,
    batch=lambda size, args, flags, *, low, high, interior: (
        pad(args[0], low=(0, *low), high=(0, *high), interior=(0, *interior)),
        True,
    ),
    cases=(
        Case(("f64[2,3]",), {"low": (1, 0), "high": (0, 2), "interior": (0, 1)}),
        Case(("i64[3]",), {"low": (0,), "high": (2,), "interior": (0,)}),
    ),
)

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
    return x.with_shape((*indices.shape[:-1], *x.shape[indices.shape[-1] :]))


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
    type=lambda x, indices, updates: x,
    numpy=_scatter_numpy,
    transpose=lambda ct, x, indices, updates: (ct, gather(ct, indices)),
    linear_in=(0, 2),
    batch=_batch_scatter,
    cases=(
        Case(("f64[3,2]", "i64[4,1]", "f64[4,2]"), values=(None, _INDEX, None)),
        Case(("f32[3,2]", "i64[2,2,2]", "f32[2,2]"), values=(None, _INDEX2, None)),
    ),
)

# --- order ------------------------------------------------------------------------------------

argsort = general(
    "argsort",
    type=lambda x, *, axis: x.with_dtype(np.int64),
    numpy=lambda x, *, axis: np.argsort(x, axis=axis, kind="stable"),
    batch=lambda _, size, args, flags, *, axis: ((argsort(args[0], axis=axis + 1),), (True,)),
    cases=(
        Case(("f64[7]",), {"axis": 0}),
        Case(("f32[3,5]",), {"axis": 1}),
        Case(("i64[6]",), {"axis": 0}, values=(np.array([2, 1, 2, 0, 1, 0]),)),
        Case(
            ("u64[5]",),
            {"axis": 0},
            values=(np.array([2**63, 1, 2**64 - 1, 0, 1], dtype=np.uint64),),
        ),
    ),
)


def zeros_like(x: Any) -> Any:
    """Zeros of the operand's shape and dtype."""
    shape = np.shape(x)
    return (
        broadcast(x.dtype.type(0), shape=shape, axes=tuple(range(len(shape))))
        if shape
        else x.dtype.type(0)
    )
