"""A call becomes an equation, or a NumPy result when nothing is being traced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesdl._base.errors import BayesdlError, ShapeError
from bayesdl._base.source import user_source
from bayesdl.ir.builder import Handle, active_builders
from bayesdl.ir.primitive import Primitive
from bayesdl.ir.program import Program, Var
from bayesdl.ir.types import type_of


def bind(primitive: Primitive, *args: Any, **params: Any) -> Any:
    """Use a primitive: append an equation if an argument is being traced, else compute now.

    Returns
    -------
    array, or tuple of arrays where the primitive has several outputs
        Handles while tracing, NumPy values otherwise. A primitive with one output gives it bare.
    """
    if any(isinstance(a, Handle) for a in args) or (primitive.generates and active_builders()):
        outputs = _bind_traced(primitive, args, params)
    else:
        if primitive.has_programs:
            _check_types(primitive, args, params)
        outputs = compute(primitive, args, params)
    return outputs[0] if len(outputs) == 1 else outputs


def compute(primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> tuple[Any, ...]:
    """The primitive's meaning on numbers."""
    with np.errstate(all="ignore"):
        if primitive.has_programs:
            result = primitive.numpy(evaluate, *args, **params)
        else:
            result = primitive.numpy(*args, **params)
    return result if isinstance(result, tuple) else (result,)


def evaluate(program: Program, *args: Any) -> list[Any]:
    """Run a Program equation by equation on NumPy values: the definition of what it means."""
    values: dict[Var, Any] = dict(zip(program.inputs, args, strict=True))
    for equation in program.equations:
        inputs = [values[a] if isinstance(a, Var) else a.value for a in equation.inputs]
        outputs = compute(equation.primitive, inputs, dict(equation.params))
        values.update(zip(equation.outputs, outputs, strict=True))
    return [values[a] if isinstance(a, Var) else a.value for a in program.outputs]


def _check_types(primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> None:
    """Loops and branches on numbers are held to the types that they would have in a Program."""
    try:
        primitive.type(*(type_of(a) for a in args), **params)
    except BayesdlError as error:
        error.where = error.where or user_source()
        raise


def _bind_traced(
    primitive: Primitive, args: Sequence[Any], params: dict[str, Any]
) -> tuple[Any, ...]:
    builder = active_builders()[-1]
    handles = [builder.lift(a) for a in args]
    if primitive.elementwise:
        _only_literals_stretch(primitive, handles)
    source = builder.source or user_source()
    try:
        outputs = builder.append(primitive, [h.atom for h in handles], params, source)
    except BayesdlError as error:
        if error.where is None:
            error.where = source
        raise
    values: Sequence[Any] = [None] * len(outputs)
    if builder.concrete and all(h.value is not None for h in handles):
        values = compute(primitive, [h.value for h in handles], params)
    return tuple(builder.handle(builder, v, x) for v, x in zip(outputs, values, strict=True))


def _only_literals_stretch(primitive: Primitive, handles: Sequence[Handle]) -> None:
    """A scalar that is not a literal must be broadcast before it meets an array."""
    shapes = {h.type.shape for h in handles if isinstance(h.atom, Var)}
    if len(shapes) > 1:
        raise ShapeError(
            f"`{primitive.name}` got shapes that do not fit together.",
            facts=[(f"operand {i}", h.type) for i, h in enumerate(handles)],
            fix="use the functions of bayesdl.numpy, which broadcast.",
            code="T101",
        )
