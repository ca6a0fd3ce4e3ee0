"""Operands made equal: NumPy's broadcasting and promotion, the only place that knows them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from bayesdl._base.errors import DtypeError, ShapeError
from bayesdl._base.source import user_source
from bayesdl.ir.builder import Handle
from bayesdl.ir.types import SHORT, ArrayType

from .. import elementwise as ew
from .. import structural as st
from .._declare import PLAIN

FUNCTIONS: dict[str, Callable[..., Any]] = {}


class _Default(threading.local):
    def __init__(self) -> None:
        self.dtype = np.dtype(np.float64)


_DEFAULT = _Default()


def default_dtype() -> np.dtype[Any]:
    """The dtype of floats that nobody has given one: float64 unless a trace says float32."""
    return _DEFAULT.dtype


@contextmanager
def using_dtype(dtype: Any) -> Iterator[None]:
    """Trace with another default float dtype; wider floats met on the way are cast to it."""
    previous, _DEFAULT.dtype = _DEFAULT.dtype, np.dtype(dtype)
    try:
        yield
    finally:
        _DEFAULT.dtype = previous


def surface(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a function under its NumPy names, for `bayesdl.numpy` and for NumPy's own protocols."""

    def enter(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in names or (function.__name__.rstrip("_"),):
            FUNCTIONS[name] = function
        return function

    return enter


def asarray(x: Any, dtype: Any = None) -> Any:
    """A Handle, or a NumPy array of a dtype that Programs have."""
    if isinstance(x, (list, tuple)) and any(isinstance(leaf, Handle) for leaf in nested(x)):
        return astype(_stack_nested(x), dtype) if dtype is not None else _stack_nested(x)
    if not isinstance(x, Handle):
        x = _from_numpy(x)
    return astype(x, dtype) if dtype is not None else x


def astype(x: Any, dtype: Any) -> Any:
    """Cast to a dtype; nothing happens where it is the same."""
    x = asarray(x)
    wanted = _known(np.dtype(dtype))
    return x if x.dtype == wanted else ew.convert(x, dtype=wanted)


def result_dtype(*operands: Any) -> np.dtype[Any]:
    """The common dtype: NumPy's rule, but a float beside integers keeps its own width.

    Python numbers are weak: they take the width of the arrays beside them.
    """
    arrays = [a.dtype for a in operands if not weak(a)]
    loose = [a for a in operands if weak(a)]
    floats = [d for d in arrays if d.kind == "f"]
    if floats:
        return np.result_type(*floats)
    if any(type(a) is float for a in loose):
        return default_dtype()
    if arrays:
        plain = [d for d in arrays if d.kind != "b"] or arrays
        if any(type(a) is int for a in loose) and plain[0].kind == "b":
            return np.dtype(np.int64)
        return _known(np.result_type(*plain))
    return np.dtype(np.bool_) if all(type(a) is bool for a in loose) else np.dtype(np.int64)


def weak(x: Any) -> bool:
    """Whether a value is a plain Python number."""
    return type(x) in PLAIN


def promoted(*operands: Any, floating: bool = False) -> list[Any]:
    """Operands of one dtype and one shape, ready for a strict primitive.

    Python numbers stay literals and are not stretched.
    """
    kind = _common_float(operands)
    if kind is not None:
        return [kind.type(x) if type(x) in PLAIN else x for x in operands]
    ready = [x if weak(x) else asarray(x) for x in operands]
    dtype = result_dtype(*ready)
    if floating and dtype.kind != "f":
        dtype = default_dtype()
    cast = [dtype.type(x) if weak(x) else astype(x, dtype) for x in ready]
    return stretched(cast)


def _common_float(operands: Sequence[Any]) -> np.dtype[Any] | None:
    """The dtype of arrays in flight of one float type, Python numbers apart; None for all else."""
    kind: ArrayType | None = None
    for x in operands:
        if isinstance(x, Handle):
            own = x.atom.type
            if kind is None:
                kind = own
            elif own is not kind and own != kind:
                return None
        elif type(x) not in PLAIN:
            return None
    return kind.dtype if kind is not None and kind.dtype.kind == "f" else None


def stretched(operands: Sequence[Any]) -> list[Any]:
    """Operands broadcast to their common shape; literals are left as they are."""
    shapes = [x.shape for x in operands]
    shape = broadcast_shape(*shapes)
    return [x if _is_literal(x) else broadcast_to(x, shape) for x in operands]


def broadcast_shape(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The common shape, read from the right.

    Raises
    ------
    ShapeError
        If two sizes differ and neither is 1.
    """
    if len(set(shapes)) == 1:
        return shapes[0]
    rank = max((len(s) for s in shapes), default=0)
    out = []
    for axis in range(-rank, 0):
        sizes = {s[axis] for s in shapes if len(s) >= -axis} - {1}
        if len(sizes) > 1:
            first, second = sorted(sizes)[:2]
            raise ShapeError(
                "shapes do not broadcast together.",
                facts=[(f"operand {i}", s) for i, s in enumerate(shapes)],
                note=f"Read from the right, axis {axis}: {first} ≠ {second}.",
                fix="index one of them by group, as in mu[group], or give it size 1 there.",
                where=user_source(),
                code="T101",
            )
        out.append(sizes.pop() if sizes else 1)
    return tuple(out)


def broadcast_to(x: Any, shape: Any) -> Any:
    """The array repeated to a shape."""
    shape = tuple(shape)
    own = np.shape(x)
    if own == shape:
        return x
    if len(own) > len(shape) or broadcast_shape(own, shape) != shape:
        raise ShapeError(
            "an array cannot be broadcast to that shape.",
            facts=[("array", own), ("shape", shape)],
            fix="give the array size 1 along the axes to repeat.",
            where=user_source(),
            code="T101",
        )
    offset = len(shape) - len(own)
    repeated = [i for i, n in enumerate(own) if n == 1 and shape[i + offset] != 1]
    if repeated:
        x = st.reshape(x, shape=tuple(n for i, n in enumerate(own) if i not in repeated))
    axes = tuple(range(offset)) + tuple(i + offset for i in repeated)
    return st.broadcast(x, shape=shape, axes=axes) if axes else x


def normal_axes(axis: Any, rank: int) -> tuple[int, ...]:
    """Axes as sorted non-negative numbers; None means all."""
    if axis is None:
        return tuple(range(rank))
    found = []
    for a in (axis,) if isinstance(axis, (int, np.integer)) else axis:
        if not -rank <= a < rank:
            raise ShapeError(
                f"axis {a} does not exist.",
                facts=[("number of axes", rank)],
                where=user_source(),
                code="T101",
            )
        found.append(int(a) % rank)
    return tuple(sorted(found))


def type_of(x: Any) -> ArrayType:
    """Shape and dtype of an operand."""
    return ArrayType(np.shape(x), np.dtype(x.dtype))


def _is_literal(x: Any) -> bool:
    return not isinstance(x, Handle) and x.ndim == 0


def _from_numpy(x: Any) -> Any:
    array = x if isinstance(x, (np.ndarray, np.generic)) else np.asarray(x)
    if array.dtype.kind not in "fiub":
        raise DtypeError(
            f"an array of dtype {array.dtype} cannot enter a Program.",
            facts=[("value", repr(x)[:60])],
            fix="convert it to float, int or bool first.",
            where=user_source(),
            code="T102",
        )
    wanted = _known(array.dtype)
    if wanted.kind == "f" and wanted.itemsize > default_dtype().itemsize:
        wanted = default_dtype()
    if wanted == array.dtype:
        return array
    return array.astype(wanted)


def _known(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The nearest dtype that Programs have: small integers widen to 32 bits, halves to float32."""
    if dtype in SHORT:
        return dtype
    if dtype.kind == "f":
        return np.dtype(np.float32 if dtype.itemsize < 8 else np.float64)
    if dtype.kind in "iu":
        name = "int" if dtype.kind == "i" else "uint"
        return np.dtype(f"{name}{64 if dtype.itemsize > 4 else 32}")
    return np.dtype(np.bool_) if dtype.kind == "b" else dtype


def nested(x: Any) -> Iterator[Any]:
    """What stands in nested lists and tuples."""
    for item in x:
        if isinstance(item, (list, tuple)):
            yield from nested(item)
        else:
            yield item


def _stack_nested(x: Any) -> Any:
    return FUNCTIONS["stack"]([_stack_nested(i) if isinstance(i, (list, tuple)) else i for i in x])
