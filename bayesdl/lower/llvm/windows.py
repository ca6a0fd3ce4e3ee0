"""Primitives that write into parts of a buffer: pads with gaps, folds, updates, scatter-add."""

from __future__ import annotations

from bayesdl.ir.program import Atom, Equation

from .emit import Scope, emits, nbytes
from .expression import (
    F64,
    Index,
    Node,
    Place,
    Reader,
    converted,
    element,
    gathered,
    identity,
    linear,
    window_start,
)
from .nests import write_stores
from .results import Store

# Copies of a target into which rows are added in turn, and the number of rows from which it pays.
LANES, WORTH_LANES = 8, 64


@emits("constant")
def _constant(scope: Scope, equation: Equation) -> None:
    """A table that the caller hands over; a scalar is read from one."""
    (var,) = equation.outputs
    if not var.type.shape:
        table = scope.code.module.table(equation.params["value"])
        scope.define(var, scope.code.load(table, "0", var.type.dtype))


@emits("pad")
def _pad(scope: Scope, equation: Equation) -> None:
    (x,), (out,) = equation.inputs, equation.outputs
    if not out.type.shape:
        scope.define(out, scope.scalar(x))
        return
    low, interior = equation.params["low"], equation.params["interior"]
    scope.code.clear(scope.pointer(out), nbytes(out))
    place = identity(x.type.shape)
    _write(
        scope,
        equation,
        x,
        tuple(p.times(s + 1).plus(a) for p, a, s in zip(place, low, interior, strict=True)),
    )


@emits("fold")
def _fold(scope: Scope, equation: Equation) -> None:
    """Add window after window; the places of an innermost loop differ, so it may be wide."""
    (windows,), (out,) = equation.inputs, equation.outputs
    first, stride, dilation = (equation.params[k] for k in ("first", "stride", "dilation"))
    scope.code.clear(scope.pointer(out), nbytes(out))
    place, dtype = identity(windows.type.shape), out.type.dtype
    middle, end = first + len(stride), first + 2 * len(stride)
    spatial = (
        window.times(s).plus(offset.times(d))
        for window, offset, s, d in zip(
            place[first:middle], place[middle:end], stride, dilation, strict=True
        )
    )
    at = linear((*place[:first], *spatial, *place[end:]), out.type.shape)
    target, reader = scope.pointer(out), Reader(scope.fusion, windows.type.shape)
    before = Node(dtype, "load", (target, at))
    total = element("add", dtype, before, reader.read(windows, place))
    write_stores(scope, windows.type.shape, [Store(target, at, total)])


@emits("dynamic_update_slice")
def _dynamic_update(scope: Scope, equation: Equation) -> None:
    x, update, *starts = equation.inputs
    if not x.type.shape:
        scope.define(equation.outputs[0], scope.scalar(update))
        return
    _bring(scope, equation)
    reader = Reader(scope.fusion, update.type.shape)
    first = window_start(reader, starts, x.type, update.type.shape)
    place = tuple(p.plus(s) for p, s in zip(identity(update.type.shape), first, strict=True))
    _write(scope, equation, update, place, reader)


@emits("scatter_add")
def _scatter_add(scope: Scope, equation: Equation) -> None:
    x, indices, updates = equation.inputs
    rows, rank = updates.type.shape[: indices.type.ndim - 1], indices.type.ndim - 1
    if rank == updates.type.ndim == 1 and rows[0] >= max(WORTH_LANES, x.type.size):
        _scatter_in_lanes(scope, equation)
        return
    _bring(scope, equation)
    reader, place = Reader(scope.fusion, updates.type.shape), identity(updates.type.shape)
    at = gathered(reader, indices, x.type, place[:rank])
    store = Store(
        scope.pointer(equation.outputs[0]),
        linear((*at, *place[rank:]), x.type.shape),
        reader.read(updates, place),
        add=True,
    )
    write_stores(scope, updates.type.shape, [store])


def _scatter_in_lanes(scope: Scope, equation: Equation) -> None:
    """Add turn by turn into one of several copies of the target, and those together at the end.

    An addition to an element waits for the one before to the same element. Copies keep several
    under way; those of float32 are float64, so that long sums lose no rows.
    """
    x, indices, updates = equation.inputs
    (count,), size, dtype = updates.type.shape, x.type.size, x.type.dtype
    wide = F64 if dtype.kind == "f" else dtype
    (lanes,) = scope.scratch(LANES * size * wide.itemsize)
    scope.code.clear(lanes, LANES * size * wide.itemsize)
    for first, turns, width in (
        (0, count // LANES, LANES),
        (count - count % LANES, 1, count % LANES),
    ):
        space = (turns, width)
        turn, lane = identity(space)
        row = turn.times(LANES).plus(lane).plus(first)
        reader = Reader(scope.fusion, space)
        at = linear(gathered(reader, indices, x.type, (row,)), x.type.shape)
        value = converted(reader.read(updates, (row,)), wide)
        write_stores(scope, space, [Store(lanes, at.plus(lane.times(size)), value, add=True)])
    place, parts = Index(0, ((0, 1),)), []
    for k in range(LANES):
        parts.append(Node(wide, "load", (lanes, place.plus(k * size))))
    while len(parts) > 1:
        parts = [element("add", wide, a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    before = converted(Node(dtype, "load", (scope.pointer(x), place)), wide)
    total = converted(element("add", wide, before, parts[0]), dtype)
    write_stores(scope, (size,), [Store(scope.pointer(equation.outputs[0]), place, total)])


def _bring(scope: Scope, equation: Equation) -> None:
    """Copy the operand that is updated, unless it lies in the result's buffer already."""
    x, (out,) = equation.inputs[0], equation.outputs
    if scope.place(x) != scope.place(out):
        scope.code.copy(scope.pointer(out), scope.pointer(x), nbytes(out))


def _write(
    scope: Scope, equation: Equation, part: Atom, place: Place, reader: Reader | None = None
) -> None:
    """Store an operand into the result, element by element, at a place."""
    (out,) = equation.outputs
    reader = reader or Reader(scope.fusion, part.type.shape)
    node = reader.read(part, identity(part.type.shape))
    write_stores(
        scope, part.type.shape, [Store(scope.pointer(out), linear(place, out.type.shape), node)]
    )
