"""NumPy's functions that make, move and join arrays, and indexing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesdl._base.errors import ShapeError
from bayesdl._base.source import user_source
from bayesdl.ir.builder import Handle

from .. import elementwise as ew
from .. import structural as st
from ._elementwise import add, less, where
from ._promote import asarray, astype, broadcast_shape, broadcast_to, default_dtype, normal_axes, result_dtype, surface, weak

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
    return asarray(np.linspace(start, stop, num))


@surface("eye", "identity")
def eye(n: int, m: int | None = None, k: int = 0, dtype: Any = None) -> Any:
    """As ``numpy.eye``."""
    shape = (n, m or n)
    rows, columns = (st.iota(shape=shape, axis=a, dtype=np.dtype(np.int64)) for a in (0, 1))
    return astype(ew.equal(ew.add(rows, k), columns), dtype or default_dtype())


def _triangle(name: str, lower: bool) -> Any:
    def function(x: Any, k: int = 0) -> Any:
        x = asarray(x)
        n = x.ndim
        rows, columns = (st.iota(shape=x.shape, axis=n - 2 + a, dtype=np.dtype(np.int64)) for a in (0, 1))
        inside = ew.greater_equal(ew.add(rows, k), columns) if lower else ew.less_equal(ew.add(rows, k), columns)
        return ew.where(inside, x, x.dtype.type(0))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"As ``numpy.{name}``, over the last two axes."
    return surface(name)(function)


tril = _triangle("tril", True)
triu = _triangle("triu", False)

# --- moving -----------------------------------------------------------------------------------


@surface()
def reshape(x: Any, shape: Any, order: str = "C") -> Any:
    """As ``numpy.reshape``; one size may be −1."""
    x, sizes = asarray(x), _shape(shape)
    if -1 in sizes:
        known = math.prod(n for n in sizes if n != -1)
        sizes = tuple(x.size // known if n == -1 and known else n for n in sizes)
    return x if sizes == x.shape else st.reshape(x, shape=sizes)


@surface()
def ravel(x: Any, order: str = "C") -> Any:
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
    axes = [i for i, n in enumerate(x.shape) if n == 1] if axis is None else normal_axes(axis, x.ndim)
    if builtin_any(x.shape[a] != 1 for a in axes):
        raise ShapeError(
            "`squeeze` takes away axes of size 1 only.",
            facts=[("array", x.shape), ("axes", tuple(axes))],
            where=user_source(),
            code="T101",
        )
    return reshape(x, tuple(n for i, n in enumerate(x.shape) if i not in axes))


builtin_any = any

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
def roll(x: Any, shift: int, axis: int | None = None) -> Any:
    """As ``numpy.roll`` along one axis."""
    x = asarray(x)
    if axis is None:
        return reshape(roll(ravel(x), shift, 0), x.shape)
    n = x.shape[axis]
    at = (-shift) % n if n else 0
    parts = [_part(x, axis, at, n), _part(x, axis, 0, at)]
    return concatenate(parts, axis) if at else x


def _part(x: Any, axis: int, start: int, limit: int) -> Any:
    index: list[Any] = [slice(None)] * x.ndim
    index[axis] = slice(start, limit)
    return getitem(x, tuple(index))


@surface()
def pad(x: Any, pad_width: Any, constant_values: Any = 0) -> Any:
    """As ``numpy.pad`` with a constant."""
    x = asarray(x)
    widths = np.broadcast_to(np.asarray(pad_width), (x.ndim, 2))
    low, high = (tuple(int(w) for w in column) for column in widths.T)
    inside = {"low": low, "high": high, "interior": (0,) * x.ndim}
    if np.ndim(constant_values) == 0 and not isinstance(constant_values, Handle) and constant_values == 0:
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
def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """As ``numpy.split``."""
    x = asarray(x)
    axis = normal_axes(axis, x.ndim)[0]
    n = x.shape[axis]
    if isinstance(indices_or_sections, int):
        step = n // indices_or_sections
        edges = [i * step for i in range(indices_or_sections)] + [n]
    else:
        edges = [0, *(int(i) for i in indices_or_sections), n]
    return [_part(x, axis, a, b) for a, b in zip(edges[:-1], edges[1:], strict=True)]


@surface()
def tile(x: Any, reps: Any) -> Any:
    """As ``numpy.tile``."""
    x, counts = asarray(x), _shape(reps)
    rank = max(x.ndim, len(counts))
    counts = (1,) * (rank - len(counts)) + counts
    shape = (1,) * (rank - x.ndim) + x.shape
    wide = broadcast_to(reshape(x, tuple(m for n in shape for m in (1, n))), tuple(m for c, n in zip(counts, shape, strict=True) for m in (c, n)))
    return reshape(wide, tuple(c * n for c, n in zip(counts, shape, strict=True)))


@surface()
def repeat(x: Any, repeats: int, axis: int | None = None) -> Any:
    """As ``numpy.repeat`` with one count."""
    x = asarray(x)
    if axis is None:
        x, axis = ravel(x), 0
    axis = normal_axes(axis, x.ndim)[0]
    wide = broadcast_to(expand_dims(x, axis + 1), (*x.shape[: axis + 1], repeats, *x.shape[axis + 1 :]))
    return reshape(wide, (*x.shape[:axis], x.shape[axis] * repeats, *x.shape[axis + 1 :]))


@surface()
def diff(x: Any, axis: int = -1) -> Any:
    """As ``numpy.diff`` of first order."""
    x = asarray(x)
    axis = normal_axes(axis, x.ndim)[0]
    n = x.shape[axis]
    return ew.sub(_part(x, axis, 1, n), _part(x, axis, 0, n - 1))


# --- indexing ---------------------------------------------------------------------------------


@surface()
def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """As ``numpy.take``; indices are clamped to the axis."""
    x = asarray(x)
    if axis is None:
        x, axis = ravel(x), 0
    axis = normal_axes(axis, x.ndim)[0]
    return getitem(x, (slice(None),) * axis + (asarray(indices),))


@surface()
def take_along_axis(x: Any, indices: Any, axis: int) -> Any:
    """As ``numpy.take_along_axis``."""
    x, indices = asarray(x), asarray(indices)
    axis = normal_axes(axis, x.ndim)[0]
    shape = indices.shape
    places = [
        astype(indices, np.int64) if a == axis else st.iota(shape=shape, axis=a, dtype=np.dtype(np.int64))
        for a in range(x.ndim)
    ]
    return getitem(x, tuple(places))


@surface()
def sort(x: Any, axis: int = -1) -> Any:
    """As ``numpy.sort``."""
    x = asarray(x)
    return take_along_axis(x, st.argsort(x, axis=normal_axes(axis, x.ndim)[0]), axis)


@surface()
def diagonal(x: Any) -> Any:
    """The diagonal of the last two axes."""
    x = asarray(x)
    n = min(x.shape[-2:])
    line = st.iota(shape=(n,), axis=0, dtype=np.dtype(np.int64))
    return getitem(x, (Ellipsis, line, line))


@surface()
def diag(x: Any) -> Any:
    """As ``numpy.diag`` on the main diagonal."""
    x = asarray(x)
    if x.ndim == 2:
        return diagonal(x)
    n = x.shape[0]
    rows, columns = (st.iota(shape=(n, n), axis=a, dtype=np.dtype(np.int64)) for a in (0, 1))
    return ew.where(ew.equal(rows, columns), broadcast_to(x, (n, n)), x.dtype.type(0))


@surface()
def getitem(x: Any, index: Any) -> Any:
    """``x[index]`` with slices, integers, None, Ellipsis and integer arrays; arrays are clamped."""
    x = asarray(x)
    parts = _expanded(index if isinstance(index, tuple) else (index,), x.ndim)
    x, parts = _sliced(x, parts)
    x, parts = _with_new_axes(x, parts)
    if not builtin_any(_is_array(p) for p in parts):
        return x
    return _gathered(x, parts)


def _is_array(part: Any) -> bool:
    return not isinstance(part, slice)


def _expanded(index: tuple[Any, ...], rank: int) -> list[Any]:
    """One entry per axis (and per None): slices, ints and arrays."""
    found: list[Any] = []
    for part in index:
        if isinstance(part, (np.ndarray, list)) and np.asarray(part).dtype.kind == "b":
            found.extend(np.nonzero(np.asarray(part)))
        elif isinstance(part, Handle) and part.dtype.kind == "b":
            raise ShapeError(
                "a boolean array in flight cannot index: the size of the result would depend on its values.",
                fix="use where(mask, x, 0), or a NumPy mask known at trace time.",
                where=user_source(),
                code="T108",
            )
        else:
            found.append(part)
    used = sum(p is not None and p is not Ellipsis for p in found)
    if used > rank:
        raise ShapeError(
            "too many indices.",
            facts=[("axes", rank), ("indices", used)],
            where=user_source(),
            code="T101",
        )
    at = next((i for i, p in enumerate(found) if p is Ellipsis), len(found))
    rest = found[at + 1 :]
    return [*found[:at], *[slice(None)] * (rank - used), *rest]


def _sliced(x: Any, parts: list[Any]) -> tuple[Any, list[Any]]:
    """Do all that is static: slices and integers. What is left: None, slice(None) and arrays."""
    start, limit, stride, flips, drops, left = [], [], [], [], [], []
    axis = 0
    for part in parts:
        if part is None:
            left.append(None)
            continue
        n = x.shape[axis]
        if isinstance(part, slice):
            a, b, s = part.indices(n)
            if s < 0:
                count = len(range(a, b, s))
                flips.append(axis)
                a, b, s = (a + (count - 1) * s, a + 1, -s) if count else (0, 0, 1)
            left.append(slice(None))
        elif isinstance(part, (int, np.integer)):
            a = _in_range(int(part), n, axis)
            b, s = a + 1, 1
            drops.append(axis)
        else:
            a, b, s = 0, n, 1
            left.append(asarray(part))
        start.append(a)
        limit.append(max(a, b))
        stride.append(s)
        axis += 1
    if tuple(start) != (0,) * axis or tuple(limit) != x.shape or builtin_any(s != 1 for s in stride):
        x = st.slice_(x, start=tuple(start), limit=tuple(limit), stride=tuple(stride))
    if flips:
        x = st.reverse(x, axes=tuple(flips))
    return reshape(x, tuple(n for i, n in enumerate(x.shape) if i not in drops)), left


def _in_range(index: int, n: int, axis: int) -> int:
    if not -n <= index < n:
        raise ShapeError(
            f"index {index} is outside axis {axis}.",
            facts=[("size of the axis", n)],
            where=user_source(),
            code="T101",
        )
    return index % n


def _with_new_axes(x: Any, parts: list[Any]) -> tuple[Any, list[Any]]:
    if builtin_any(p is None for p in parts):
        sizes = iter(x.shape)
        x = reshape(x, tuple(1 if p is None else next(sizes) for p in parts))
    return x, [slice(None) if p is None else p for p in parts]


def _gathered(x: Any, parts: list[Any]) -> Any:
    """Integer arrays: their axes go to the front, are gathered, and come back where NumPy puts them."""
    axes = [i for i, p in enumerate(parts) if _is_array(p)]
    rest = [i for i in range(x.ndim) if i not in axes]
    shape = broadcast_shape(*(np.shape(parts[i]) for i in axes))
    columns = []
    for i in axes:
        place = broadcast_to(astype(parts[i], np.int64), shape)
        place = where(less(place, 0), add(place, x.shape[i]), place)
        columns.append(expand_dims(place, -1))
    indices = concatenate(columns, -1)
    found = st.gather(transpose(x, [*axes, *rest]), indices)
    together = axes == list(range(axes[0], axes[-1] + 1))
    if not together or axes[0] == 0:
        return found
    k, before = len(shape), axes[0]
    order = [*range(k, k + before), *range(k), *range(k + before, found.ndim)]
    return transpose(found, order)
