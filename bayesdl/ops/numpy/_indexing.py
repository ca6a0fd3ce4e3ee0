"""NumPy's indexing, and what is made of it: take, sort, diagonals, roll, split."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from bayesdl._base.errors import DtypeError, ShapeError
from bayesdl._base.source import user_source
from bayesdl.ir.builder import Handle

from .. import elementwise as ew
from .. import structural as st
from ._elementwise import add, less, where
from ._promote import (
    asarray,
    astype,
    broadcast_shape,
    broadcast_to,
    nested,
    normal_axes,
    surface,
)
from ._shape import concatenate, expand_dims, moveaxis, ravel, reshape, transpose

_INT = np.dtype(np.int64)


@surface()
def getitem(x: Any, index: Any) -> Any:
    """``x[index]`` with slices, integers, None, Ellipsis, integer arrays and known masks.

    An integer array in flight is clamped to the axis; one that is known is checked.
    """
    x = asarray(x)
    parts = _expanded(index if isinstance(index, tuple) else (index,), x)
    places = [i for i, p in enumerate(parts) if p is not None and not isinstance(p, slice)]
    apart = bool(places) and places[-1] - places[0] >= len(places)
    x, parts = _sliced(x, parts)
    x, parts = _with_new_axes(x, parts)
    return x if all(isinstance(p, slice) for p in parts) else _gathered(x, parts, apart)


def _expanded(index: tuple[Any, ...], x: Any) -> list[Any]:
    """One entry per axis (and per None): slices, ints and integer arrays."""
    found: list[Any] = []
    for part in index:
        if isinstance(part, (np.ndarray, np.bool_, bool, list)) and _is_mask(part):
            found.extend(_mask_places(np.asarray(part), x, found))
        elif isinstance(part, Handle) and part.type.dtype.kind == "b":
            raise ShapeError(
                "a boolean array in flight cannot index: the size of the result would depend on "
                "its values.",
                fix="use where(mask, x, 0), or a NumPy mask known at trace time.",
                where=user_source(),
                code="T108",
            )
        else:
            found.append(part)
    used = sum(p is not None and p is not Ellipsis for p in found)
    dots = [i for i, p in enumerate(found) if p is Ellipsis]
    if used > x.ndim or len(dots) > 1:
        raise ShapeError(
            "too many indices.",
            facts=[("array", x.shape), ("indices", used), ("`...`", len(dots))],
            fix="give at most one index per axis, and one `...`.",
            where=user_source(),
            code="T101",
        )
    at = dots[0] if dots else len(found)
    return [*found[:at], *[slice(None)] * (x.ndim - used), *found[at + 1 :]]


def _is_mask(part: Any) -> bool:
    if isinstance(part, list) and any(isinstance(leaf, Handle) for leaf in nested(part)):
        return False
    return np.asarray(part).dtype.kind == "b"


def _mask_places(mask: np.ndarray[Any, Any], x: Any, before: list[Any]) -> tuple[Any, ...]:
    axis = sum(p is not None and p is not Ellipsis for p in before)
    # Behind an Ellipsis the axes are counted from the end, and the gather checks them.
    if (Ellipsis not in before and mask.shape != x.shape[axis : axis + mask.ndim]) or not mask.ndim:
        raise ShapeError(
            "a boolean index needs the shape of the axes that it chooses from.",
            facts=[("mask", mask.shape), ("axes", x.shape[axis : axis + mask.ndim])],
            fix="build the mask from the array itself, or of its shape.",
            where=user_source(),
            code="T101",
        )
    return np.nonzero(mask)


def _sliced(x: Any, parts: list[Any]) -> tuple[Any, list[Any]]:
    """Do all that is static: slices and integers. What is left: None, slice(None) and arrays."""
    windows: list[tuple[int, int, int]] = []
    flips: list[int] = []
    drops: list[int] = []
    left: list[Any] = []
    for part in parts:
        if part is None:
            left.append(None)
            continue
        axis = len(windows)
        n = x.shape[axis]
        if isinstance(part, slice):
            windows.append(_window(part, n))
            flips.extend([axis] if (part.step or 1) < 0 else [])
            left.append(slice(None))
        elif isinstance(part, (int, np.integer)):
            at = _in_range(int(part), n, axis)
            windows.append((at, at + 1, 1))
            drops.append(axis)
        else:
            windows.append((0, n, 1))
            left.append(_checked(asarray(part), n, axis))
    if any(w != (0, n, 1) for w, n in zip(windows, x.shape, strict=True)):
        start, limit, stride = zip(*windows, strict=True)
        x = st.slice_(x, start=start, limit=limit, stride=stride)
    if flips:
        x = st.reverse(x, axes=tuple(flips))
    return reshape(x, tuple(n for i, n in enumerate(x.shape) if i not in drops)), left


def _window(part: slice, n: int) -> tuple[int, int, int]:
    """Start, limit and positive stride of a slice; a negative one is reversed afterwards."""
    a, b, s = part.indices(n)
    count = len(range(a, b, s))
    if not count:
        return 0, 0, 1
    return (a, max(a, b), s) if s > 0 else (a + (count - 1) * s, a + 1, -s)


def _in_range(index: int, n: int, axis: int) -> int:
    if not -n <= index < n:
        raise ShapeError(
            f"index {index} is outside axis {axis}.",
            facts=[("size of the axis", n)],
            fix=f"use an index from {-n} to {n - 1}.",
            where=user_source(),
            code="T101",
        )
    return index % n


def _checked(part: Any, n: int, axis: int) -> Any:
    """An index array; one that is known must lie inside the axis."""
    if part.dtype.kind not in "iu":
        raise DtypeError(
            "only integers and masks can index.",
            facts=[("index", part.dtype, part.shape)],
            fix="cast it, index.astype(int).",
            where=user_source(),
            code="T102",
        )
    if isinstance(part, Handle):
        return part
    for extreme in (part.min(initial=0), part.max(initial=0)):
        if part.size:
            _in_range(int(extreme), n, axis)
    return np.where(part < 0, part + n, part).astype(_INT)


def _with_new_axes(x: Any, parts: list[Any]) -> tuple[Any, list[Any]]:
    if any(p is None for p in parts):
        sizes = iter(x.shape)
        x = reshape(x, tuple(1 if p is None else next(sizes) for p in parts))
    return x, [slice(None) if p is None else p for p in parts]


def _gathered(x: Any, parts: list[Any], apart: bool) -> Any:
    """Integer arrays: their axes are gathered in front, and moved back if they stood together."""
    axes = [i for i, p in enumerate(parts) if not isinstance(p, slice)]
    rest = [i for i in range(x.ndim) if i not in axes]
    shape = broadcast_shape(*(np.shape(parts[i]) for i in axes))
    columns = [_column(parts[i], x.shape[i], shape) for i in axes]
    found = st.gather(transpose(x, [*axes, *rest]), concatenate(columns, -1))
    if apart or axes[0] == 0:
        return found
    k, before = len(shape), axes[0]
    order = [*range(k, k + before), *range(k), *range(k + before, found.ndim)]
    return transpose(found, order)


def _column(part: Any, n: int, shape: tuple[int, ...]) -> Any:
    if not isinstance(part, Handle):
        return np.ascontiguousarray(np.broadcast_to(part, shape)[..., None])
    place = astype(part, _INT)
    place = where(less(place, 0), add(place, n), place)
    return expand_dims(broadcast_to(place, shape), -1)


# --- what is made of it -----------------------------------------------------------------------


@surface()
def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """As ``numpy.take``; indices in flight are clamped to the axis."""
    x = asarray(x)
    if axis is None:
        x, axis = ravel(x), 0
    axis = normal_axes(axis, x.ndim)[0]
    return getitem(x, (slice(None),) * axis + (asarray(indices),))


@surface()
def take_along_axis(x: Any, indices: Any, axis: int = -1) -> Any:
    """As ``numpy.take_along_axis``."""
    x, indices = asarray(x), asarray(indices)
    axis = normal_axes(axis, x.ndim)[0]
    shapes = [tuple(n if i == a else 1 for i in range(x.ndim)) for a, n in enumerate(x.shape)]
    lines = [st.iota(shape=shape, axis=a, dtype=_INT) for a, shape in enumerate(shapes)]
    return getitem(x, tuple(indices if a == axis else line for a, line in enumerate(lines)))


@surface()
def sort(x: Any, axis: int = -1) -> Any:
    """As ``numpy.sort``."""
    x = asarray(x)
    return take_along_axis(x, st.argsort(x, axis=normal_axes(axis, x.ndim)[0]), axis)


@surface()
def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """As ``numpy.diagonal``."""
    x = asarray(x)
    first, second = axis1 % x.ndim, axis2 % x.ndim
    x = moveaxis(moveaxis(x, first, -1), second - (first < second), -1)
    rows, columns = x.shape[-2:]
    line = np.arange(max(0, min(rows + min(offset, 0), columns - max(offset, 0))))
    return getitem(x, (Ellipsis, line + max(-offset, 0), line + max(offset, 0)))


@surface()
def diag(x: Any, k: int = 0) -> Any:
    """As ``numpy.diag``."""
    x = asarray(x)
    if x.ndim == 2:
        return diagonal(x, k)
    n = x.shape[0] + abs(k)
    wide = st.pad(x, low=(max(k, 0),), high=(max(-k, 0),), interior=(0,))
    rows, columns = (st.iota(shape=(n, n), axis=a, dtype=_INT) for a in (0, 1))
    return ew.where(ew.equal(ew.add(rows, k), columns), broadcast_to(wide, (n, n)), x.dtype.type(0))


@surface()
def roll(x: Any, shift: int, axis: int | None = None) -> Any:
    """As ``numpy.roll`` along one axis."""
    x = asarray(x)
    if axis is None:
        return reshape(roll(ravel(x), shift, 0), x.shape)
    axis = normal_axes(axis, x.ndim)[0]
    n = x.shape[axis]
    at = (-shift) % n if n else 0
    return concatenate([_part(x, axis, at, n), _part(x, axis, 0, at)], axis) if at else x


@surface()
def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """As ``numpy.split``."""
    x = asarray(x)
    axis = normal_axes(axis, x.ndim)[0]
    n = x.shape[axis]
    if isinstance(indices_or_sections, int):
        if n % indices_or_sections:
            raise ShapeError(
                "`split` cannot divide the axis equally.",
                facts=[("array", x.shape), ("axis", axis), ("parts", indices_or_sections)],
                fix="give the indices at which to cut, as a list.",
                where=user_source(),
                code="T101",
            )
        edges = list(range(0, n + 1, n // indices_or_sections))
    else:
        edges = [0, *(int(i) for i in indices_or_sections), n]
    return [_part(x, axis, a, b) for a, b in pairwise(edges)]


@surface()
def diff(x: Any, n: int = 1, axis: int = -1) -> Any:
    """As ``numpy.diff``."""
    x = asarray(x)
    axis = normal_axes(axis, x.ndim)[0]
    for _ in range(n):
        x = ew.sub(_part(x, axis, 1, None), _part(x, axis, 0, -1))
    return x


def _part(x: Any, axis: int, start: int, limit: int | None) -> Any:
    return getitem(x, (*[slice(None)] * axis, slice(start, limit)))
