"""A call becomes an equation, or a NumPy result when nothing is being traced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bayesdl._base.errors import BayesdlError, ShapeError
from bayesdl._base.source import Source, user_source
from bayesdl.ir.builder import Builder, Handle, active_builders
from bayesdl.ir.primitive import Primitive
from bayesdl.ir.program import Equation, Program, Var
from bayesdl.ir.types import type_of


def bind(primitive: Primitive, *args: Any, **params: Any) -> Any:
    """Use a primitive: append an equation if an argument is being traced, else compute now.

    Returns
    -------
    array, or tuple of arrays where the primitive has several outputs
        Handles while tracing, NumPy values otherwise. A primitive with one output gives it bare.
    """
    if _in_flight(args) or (primitive.generates and active_builders()):
        outputs = _bind_traced(primitive, args, params)
    else:
        if primitive.has_programs:
            _check_types(primitive, args, params)
        outputs = compute(primitive, args, params)
    return outputs[0] if len(outputs) == 1 else tuple(outputs)


def rebind(equation: Equation, inputs: Sequence[Any]) -> Sequence[Any]:
    """An equation once more, on other inputs: what transforms do with most equations.

    Where the inputs have the types of the old ones, the outputs have too, and no rule is asked.

    Returns
    -------
    sequence of arrays
        One per output, also where there is one only.
    """
    primitive, params = equation.primitive, equation.params
    if not (_in_flight(inputs) or (primitive.generates and active_builders())):
        return compute(primitive, inputs, params)
    builder = active_builders()[-1]
    handles = [builder.lift(x) for x in inputs]
    atoms = [h.atom for h in handles]
    for atom, old in zip(atoms, equation.inputs, strict=True):
        if atom.type is not old.type and atom.type != old.type:
            return _bind_traced(primitive, handles, params, equation.source)
    source = equation.source or builder.source or user_source()
    outputs = tuple([Var(v.type) for v in equation.outputs])
    builder.equations.append(Equation(primitive, tuple(atoms), params, outputs, source))
    return _handles(builder, primitive, handles, params, outputs)


def compute(
    primitive: Primitive, args: Sequence[Any], params: Mapping[str, Any]
) -> tuple[Any, ...]:
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
        outputs = compute(equation.primitive, inputs, equation.params)
        values.update(zip(equation.outputs, outputs, strict=True))
    return [values[a] if isinstance(a, Var) else a.value for a in program.outputs]


def _check_types(primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> None:
    """Loops and branches on numbers are held to the types that they would have in a Program."""
    try:
        primitive.type(*(type_of(a) for a in args), **params)
    except BayesdlError as error:
        error.where = error.where or user_source()
        raise


def _in_flight(args: Sequence[Any]) -> bool:
    for a in args:  # noqa: SIM110  (asked of every call; a generator takes twice as long)
        if isinstance(a, Handle):
            return True
    return False


def _bind_traced(
    primitive: Primitive,
    args: Sequence[Any],
    params: Mapping[str, Any],
    source: Source | None = None,
) -> Sequence[Any]:
    builder = active_builders()[-1]
    handles = [builder.lift(a) for a in args]
    if primitive.elementwise:
        _only_literals_stretch(primitive, handles)
    source = source or builder.source or user_source()
    try:
        outputs = builder.append(primitive, [h.atom for h in handles], params, source)
    except BayesdlError as error:
        if error.where is None:
            error.where = source
        raise
    return _handles(builder, primitive, handles, params, outputs)


def _handles(
    builder: Builder,
    primitive: Primitive,
    handles: Sequence[Handle],
    params: Mapping[str, Any],
    outputs: Sequence[Var],
) -> Sequence[Any]:
    """What user code holds of new values; with their numbers, where those are computed as well."""
    if builder.concrete and all(h.value is not None for h in handles):
        values = compute(primitive, [h.value for h in handles], params)
        return [builder.handle(builder, v, x) for v, x in zip(outputs, values, strict=True)]
    return [builder.handle(builder, v) for v in outputs]


def _only_literals_stretch(primitive: Primitive, handles: Sequence[Handle]) -> None:
    """A scalar that is not a literal must be broadcast before it meets an array."""
    first: tuple[int, ...] | None = None
    for handle in handles:
        if type(handle.atom) is not Var:
            continue
        shape = handle.atom.type.shape
        if first is None or shape == first:
            first = shape
            continue
        raise ShapeError(
            f"`{primitive.name}` got shapes that do not fit together.",
            facts=[(f"operand {i}", h.type) for i, h in enumerate(handles)],
            fix="use the functions of bayesdl.numpy, which broadcast.",
            code="T101",
        )
