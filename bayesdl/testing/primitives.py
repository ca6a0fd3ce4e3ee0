"""The laws of primitives: what a word of the language owes to calculus, batching, text, backends.

Each law takes a primitive and one of its cases and raises `BrokenLaw` where it does not hold.
Whether a law applies is read off the primitive (a derivative that is not declared, a mode that is
refused with the house's error), never off a list of names.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np

from bayesdl.ir.check import check
from bayesdl.ir.primitive import PRIMITIVES, Case, Primitive
from bayesdl.ir.program import Equation, Program, Var
from bayesdl.ir.types import parse_type, type_of
from bayesdl.ops._bind import evaluate
from bayesdl.ops._programs import floats

from .laws import (
    Arrays,
    backend_is_interpreter,
    batching_is_a_loop,
    broken,
    check_derivatives,
    derived_programs,
    draw,
    text_round_trip,
)

BATCH = 3


def check_primitive(name: str, laws: Sequence[str] | None = None) -> None:
    """Test all cases of a primitive against the laws.

    Parameters
    ----------
    name : str
        Name of the primitive.
    laws : sequence of str
        Of `LAWS`; all by default.

    Raises
    ------
    BrokenLaw
        With the primitive, the law, the case and both results.
    """
    primitive = PRIMITIVES[name]
    for law in LAWS if laws is None else laws:
        for case in primitive.cases:
            LAWS[law](primitive, case)


def check_backend(name: str, compile_program: Callable[..., Any]) -> None:
    """Test that a backend agrees with the interpreter on a primitive and what is derived from it.

    Parameters
    ----------
    name : str
        Name of the primitive.
    compile_program : callable, Program -> Executable
    """
    primitive = PRIMITIVES[name]
    tasks = [task for case in primitive.cases for task in backend_tasks(primitive, case)]
    backend_is_interpreter(tasks, compile_program)


# --- the laws ---------------------------------------------------------------------------------


def law_of_types(primitive: Primitive, case: Case) -> None:
    """NumPy's result has the type that the rule says."""
    program = check(case_program(primitive, case))
    outputs = evaluate(program, *case_inputs(primitive, case))
    found = tuple(type_of(o) for o in outputs)
    if found != program.output_types:
        raise broken("types", program, f"the rule says {program.output_types}, NumPy gives {found}")


def law_of_derivatives(primitive: Primitive, case: Case) -> None:
    """Both modes are the derivative, and adjoint to each other."""
    if differentiable(primitive, case):
        check_derivatives(
            case_program(primitive, case), case_inputs(primitive, case), _rng(primitive, case)
        )


def law_of_second_derivatives(primitive: Primitive, case: Case) -> None:
    """The laws of derivatives hold for the derived Programs again."""
    if not differentiable(primitive, case) or "f32" in "".join(case.types):
        return
    program, rng = case_program(primitive, case), _rng(primitive, case)
    for derived, more in derived_programs(program, rng):
        check_derivatives(derived, [*case_inputs(primitive, case), *more], rng)


def law_of_batching(primitive: Primitive, case: Case) -> None:
    """A batch is a loop, whichever inputs carry the axis; also for the derivatives."""
    program = case_program(primitive, case)
    variants = [case_inputs(primitive, case, i) for i in range(BATCH)]
    for batched in batch_patterns(len(program.inputs)):
        batching_is_a_loop(program, variants, batched)
    if differentiable(primitive, case):
        rng = _rng(primitive, case)
        for derived, more in derived_programs(program, rng):
            every = [[*v, *more] for v in variants]
            batching_is_a_loop(derived, every, (True,) * len(derived.inputs))


def law_of_text(primitive: Primitive, case: Case) -> None:
    """A Program and what is derived from it can be printed and read back."""
    for program, inputs in _with_derived(primitive, case):
        text_round_trip(program, inputs)


LAWS: dict[str, Callable[[Primitive, Case], None]] = {
    "types": law_of_types,
    "derivatives": law_of_derivatives,
    "second derivatives": law_of_second_derivatives,
    "batching": law_of_batching,
    "text": law_of_text,
}


# --- cases ------------------------------------------------------------------------------------


def case_inputs(primitive: Primitive, case: Case, variant: int = 0) -> Arrays:
    """The inputs of a case, given or drawn; variants are other inputs of the same types."""
    seed = zlib.crc32(f"{primitive.name} {case.types} {sorted(case.params)} {variant}".encode())
    rng = np.random.default_rng(seed)
    given = case.values or (None,) * len(case.types)
    domains = (
        case.domain
        if case.domain and isinstance(case.domain[0], tuple)
        else (case.domain,) * len(given)
    )
    return [
        draw(rng, parse_type(t), d) if v is None else varied(v, variant)
        for t, v, d in zip(case.types, given, domains, strict=True)
    ]


def varied(value: Any, variant: int) -> Any:
    """A given input made different without leaving its kind: definite matrices stay definite."""
    value = np.asarray(value)
    if variant == 0:
        return value
    if value.dtype.kind == "b":
        return value ^ (variant % 2 == 1)
    if value.dtype.kind == "f":
        return (value * (1.0 + 0.1 * variant)).astype(value.dtype)
    return (value + np.asarray(variant).astype(value.dtype)).astype(value.dtype)


def case_program(primitive: Primitive, case: Case) -> Program:
    """The Program of one equation."""
    inputs = tuple(Var(parse_type(t)) for t in case.types)
    outputs = tuple(Var(t) for t in primitive.type(*(v.type for v in inputs), **case.params))
    return Program(
        primitive.name, inputs, (Equation(primitive, inputs, dict(case.params), outputs),), outputs
    )


def differentiable(primitive: Primitive, case: Case) -> bool:
    """Whether floats go in and out and a derivative between them is declared."""
    program = case_program(primitive, case)
    if not any(floats(program.input_types)) or not any(floats(program.output_types)):
        return False
    if primitive.partials is not None and primitive.linear_in is None:
        inputs = case_inputs(primitive, case)
        output = evaluate(program, *inputs)[0]
        return any(p is not None for p in primitive.partials(output, *inputs, **case.params))
    return any(r is not None for r in (primitive.jvp, primitive.vjp, primitive.linear_in))


def backend_tasks(primitive: Primitive, case: Case) -> list[tuple[Program, Arrays]]:
    """A case, its derivatives and its batch, with inputs, for a backend to compute."""
    program = case_program(primitive, case)
    variants = [case_inputs(primitive, case, i) for i in range(BATCH)]
    patterns = batch_patterns(len(program.inputs))[-1:]
    return [
        *_with_derived(primitive, case),
        *(batching_is_a_loop(program, variants, p) for p in patterns),
    ]


def batch_patterns(count: int) -> list[tuple[bool, ...]]:
    """Which inputs carry the axis: every way for few, else each alone; all together is the last."""
    if count == 0:
        return []
    if count <= 4:
        return [p for p in product((False, True), repeat=count) if any(p)]
    return [*(tuple(i == j for i in range(count)) for j in range(count)), (True,) * count]


def _with_derived(primitive: Primitive, case: Case) -> list[tuple[Program, Arrays]]:
    program, inputs = case_program(primitive, case), case_inputs(primitive, case)
    found = [(program, inputs)]
    if differentiable(primitive, case):
        found += [
            (p, [*inputs, *more]) for p, more in derived_programs(program, _rng(primitive, case))
        ]
    return found


def _rng(primitive: Primitive, case: Case) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(f"{primitive.name} {case.types}".encode()))
