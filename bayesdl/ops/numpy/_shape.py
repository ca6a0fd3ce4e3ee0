"""NumPy's functions that make, move and join arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesdl._base.errors import ArgumentError, ShapeError
from bayesdl._base.memory import require_array
from bayesdl._base.source import user_source
from bayesdl.ir.builder import Handle

from .. import elementwise as ew
from .. import structural as st
from ._elementwise import where
from ._promote import (
    asarray,
    astype,
    broadcast_shape,
    broadcast_to,
    default_dtype,
    normal_axes,
    result_dtype,
    surface,
    weak,
)

# --- making -----------------------------------------------------------------------------------


def _shape(shape: Any) -> tuple[int, ...]:
    return (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(int(n) for n in shape)


@surface()
def full(shape: Any, fill_value: Any, dtype: Any = None) -> Any:
    """As ``numpy.full``."""
    value = asarray(fill_value)
    if dtype is None and weak(fill_value) and type(fill_value) is float:
        dtype = default_dtype()
    return broadcast_to(astype(value, dtype) if dtype is not None else value, _shape(shape))


@surface()
def zeros(shape: Any, dtype: Any = None) -> Any:
    """As ``numpy.zeros``, in the default float dtype."""
    return full(shape, np.dtype(dtype or default_dtype()).type(0))


@surface()
def ones(shape: Any, dtype: Any = None) -> Any:
    """As ``numpy.ones``, in the default float dtype."""
    return full(shape, np.dtype(dtype or default_dtype()).type(1))


def _like(name: str, value: float) -> Any:
    def function(x: Any, dtype: Any = None) -> Any:
        x = asarray(x)
        return full(x.shape, np.dtype(dtype or x.dtype).type(value))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"As ``numpy.{name}``."
    return surface(name)(function)


zeros_like = _like("zeros_like", 0)
ones_like = _like("ones_like", 1)


@surface()
def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Any:
    """As ``numpy.full_like``."""
    x = asarray(x)
    return full(x.shape, fill_value, dtype or x.dtype)


@surface()
def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Any:
    """As ``numpy.arange``, of Python numbers."""
    low, high = (0, start) if stop is None else (start, stop)
    kind = np.dtype(dtype) if dtype is not None else np.arange(low, low, step).dtype
    kind = default_dtype() if dtype is None and kind.kind == "f" else kind
    count = max(0, math.ceil((high - low) / step))
    line = st.iota(shape=(count,), axis=0, dtype=kind)
    scaled = line if step == 1 else ew.mul(line, kind.type(step))
    return scaled if low == 0 else ew.add(scaled, kind.type(low))


@surface()
def linspace(start: Any, stop: Any, num: int = 50) -> Any:
    """As ``numpy.linspace``."""
    require_array((num, *np.shape(start)), 8)
    return asarray(np.linspace(start, stop, num))


@surface("eye", "identity")
def eye(n: int, m: int | None = None, k: int = 0, dtype: Any = None) -> Any:
    """As ``numpy.eye``."""
    shape = (n, n if m is None else m)
    rows, columns = (st.iota(shape=shape, axis=a, dtype=np.dtype(np.int64)) for a in (0, 1))
    return astype(ew.equal(ew.add(rows, k), columns), dtype or default_dtype())


def _triangle(name: str, lower: bool) -> Any:
    def function(x: Any, k: int = 0) -> Any:
        x = asarray(x)
        n = x.ndim
        whole = np.dtype(np.int64)
        rows, columns = (st.iota(shape=x.shape, axis=n - 2 + a, dtype=whole) for a in (0, 1))
        compare = ew.greater_equal if lower else ew.less_equal
        return ew.where(compare(ew.add(rows, k), columns), x, x.dtype.type(0))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"As ``numpy.{name}``, over the last two axes."
    return surface(name)(function)


tril = _triangle("tril", True)
triu = _triangle("triu", False)

# --- moving -----------------------------------------------------------------------------------


@surface()
def reshape(x: Any, shape: Any) -> Any:
    """As ``numpy.reshape``; one size may be −1."""
    x, sizes = asarray(x), _shape(shape)
    known = math.prod(n for n in sizes if n != -1)
    if sizes.count(-1) == 1 and known:
        sizes = tuple(x.size // known if n == -1 else n for n in sizes)
    if -1 in sizes or math.prod(sizes) != x.size:
        raise ShapeError(
            "`reshape` cannot change the number of elements.",
            facts=[("array", x.shape, f"{x.size} elements"), ("shape", _shape(shape))],
            fix="give a shape with the same product, or −1 for one axis.",
            where=user_source(),
            code="T101",
        )
    return x if sizes == x.shape else st.reshape(x, shape=sizes)


@surface()
def ravel(x: Any) -> Any:
    """As ``numpy.ravel``."""
    return reshape(x, (-1,))


@surface()
def transpose(x: Any, axes: Any = None) -> Any:
    """As ``numpy.transpose``."""
    x = asarray(x)
    order = tuple(range(x.ndim))[::-1] if axes is None else tuple(int(a) % x.ndim for a in axes)
    return x if order == tuple(range(x.ndim)) else st.transpose(x, permutation=order)


@surface()
def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """As ``numpy.swapaxes``."""
    order = list(range(asarray(x).ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return transpose(x, order)


@surface()
def moveaxis(x: Any, source: int, destination: int) -> Any:
    """As ``numpy.moveaxis`` for one axis."""
    rank = asarray(x).ndim
    order = [i for i in range(rank) if i != source % rank]
    order.insert(destination % rank, source % rank)
    return transpose(x, order)


@surface()
def matrix_transpose(x: Any) -> Any:
    """As ``numpy.matrix_transpose``."""
    return swapaxes(x, -1, -2)


@surface()
def expand_dims(x: Any, axis: Any) -> Any:
    """As ``numpy.expand_dims``."""
    x = asarray(x)
    new = (axis,) if isinstance(axis, int) else tuple(axis)
    rank = x.ndim + len(new)
    places = {a % rank for a in new}
    sizes = iter(x.shape)
    return reshape(x, tuple(1 if i in places else next(sizes) for i in range(rank)))


@surface()
def squeeze(x: Any, axis: Any = None) -> Any:
    """As ``numpy.squeeze``."""
    x = asarray(x)
    axes = (
        [i for i, n in enumerate(x.shape) if n == 1] if axis is None else normal_axes(axis, x.ndim)
    )
    if any(x.shape[a] != 1 for a in axes):
        raise ShapeError(
            "`squeeze` takes away axes of size 1 only.",
            facts=[("array", x.shape), ("axes", tuple(axes))],
            where=user_source(),
            code="T101",
        )
    return reshape(x, tuple(n for i, n in enumerate(x.shape) if i not in axes))


surface("broadcast_to")(lambda x, shape: broadcast_to(asarray(x), _shape(shape)))


@surface()
def broadcast_arrays(*arrays: Any) -> list[Any]:
    """As ``numpy.broadcast_arrays``."""
    ready = [asarray(a) for a in arrays]
    shape = broadcast_shape(*(a.shape for a in ready))
    return [broadcast_to(a, shape) for a in ready]


surface("broadcast_shapes")(broadcast_shape)


@surface()
def flip(x: Any, axis: Any = None) -> Any:
    """As ``numpy.flip``."""
    x = asarray(x)
    return st.reverse(x, axes=normal_axes(axis, x.ndim))


@surface()
def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = 0) -> Any:
    """As ``numpy.pad`` in its mode "constant"."""
    if mode != "constant":
        raise ArgumentError(
            f"`pad` has no mode {mode!r}.",
            fix='use mode="constant", or concatenate the edges yourself.',
            where=user_source(),
            code="A101",
        )
    x = asarray(x)
    widths = np.broadcast_to(np.asarray(pad_width), (x.ndim, 2))
    low, high = (tuple(int(w) for w in column) for column in widths.T)
    inside = {"low": low, "high": high, "interior": (0,) * x.ndim}
    if (
        np.ndim(constant_values) == 0
        and not isinstance(constant_values, Handle)
        and constant_values == 0
    ):
        return st.pad(x, **inside)
    mask = st.pad(full(x.shape, np.bool_(True)), **inside)
    return where(mask, st.pad(x, **inside), constant_values)


# --- joining ----------------------------------------------------------------------------------


@surface("concatenate", "concat")
def concatenate(arrays: Sequence[Any], axis: int | None = 0) -> Any:
    """As ``numpy.concatenate``."""
    ready = [asarray(a) for a in arrays]
    if axis is None:
        ready, axis = [ravel(a) for a in ready], 0
    dtype = result_dtype(*ready)
    parts = [astype(a, dtype) for a in ready]
    if len(parts) == 1:
        return parts[0]
    return st.concatenate(*parts, axis=normal_axes(axis, parts[0].ndim)[0])


@surface()
def stack(arrays: Sequence[Any], axis: int = 0) -> Any:
    """As ``numpy.stack``."""
    return concatenate([expand_dims(a, axis) for a in arrays], axis)


@surface()
def atleast_1d(x: Any) -> Any:
    """As ``numpy.atleast_1d`` for one array."""
    x = asarray(x)
    return x if x.ndim else reshape(x, (1,))


@surface()
def hstack(arrays: Sequence[Any]) -> Any:
    """As ``numpy.hstack``."""
    ready = [atleast_1d(a) for a in arrays]
    return concatenate(ready, 0 if ready[0].ndim == 1 else 1)


@surface()
def vstack(arrays: Sequence[Any]) -> Any:
    """As ``numpy.vstack``."""
    ready = [asarray(a) for a in arrays]
    return concatenate([a if a.ndim > 1 else reshape(a, (1, -1)) for a in ready], 0)


@surface()
def column_stack(arrays: Sequence[Any]) -> Any:
    """As ``numpy.column_stack``."""
    ready = [asarray(a) for a in arrays]
    return concatenate([a if a.ndim > 1 else reshape(a, (-1, 1)) for a in ready], 1)


@surface()
def tile(x: Any, reps: Any) -> Any:
    """As ``numpy.tile``."""
    x, counts = asarray(x), _shape(reps)
    rank = max(x.ndim, len(counts))
    counts = (1,) * (rank - len(counts)) + counts
    shape = (1,) * (rank - x.ndim) + x.shape
    pairs = list(zip(counts, shape, strict=True))
    apart = reshape(x, tuple(m for n in shape for m in (1, n)))
    wide = broadcast_to(apart, tuple(m for pair in pairs for m in pair))
    return reshape(wide, tuple(c * n for c, n in pairs))


@surface()
def repeat(x: Any, repeats: int, axis: int | None = None) -> Any:
    """As ``numpy.repeat`` with one count."""
    x = asarray(x)
    if axis is None:
        x, axis = ravel(x), 0
    axis = normal_axes(axis, x.ndim)[0]
    wide = broadcast_to(
        expand_dims(x, axis + 1), (*x.shape[: axis + 1], repeats, *x.shape[axis + 1 :])
    )
    return reshape(wide, (*x.shape[:axis], x.shape[axis] * repeats, *x.shape[axis + 1 :]))
