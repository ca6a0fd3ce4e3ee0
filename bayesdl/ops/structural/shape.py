"""The same numbers in another shape: reshape, transpose, reverse, concatenate, and slice/pad."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl._base.errors import ShapeError
from bayesdl._base.memory import require_array
from bayesdl.ir.primitive import ALL, Case
from bayesdl.ir.types import ArrayType

from .._declare import linear
from .repeat import Axes, shifted, to_front

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
    shape = _pad_shape(x.shape, low, high, interior)
    require_array(shape, x.itemsize)
    out = np.zeros(shape, x.dtype)
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

# --- concatenate ------------------------------------------------------------------------------


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


def _concatenate_numpy(parts: Any, axis: int) -> Any:
    first = np.asarray(parts[0])
    length = sum(np.shape(part)[axis] for part in parts)
    require_array((*first.shape[:axis], length, *first.shape[axis + 1 :]), first.itemsize)
    return np.concatenate(parts, axis=axis)


concatenate = linear(
    "concatenate",
    type=_concatenate_type,
    numpy=lambda *parts, axis: _concatenate_numpy(parts, axis),
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
