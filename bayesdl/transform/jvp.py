"""Forward mode: tangents travel beside values, equation by equation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesdl._base.clock import derives
from bayesdl.ir.program import Atom, Equation, Program, Var
from bayesdl.ops import elementwise as ew
from bayesdl.ops._bind import bind, rebind
from bayesdl.ops._programs import floats, pick, solid
from bayesdl.ops._trace import trace_flat
from bayesdl.ops.structural import zeros_like
from bayesdl.tracing import source_of

from ._handed import Handed, forbidden


@derives
def push(
    program: Program, args: Sequence[Any], tangents: Sequence[Any]
) -> tuple[list[Any], list[Any]]:
    """Run a Program on values and tangents.

    Parameters
    ----------
    program : Program
    args : sequence of arrays
        Primals, one per input.
    tangents : sequence of array or None
        One per input; None is zero, and stays out of the computation.

    Returns
    -------
    outputs : list of arrays
    tangents : list of array or None
        One per output.
    """
    values: dict[Var, Any] = dict(zip(program.inputs, args, strict=True))
    moving: dict[Var, Any] = {
        v: t for v, t in zip(program.inputs, tangents, strict=True) if t is not None
    }

    def value(atom: Atom) -> Any:
        return values[atom] if isinstance(atom, Var) else atom.value

    def tangent(atom: Atom) -> Any:
        return moving.get(atom) if isinstance(atom, Var) else None

    for equation in program.equations:
        inputs = [value(a) for a in equation.inputs]
        outputs, dots = _step(equation, inputs, [tangent(a) for a in equation.inputs])
        values.update(zip(equation.outputs, outputs, strict=True))
        moving.update((v, t) for v, t in zip(equation.outputs, dots, strict=True) if t is not None)
    return [value(a) for a in program.outputs], [tangent(a) for a in program.outputs]


def jvp_program(program: Program, active: tuple[bool, ...]) -> Program:
    """The Program of values and derivatives along a direction.

    Takes the inputs, then a tangent for each active input; returns the outputs, then a tangent for
    each float output.
    """
    key = ("jvp", active)
    if key not in program.memo:
        n = len(program.inputs)

        def derived(*v: Any) -> list[Any]:
            rest = iter(v[n:])
            outputs, dots = push(program, v[:n], [next(rest) if a else None for a in active])
            return [*outputs, *solid(dots, outputs, floats(program.output_types))]

        types = [*program.input_types, *pick(program.input_types, active)]
        program.memo[key] = trace_flat(derived, types, f"jvp_{program.name}")
    derived_program: Program = program.memo[key]
    return derived_program


HANDED = Handed(jvp_program, forbidden("vjp"), forbidden("vmap"), trace_flat)


def _step(equation: Equation, inputs: list[Any], tangents: list[Any]) -> tuple[Any, Any]:
    primitive, params = equation.primitive, equation.params
    still = all(t is None for t in tangents)
    if still or (
        primitive.jvp is None and primitive.linear_in is None and primitive.partials is None
    ):
        outputs = rebind(equation, inputs)
        return outputs, [None] * len(outputs)
    with source_of(equation.source):
        if primitive.linear_in is not None:
            return _linear(equation, inputs, tangents)
        if primitive.elementwise:
            return _elementwise(equation, inputs, tangents)
        assert primitive.jvp is not None
        outputs, dots = primitive.jvp(HANDED, inputs, tangents, **params)
    return outputs, dots


def _elementwise(equation: Equation, inputs: list[Any], tangents: list[Any]) -> tuple[Any, Any]:
    primitive, params = equation.primitive, equation.params
    (output,) = rebind(equation, inputs)
    assert primitive.partials is not None
    partials = primitive.partials(output, *inputs, **params)
    total = None
    for partial, t in zip(partials, tangents, strict=True):
        if t is not None and partial is not None:
            term = ew.times(t, partial, primitive.guarded, primitive.selects)
            total = term if total is None else ew.add(total, term)
    return (output,), (total,)


def _linear(equation: Equation, inputs: list[Any], tangents: list[Any]) -> tuple[Any, Any]:
    primitive, params = equation.primitive, equation.params
    (output,) = rebind(equation, inputs)
    if not is_float(output):
        return (output,), (None,)
    positions = primitive.linear_positions(len(inputs))
    if primitive.multilinear:
        total = None
        for i in positions:
            if tangents[i] is not None:
                moved = [tangents[i] if j == i else x for j, x in enumerate(inputs)]
                term = bind(primitive, *moved, **params)
                total = term if total is None else ew.add(total, term)
        return (output,), (total,)
    moved = [
        x if i not in positions else zeros_like(x) if tangents[i] is None else tangents[i]
        for i, x in enumerate(inputs)
    ]
    return (output,), (bind(primitive, *moved, **params),)


def is_float(x: Any) -> bool:
    """Whether an array carries derivatives."""
    return bool(np.dtype(x.dtype).kind == "f")
