"""The laws of primitives: what every word of the language owes to calculus, batching, text and backends.

Each law takes a primitive and one of its cases and raises `BrokenLaw` with the primitive's name where it does
not hold. Whether a law applies is read off the primitive (a derivative that is not declared, a mode that is
refused with the house's error), never off a list of names. Applied to generated Programs, the same laws test
the transforms (`check_program`).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from bayesdl._base.errors import TraceError
from bayesdl.ir.check import check
from bayesdl.ir.primitive import PRIMITIVES, Case, Primitive
from bayesdl.ir.program import Equation, Program, Var
from bayesdl.ir.text import from_text, to_text
from bayesdl.ir.types import ArrayType, parse_type, type_of
from bayesdl.ops._bind import evaluate
from bayesdl.ops.control import floats, pick
from bayesdl.transform.jvp import jvp_program
from bayesdl.transform.vjp import vjp_program
from bayesdl.transform.vmap import vmap_program

Arrays = list[Any]
BATCH = 3
STEP = 1e-4  # of the fourth-order differences: truncation and rounding both near 1e-12
REFUSALS = ("T105", "T106")  # codes of "this mode does not exist for this primitive"


class BrokenLaw(AssertionError):
    """A primitive or a Program breaks a law."""


@dataclass(frozen=True)
class Tolerance:
    """How far two ways of computing one thing may differ, relative to the larger values around.

    Parameters
    ----------
    f64, f32 : float
        Allowed difference over the largest magnitude in the array, or over 1 where that is smaller.
    """

    f64: float
    f32: float


ROUNDING = Tolerance(1e-11, 2e-4)
DIFFERENCES = Tolerance(1e-7, np.inf)
BACKEND = Tolerance(1e-10, 1e-4)


# --- inputs -----------------------------------------------------------------------------------


def case_inputs(primitive: Primitive, case: Case, variant: int = 0) -> Arrays:
    """The inputs of a case: given, or drawn from its domain; variants are other inputs of the same types."""
    seed = zlib.crc32(f"{primitive.name} {case.types} {sorted(case.params)} {variant}".encode())
    rng = np.random.default_rng(seed)
    given = case.values or (None,) * len(case.types)
    domains = case.domain if case.domain and isinstance(case.domain[0], tuple) else (case.domain,) * len(given)
    return [
        draw(rng, parse_type(t), d) if v is None else varied(v, variant)
        for t, v, d in zip(case.types, given, domains, strict=True)
    ]


def draw(rng: np.random.Generator, kind: ArrayType, domain: Sequence[float] = (-2.0, 2.0)) -> Any:
    """A random array of a type."""
    low, high = domain
    if kind.dtype.kind == "b":
        return np.asarray(rng.random(kind.shape) < 0.5)
    if kind.dtype.kind == "f":
        return np.asarray(rng.uniform(low, high, kind.shape)).astype(kind.dtype)
    low = max(low, 0) if kind.dtype.kind == "u" else low
    return np.asarray(rng.integers(int(low), int(high) + 1, kind.shape)).astype(kind.dtype)


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
    return Program(primitive.name, inputs, (Equation(primitive, inputs, dict(case.params), outputs),), outputs)


# --- comparison -------------------------------------------------------------------------------


def agree(law: str, program: Program, found: Sequence[Any], wanted: Sequence[Any], tolerance: Tolerance) -> None:
    """Raise unless two lists of arrays are equal, floats up to the tolerance."""
    for i, (x, y) in enumerate(zip(found, wanted, strict=True)):
        x, y = np.asarray(x), np.asarray(y)
        if x.shape != y.shape or x.dtype != y.dtype:
            raise _broken(law, program, f"output {i} has type {type_of(x)}, wanted {type_of(y)}")
        if x.dtype.kind != "f":
            same = np.array_equal(x, y)
            error, allowed = (0.0 if same else np.inf), 0.0
        else:
            allowed = tolerance.f64 if y.dtype == np.float64 else tolerance.f32
            error = distance(x, y)
        if not error <= allowed:
            raise _broken(law, program, f"output {i} differs by {error:.3g} > {allowed:.3g}\n{x}\n{y}")


def distance(x: Any, y: Any) -> float:
    """Largest difference over the largest magnitude (at least 1); NaN and infinities must be the same."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    finite = np.isfinite(x) & np.isfinite(y)
    if not np.array_equal(x[~finite], y[~finite], equal_nan=True):
        return float(np.inf)
    scale = max(1.0, float(np.max(np.abs(y[finite]), initial=0.0)))
    return float(np.max(np.abs(x[finite] - y[finite]), initial=0.0)) / scale


def _broken(law: str, program: Program, what: str) -> BrokenLaw:
    return BrokenLaw(f"{program.name} breaks the law of {law}: {what}\n{program!r}")


# --- which laws apply -------------------------------------------------------------------------


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


def refused(transform: Callable[..., Program], program: Program, active: tuple[bool, ...]) -> bool:
    """Whether a mode is refused with the error that says so."""
    try:
        check(transform(program, active))
    except TraceError as error:
        if error.code in REFUSALS:
            return True
        raise
    return False


# --- laws of Programs -------------------------------------------------------------------------


def forward_is_differences(program: Program, inputs: Arrays, rng: np.random.Generator) -> None:
    """The tangent of the outputs is the limit of difference quotients."""
    active = floats(program.input_types)
    derived = check(jvp_program(program, active))
    tangents = [draw(rng, t) for t in pick(program.input_types, active)]
    n = len(program.outputs)
    found = evaluate(derived, *inputs, *tangents)
    agree("jvp (values)", program, found[:n], evaluate(program, *inputs), ROUNDING)
    agree("jvp = differences", program, found[n:], differences(program, inputs, tangents), DIFFERENCES)


def reverse_is_differences(program: Program, inputs: Arrays, rng: np.random.Generator) -> None:
    """The cotangent of the inputs, contracted with a direction, is a difference quotient."""
    active = floats(program.input_types)
    derived = check(vjp_program(program, active))
    cotangents = [draw(rng, t) for t in pick(program.output_types, floats(program.output_types))]
    tangents = [draw(rng, t) for t in pick(program.input_types, active)]
    n = len(program.outputs)
    found = evaluate(derived, *inputs, *cotangents)
    agree("vjp (values)", program, found[:n], evaluate(program, *inputs), ROUNDING)
    moved = differences(program, inputs, tangents)
    _same_number("vjp = differences", program, inner(found[n:], tangents), inner(cotangents, moved), DIFFERENCES)


def modes_are_adjoint(program: Program, inputs: Arrays, rng: np.random.Generator) -> None:
    """⟨w, J v⟩ = ⟨Jᵀ w, v⟩, up to rounding."""
    active = floats(program.input_types)
    tangents = [draw(rng, t) for t in pick(program.input_types, active)]
    cotangents = [draw(rng, t) for t in pick(program.output_types, floats(program.output_types))]
    n = len(program.outputs)
    moved = evaluate(jvp_program(program, active), *inputs, *tangents)[n:]
    pulled = evaluate(vjp_program(program, active), *inputs, *cotangents)[n:]
    _same_number("jvp and vjp adjoint", program, inner(pulled, tangents), inner(cotangents, moved), ROUNDING)


def batching_is_a_loop(
    program: Program, variants: Sequence[Arrays], batched: tuple[bool, ...]
) -> tuple[Program, Arrays]:
    """One run over a batch gives what one run per example gives; returns the batched Program and its inputs."""
    derived, flags = vmap_program(program, batched, len(variants), None)
    check(derived)
    inputs = [
        np.stack([v[i] for v in variants]) if b else variants[0][i] for i, b in enumerate(batched)
    ]
    found = evaluate(derived, *inputs)
    singles = [
        evaluate(program, *(v[i] if b else variants[0][i] for i, b in enumerate(batched))) for v in variants
    ]
    for i, flag in enumerate(flags):
        each = [s[i] for s in singles]
        found_each = list(found[i]) if flag else [found[i]] * len(each)
        agree(f"vmap = loop, batched {batched}", program, found_each, each, ROUNDING)
    return derived, inputs


def text_round_trip(program: Program, inputs: Arrays) -> None:
    """Parsing what was printed gives a Program that prints and computes the same."""
    text = to_text(program)
    parsed = check(from_text(text))
    if to_text(parsed) != text:
        raise _broken("text", program, f"it prints differently after parsing:\n{to_text(parsed)}")
    agree("text", program, evaluate(parsed, *inputs), evaluate(program, *inputs), Tolerance(0.0, 0.0))


def backend_is_interpreter(program: Program, inputs: Arrays, compile_program: Callable[..., Any]) -> None:
    """A backend computes what the interpreter does."""
    found = compile_program(program)(*inputs)
    agree("backend = interpreter", program, found, evaluate(program, *inputs), BACKEND)


def differences(program: Program, inputs: Arrays, tangents: Arrays) -> Arrays:
    """Derivative of the float outputs along a direction of the float inputs, by central differences of order 4."""
    active = floats(program.input_types)
    wanted = floats(program.output_types)

    def at(step: float) -> Arrays:
        rest = iter(tangents)
        moved = [x + (step * next(rest)).astype(x.dtype) if a else x for x, a in zip(inputs, active, strict=True)]
        return pick(evaluate(program, *moved), wanted)

    near = zip(at(STEP), at(-STEP), strict=True)
    wide = zip(at(2 * STEP), at(-2 * STEP), strict=True)
    return [
        np.asarray((8.0 * (a - b) - (c - d)) / (12.0 * STEP)).astype(a.dtype)
        for (a, b), (c, d) in zip(near, wide, strict=True)
    ]


def inner(x: Arrays, y: Arrays) -> float:
    """Sum of products over lists of arrays."""
    return float(sum(np.sum(np.asarray(a, float) * np.asarray(b, float)) for a, b in zip(x, y, strict=True)))


def _same_number(law: str, program: Program, found: float, wanted: float, tolerance: Tolerance) -> None:
    single = any(t.dtype == np.float32 for t in (*program.input_types, *program.output_types))
    allowed = tolerance.f32 if single else tolerance.f64
    error = distance(found, wanted)
    if not error <= allowed * 10.0:
        raise _broken(law, program, f"{found} and {wanted} differ by {error:.3g} > {allowed * 10.0:.3g}")


# --- laws of primitives -----------------------------------------------------------------------


def law_of_types(primitive: Primitive, case: Case) -> None:
    """NumPy's result has the type that the rule says."""
    program = check(case_program(primitive, case))
    outputs = evaluate(program, *case_inputs(primitive, case))
    found = tuple(type_of(o) for o in outputs)
    if found != program.output_types:
        raise _broken("types", program, f"the rule says {program.output_types}, NumPy gives {found}")


def law_of_derivatives(primitive: Primitive, case: Case) -> None:
    """Both modes are the derivative, and adjoint to each other."""
    if differentiable(primitive, case):
        check_derivatives(case_program(primitive, case), case_inputs(primitive, case), _rng(primitive, case))


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


def law_of_backend(primitive: Primitive, case: Case, compile_program: Callable[..., Any]) -> None:
    """A backend agrees with the interpreter on the primitive, its derivatives and its batches."""
    for program, inputs in _with_derived(primitive, case):
        backend_is_interpreter(program, inputs, compile_program)
    program = case_program(primitive, case)
    variants = [case_inputs(primitive, case, i) for i in range(BATCH)]
    for batched in batch_patterns(len(program.inputs))[-1:]:
        backend_is_interpreter(*batching_is_a_loop(program, variants, batched), compile_program)


LAWS: dict[str, Callable[[Primitive, Case], None]] = {
    "types": law_of_types,
    "derivatives": law_of_derivatives,
    "second derivatives": law_of_second_derivatives,
    "batching": law_of_batching,
    "text": law_of_text,
}


def check_primitive(name: str, laws: Sequence[str] = tuple(LAWS)) -> None:
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
    for law in laws:
        for case in primitive.cases:
            LAWS[law](primitive, case)


def check_derivatives(program: Program, inputs: Arrays, rng: np.random.Generator) -> None:
    """The laws of first derivatives of a Program; a mode that is refused is left out."""
    active = floats(program.input_types)
    forward = not refused(jvp_program, program, active)
    reverse = not refused(vjp_program, program, active)
    double = all(t.dtype == np.float64 for t in program.input_types + program.output_types if t.is_float)
    if forward and double:
        forward_is_differences(program, inputs, rng)
    if reverse and double:
        reverse_is_differences(program, inputs, rng)
    if forward and reverse:
        modes_are_adjoint(program, inputs, rng)


def derived_programs(program: Program, rng: np.random.Generator) -> list[tuple[Program, Arrays]]:
    """The Programs of both modes that are not refused, with their further inputs."""
    active, wanted = floats(program.input_types), floats(program.output_types)
    found = []
    for transform, types in ((jvp_program, pick(program.input_types, active)), (vjp_program, pick(program.output_types, wanted))):
        if not refused(transform, program, active):
            found.append((transform(program, active), [draw(rng, t) for t in types]))
    return found


def batch_patterns(count: int) -> list[tuple[bool, ...]]:
    """Which inputs carry the axis: every way for few inputs, else each alone and all together (last)."""
    if count == 0:
        return []
    if count <= 4:
        return [p for p in product((False, True), repeat=count) if any(p)]
    return [*(tuple(i == j for i in range(count)) for j in range(count)), (True,) * count]


def _with_derived(primitive: Primitive, case: Case) -> list[tuple[Program, Arrays]]:
    program, inputs = case_program(primitive, case), case_inputs(primitive, case)
    found = [(program, inputs)]
    if differentiable(primitive, case):
        found += [(p, [*inputs, *more]) for p, more in derived_programs(program, _rng(primitive, case))]
    return found


def _rng(primitive: Primitive, case: Case) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(f"{primitive.name} {case.types}".encode()))
