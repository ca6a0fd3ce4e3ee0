"""Reverse mode: one backward sweep over the Program, emitting a Program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bayesdl._base.clock import derives
from bayesdl.ir.program import Atom, Equation, Program, Var
from bayesdl.ops import elementwise as ew
from bayesdl.ops._bind import rebind
from bayesdl.ops._programs import floats, pick, solid
from bayesdl.ops._trace import trace_flat
from bayesdl.tracing import source_of

from ._handed import Handed, forbidden

# Takes the cotangents, and whether some of their elements are zero for not having been selected.
Pullback = Callable[[Sequence[Any], bool], Sequence[Any]]


@derives
def sweep(
    program: Program, active: Sequence[bool], args: Sequence[Any]
) -> tuple[list[Any], Callable[[Sequence[Any]], list[Any]]]:
    """Run a Program forward; return its outputs and the function that runs it backward.

    Parameters
    ----------
    program : Program
    active : sequence of bool
        The inputs whose cotangents are wanted.
    args : sequence of arrays
        One per input.

    Returns
    -------
    outputs : list of arrays
    pullback : callable
        Takes one cotangent (or None) per output; gives one (or None) per input.
    """
    values: dict[Var, Any] = dict(zip(program.inputs, args, strict=True))
    moving = {v for v, a in zip(program.inputs, active, strict=True) if a}
    tape: list[tuple[Equation, Pullback]] = []

    def value(atom: Atom) -> Any:
        return values[atom] if isinstance(atom, Var) else atom.value

    for equation in program.equations:
        inputs = [value(a) for a in equation.inputs]
        flags = [isinstance(a, Var) and a in moving for a in equation.inputs]
        outputs, pullback = _forward(equation, inputs, flags)
        values.update(zip(equation.outputs, outputs, strict=True))
        if pullback is not None:
            tape.append((equation, pullback))
            moving.update(v for v in equation.outputs if v.type.is_float)

    @derives
    def backward(cotangents: Sequence[Any]) -> list[Any]:
        found: dict[Var, Any] = {}
        # Values some of whose elements a `where` or `max` further on has dropped. What goes back to
        # those is zero, also through a product with something infinite.
        dropped: set[Var] = set()

        def receive(atom: Atom, ct: Any) -> None:
            if ct is not None and isinstance(atom, Var) and atom in moving:
                found[atom] = ew.add(found[atom], ct) if atom in found else ct

        for atom, ct in zip(program.outputs, cotangents, strict=True):
            receive(atom, ct)
        for equation, pullback in reversed(tape):
            cts = [found.pop(v, None) for v in equation.outputs]
            if all(ct is None for ct in cts):
                continue
            partly = equation.primitive.selects or not dropped.isdisjoint(equation.outputs)
            if partly:
                dropped.update(a for a in equation.inputs if isinstance(a, Var))
            with source_of(equation.source):
                for atom, ct in zip(equation.inputs, pullback(cts, partly), strict=True):
                    receive(atom, ct)
        return [found.get(v) for v in program.inputs]

    return [value(a) for a in program.outputs], backward


def vjp_program(program: Program, active: tuple[bool, ...]) -> Program:
    """The Program of values and cotangents.

    Takes the inputs, then a cotangent for each float output; returns the outputs, then a cotangent
    for each active input.
    """
    key = ("vjp", active)
    if key not in program.memo:
        n = len(program.inputs)
        flags = floats(program.output_types)

        def derived(*v: Any) -> list[Any]:
            outputs, backward = sweep(program, active, v[:n])
            rest = iter(v[n:])
            found = backward([next(rest) if f else None for f in flags])
            return [*outputs, *solid(found, v[:n], active)]

        types = [*program.input_types, *pick(program.output_types, flags)]
        program.memo[key] = trace_flat(derived, types, f"vjp_{program.name}")
    derived_program: Program = program.memo[key]
    return derived_program


HANDED = Handed(forbidden("jvp"), vjp_program, forbidden("vmap"), trace_flat)


def _forward(
    equation: Equation, inputs: list[Any], flags: list[bool]
) -> tuple[Sequence[Any], Pullback | None]:
    primitive, params = equation.primitive, equation.params
    differentiable = any(v.type.is_float for v in equation.outputs)
    if any(flags) and differentiable:
        if primitive.linear_in is not None:
            return _linear(equation, inputs, flags)
        if primitive.partials is not None:
            return _elementwise(equation, inputs, flags)
        if primitive.vjp is not None:
            with source_of(equation.source):
                outputs, pullback = primitive.vjp(HANDED, flags, inputs, **params)
            return outputs, lambda cts, _: pullback(cts)
    return rebind(equation, inputs), None


def _elementwise(
    equation: Equation, inputs: list[Any], flags: list[bool]
) -> tuple[Sequence[Any], Pullback]:
    primitive, params = equation.primitive, equation.params
    (output,) = rebind(equation, inputs)

    def pullback(cts: Sequence[Any], partly: bool) -> list[Any]:
        assert primitive.partials is not None
        partials = primitive.partials(output, *inputs, **params)
        guarded, selects = primitive.guarded or partly, primitive.selects
        return [
            ew.times(cts[0], p, guarded, selects) if f and p is not None else None
            for p, f in zip(partials, flags, strict=True)
        ]

    return (output,), pullback


def _linear(
    equation: Equation, inputs: list[Any], flags: list[bool]
) -> tuple[Sequence[Any], Pullback]:
    primitive, params = equation.primitive, equation.params
    (output,) = rebind(equation, inputs)
    positions = primitive.linear_positions(len(inputs))

    def pullback(cts: Sequence[Any], _: bool) -> list[Any]:
        assert primitive.transpose is not None
        found: list[Any] = [None] * len(inputs)
        for i, ct in zip(positions, primitive.transpose(cts[0], *inputs, **params), strict=True):
            found[i] = ct if flags[i] and np.dtype(inputs[i].dtype).kind == "f" else None
        return found

    return (output,), pullback
