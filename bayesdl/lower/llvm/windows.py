"""Primitives that write into a part of a buffer: concatenate, pad, dynamic updates, scatter-add."""

from __future__ import annotations

from bayesdl.ir.program import Atom, Equation

from .emit import Scope, emits, nbytes
from .expression import Place, Reader, gathered, identity, linear, window_start
from .nests import Store, write_stores


@emits("constant")
def _constant(scope: Scope, equation: Equation) -> None:
    """A table that the caller hands over; a scalar is read from one."""
    (var,) = equation.outputs
    if not var.type.shape:
        table = scope.code.module.table(equation.params["value"])
        scope.define(var, scope.code.load(table, "0", var.type.dtype))


@emits("concatenate")
def _concatenate(scope: Scope, equation: Equation) -> None:
    axis, at = equation.params["axis"], 0
    for part in equation.inputs:
        place = identity(part.type.shape)
        _write(
            scope,
            equation,
            part,
            tuple(p.plus(at) if i == axis else p for i, p in enumerate(place)),
        )
        at += part.type.shape[axis]


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


@emits("dynamic_update_slice")
def _dynamic_update(scope: Scope, equation: Equation) -> None:
    x, update, *starts = equation.inputs
    if not x.type.shape:
        scope.define(equation.outputs[0], scope.scalar(update))
        return
    _bring(scope, equation)
    reader = Reader(scope.fusion)
    first = window_start(reader, starts, x.type, update.type.shape)
    place = tuple(p.plus(s) for p, s in zip(identity(update.type.shape), first, strict=True))
    _write(scope, equation, update, place, reader)


@emits("scatter_add")
def _scatter_add(scope: Scope, equation: Equation) -> None:
    x, indices, updates = equation.inputs
    _bring(scope, equation)
    reader, place, rank = Reader(scope.fusion), identity(updates.type.shape), indices.type.ndim - 1
    rows = gathered(reader, indices, x.type, place[:rank])
    store = Store(
        scope.pointer(equation.outputs[0]),
        linear((*rows, *place[rank:]), x.type.shape),
        reader.read(updates, place),
        add=True,
    )
    write_stores(scope, updates.type.shape, [store])


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
    reader = reader or Reader(scope.fusion)
    node = reader.read(part, identity(part.type.shape))
    write_stores(
        scope, part.type.shape, [Store(scope.pointer(out), linear(place, out.type.shape), node)]
    )
