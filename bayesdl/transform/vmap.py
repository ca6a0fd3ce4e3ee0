"""Batching: a Program for one example becomes a Program for many, the batch axis in front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesdl._base.clock import derives
from bayesdl.ir.primitive import Primitive
from bayesdl.ir.program import Atom, Equation, Literal, Program, Var
from bayesdl.ir.types import ArrayType
from bayesdl.ops._bind import bind
from bayesdl.ops._programs import listed
from bayesdl.ops._trace import trace_flat
from bayesdl.ops.control import scan
from bayesdl.ops.structural import to_front
from bayesdl.tracing import source_of

from ._handed import Handed, forbidden


@derives
def spread_out(
    program: Program, batched: Sequence[bool], size: int, args: Sequence[Any]
) -> tuple[list[Any], list[bool]]:
    """Run a Program on inputs some of which carry a batch axis in front.

    Returns
    -------
    outputs : list of arrays
    batched : list of bool
        Which outputs carry the axis; the others do not depend on a batched input.
    """
    values: dict[Var, Any] = dict(zip(program.inputs, args, strict=True))
    flags: dict[Var, bool] = dict(zip(program.inputs, batched, strict=True))

    def value(atom: Atom) -> Any:
        return values[atom] if isinstance(atom, Var) else atom.value

    def flag(atom: Atom) -> bool:
        return isinstance(atom, Var) and flags[atom]

    for equation in program.equations:
        inputs, marks = [value(a) for a in equation.inputs], [flag(a) for a in equation.inputs]
        with source_of(equation.source):
            outputs, out_marks = _step(equation, inputs, marks, size)
        values.update(zip(equation.outputs, outputs, strict=True))
        flags.update(zip(equation.outputs, out_marks, strict=True))
    return [value(a) for a in program.outputs], [flag(a) for a in program.outputs]


def vmap_program(
    program: Program, batched: tuple[bool, ...], size: int, force: tuple[bool, ...] | None
) -> tuple[Program, tuple[bool, ...]]:
    """The Program over a batch, and which of its outputs carry the batch axis.

    Parameters
    ----------
    program : Program
        For one example.
    batched : tuple of bool
        Inputs that carry the axis.
    size : int
        Length of the axis.
    force : tuple of bool or None
        Outputs that must carry it even if they do not depend on a batched input.
    """
    key = ("vmap", batched, size, force)
    if key not in program.memo:
        marks: list[bool] = []

        def derived(*v: Any) -> list[Any]:
            outputs, flags = spread_out(program, batched, size, v)
            wanted = force or tuple(flags)
            marks.extend(f or w for f, w in zip(flags, wanted, strict=True))
            return [
                to_front(o, f, size) if w else o
                for o, f, w in zip(outputs, flags, wanted, strict=True)
            ]

        types = [
            t.with_shape((size, *t.shape)) if b else t
            for t, b in zip(program.input_types, batched, strict=True)
        ]
        program.memo[key] = (trace_flat(derived, types, f"vmap_{program.name}"), tuple(marks))
    found: tuple[Program, tuple[bool, ...]] = program.memo[key]
    return found


HANDED = Handed(forbidden("jvp"), forbidden("vjp"), vmap_program, trace_flat)


def _step(equation: Equation, inputs: list[Any], marks: list[bool], size: int) -> Any:
    primitive, params = equation.primitive, equation.params
    if not any(marks):
        outputs = listed(bind(primitive, *inputs, **params))
        return outputs, [False] * len(outputs)
    if primitive.elementwise:
        ready = [
            x if m or isinstance(a, Literal) else to_front(x, m, size)
            for x, m, a in zip(inputs, marks, equation.inputs, strict=True)
        ]
        return (bind(primitive, *ready, **params),), (True,)
    if primitive.batch is None:
        return _one_by_one(primitive, inputs, marks, size, params)
    outputs, flags = primitive.batch(HANDED, size, inputs, marks, **params)
    return outputs, flags


def _one_by_one(
    primitive: Primitive, inputs: list[Any], marks: list[bool], size: int, params: Any
) -> Any:
    """A primitive without a batching rule is run once per example."""
    fixed = [x for x, m in zip(inputs, marks, strict=True) if not m]
    moving = [x for x, m in zip(inputs, marks, strict=True) if m]

    def step(*v: Any) -> list[Any]:
        constant, example = iter(v[: len(fixed)]), iter(v[len(fixed) :])
        return listed(bind(primitive, *(next(example if m else constant) for m in marks), **params))

    types = [ArrayType(np.shape(x), x.dtype) for x in fixed]
    types += [ArrayType(np.shape(x)[1:], x.dtype) for x in moving]
    body = trace_flat(step, types, primitive.name)
    outputs = listed(
        scan(*fixed, *moving, body=body, constants=len(fixed), carry=0, length=size, reverse=False)
    )
    return outputs, [True] * len(outputs)
