"""Along an axis: extrema and where they are, any and all, running sums, order."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl.ir.primitive import Case

from .. import elementwise as ew
from .._declare import general, linear
from .repeat import Axes, broadcast, reduce_sum, shifted

_REDUCE = ({"axes": (0,)}, {"axes": (1,)}, {"axes": (0, 1)})


def _extremum(name: str, ufunc: Any) -> Any:
    """max or min along axes; the derivative goes to the extremal elements in equal shares."""

    def mask(o: Any, x: Any, axes: Axes) -> Any:
        hit = ew.convert(ew.equal(x, broadcast(o, shape=np.shape(x), axes=axes)), dtype=x.dtype)
        return ew.div(hit, broadcast(reduce_sum(hit, axes=axes), shape=np.shape(x), axes=axes))

    def jvp(_: Any, args: Any, tangents: Any, *, axes: Axes) -> Any:
        o = op(args[0], axes=axes)
        moved = ew.guarded_mul(mask(o, args[0], axes), tangents[0])
        return (o,), (reduce_sum(moved, axes=axes),)

    def vjp(_: Any, active: Any, args: Any, *, axes: Axes) -> Any:
        x = args[0]
        o = op(x, axes=axes)

        def pullback(cts: Any) -> Any:
            back = broadcast(cts[0], shape=np.shape(x), axes=axes)
            return (ew.guarded_mul(mask(o, x, axes), back),)

        return (o,), pullback

    op = general(
        name,
        type=lambda x, *, axes: x.drop(axes),
        numpy=lambda x, *, axes: ufunc.reduce(x, axis=axes),
        jvp=jvp,
        vjp=vjp,
        batch=_batch_reduce(lambda *a, **k: op(*a, **k)),
        selects=True,
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
