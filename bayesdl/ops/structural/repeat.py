"""Constants, and the pair broadcast/reduce_sum: a number repeated, numbers added up."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl._base.errors import ShapeError
from bayesdl._base.memory import require_array
from bayesdl.ir.primitive import Case
from bayesdl.ir.types import ArrayType, type_of

from .._declare import general, linear

Axes = tuple[int, ...]


def shifted(axes: Axes) -> Axes:
    """Axes behind a batch axis in front."""
    return tuple(a + 1 for a in axes)


def to_front(x: Any, batched: bool, size: int) -> Any:
    """The operand with a batch axis in front, made by repetition where it has none."""
    return x if batched else broadcast(x, shape=(size, *np.shape(x)), axes=(0,))


def zeros_like(x: Any) -> Any:
    """Zeros of the operand's shape and dtype."""
    shape = np.shape(x)
    return (
        broadcast(x.dtype.type(0), shape=shape, axes=tuple(range(len(shape))))
        if shape
        else x.dtype.type(0)
    )


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
    require_array(shape, np.dtype(dtype).itemsize)
    along = np.arange(shape[axis], dtype=dtype).reshape(
        [-1 if i == axis else 1 for i in range(len(shape))]
    )
    return np.ascontiguousarray(np.broadcast_to(along, shape))


# --- sum and broadcast ------------------------------------------------------------------------


def _broadcast_numpy(x: Any, *, shape: Axes, axes: Axes) -> Any:
    x = np.asarray(x)
    require_array(shape, x.itemsize)
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
