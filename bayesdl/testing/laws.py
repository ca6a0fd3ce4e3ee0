"""The laws of Programs: derivatives in both modes, batches as loops, text, agreement of backends.

Each law runs a Program by the interpreter, does the same in another way, and raises `BrokenLaw`
with the Program where the two differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import CompileError, TraceError
from bayesdl.ir.check import check
from bayesdl.ir.program import Program, Var
from bayesdl.ir.text import from_text, to_text
from bayesdl.ir.types import ArrayType, type_of
from bayesdl.ir.walk import programs_in, subprograms, variables
from bayesdl.ops._bind import evaluate
from bayesdl.ops._programs import floats, pick
from bayesdl.pipeline import PASSES
from bayesdl.transform.jvp import jvp_program
from bayesdl.transform.vjp import vjp_program
from bayesdl.transform.vmap import vmap_program

Arrays = list[Any]
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


def draw(rng: np.random.Generator, kind: ArrayType, domain: Sequence[float] = (-2.0, 2.0)) -> Any:
    """A random array of a type."""
    low, high = domain
    if kind.dtype.kind == "b":
        return np.asarray(rng.random(kind.shape) < 0.5)
    if kind.dtype.kind == "f":
        return np.asarray(rng.uniform(low, high, kind.shape)).astype(kind.dtype)
    low = max(low, 0) if kind.dtype.kind == "u" else low
    return np.asarray(rng.integers(int(low), int(high) + 1, kind.shape)).astype(kind.dtype)


def check_derivatives(program: Program, inputs: Arrays, rng: np.random.Generator) -> None:
    """The laws of first derivatives of a Program; a mode that is refused is left out."""
    active = floats(program.input_types)
    forward = not refused(jvp_program, program, active)
    reverse = not refused(vjp_program, program, active)
    double = all(
        t.dtype == np.float64 for t in program.input_types + program.output_types if t.is_float
    )
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
    for transform, types in (
        (jvp_program, pick(program.input_types, active)),
        (vjp_program, pick(program.output_types, wanted)),
    ):
        if not refused(transform, program, active):
            found.append((transform(program, active), [draw(rng, t) for t in types]))
    return found


def refused(transform: Callable[..., Program], program: Program, active: tuple[bool, ...]) -> bool:
    """Whether a mode is refused with the error that says so."""
    try:
        check(transform(program, active))
    except TraceError as error:
        if error.code in REFUSALS:
            return True
        raise
    return False


# --- the laws ---------------------------------------------------------------------------------


def forward_is_differences(program: Program, inputs: Arrays, rng: np.random.Generator) -> None:
    """The tangent of the outputs is the limit of difference quotients."""
    active = floats(program.input_types)
    derived = check(jvp_program(program, active))
    tangents = [draw(rng, t) for t in pick(program.input_types, active)]
    n = len(program.outputs)
    found = evaluate(derived, *inputs, *tangents)
    agree("jvp (values)", program, found[:n], evaluate(program, *inputs), ROUNDING)
    agree(
        "jvp = differences", program, found[n:], differences(program, inputs, tangents), DIFFERENCES
    )


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
    _same_number(
        "vjp = differences",
        program,
        inner(found[n:], tangents),
        inner(cotangents, moved),
        DIFFERENCES,
    )


def modes_are_adjoint(program: Program, inputs: Arrays, rng: np.random.Generator) -> None:
    """⟨w, J v⟩ = ⟨Jᵀ w, v⟩, up to rounding."""
    active = floats(program.input_types)
    tangents = [draw(rng, t) for t in pick(program.input_types, active)]
    cotangents = [draw(rng, t) for t in pick(program.output_types, floats(program.output_types))]
    n = len(program.outputs)
    moved = evaluate(jvp_program(program, active), *inputs, *tangents)[n:]
    pulled = evaluate(vjp_program(program, active), *inputs, *cotangents)[n:]
    _same_number(
        "jvp and vjp adjoint", program, inner(pulled, tangents), inner(cotangents, moved), ROUNDING
    )


def batching_is_a_loop(
    program: Program, variants: Sequence[Arrays], batched: tuple[bool, ...]
) -> tuple[Program, Arrays]:
    """One run over a batch gives what one run per example gives.

    Returns the batched Program and its inputs.
    """
    derived, flags = vmap_program(program, batched, len(variants), None)
    check(derived)
    inputs = [
        np.stack([v[i] for v in variants]) if b else variants[0][i] for i, b in enumerate(batched)
    ]
    found = evaluate(derived, *inputs)
    singles = [
        evaluate(program, *(v[i] if b else variants[0][i] for i, b in enumerate(batched)))
        for v in variants
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
        raise broken("text", program, f"it prints differently after parsing:\n{to_text(parsed)}")
    agree(
        "text", program, evaluate(parsed, *inputs), evaluate(program, *inputs), Tolerance(0.0, 0.0)
    )


def passes_keep_the_meaning(program: Program, inputs: Arrays) -> Program:
    """After each pass of the pipeline a Program computes what it did; returns the last one."""
    wanted, passed = evaluate(program, *inputs), program
    for name, transformation in PASSES:
        passed = check(transformation(passed))
        _agree_each(name, program, evaluate(passed, *inputs), wanted, ROUNDING)
    return passed


def backend_is_interpreter(
    tasks: Sequence[tuple[Program, Arrays]], compile_program: Callable[..., Any]
) -> None:
    """A backend computes what the interpreter does.

    The Programs are compiled as one, since most of the time goes into starting the compiler; only
    where that one is wrong is each compiled alone, so that the error names the smallest.
    """
    try:
        _compare_backend(*_together(tasks), compile_program)
    except (BrokenLaw, CompileError):
        for program, inputs in tasks:
            _compare_backend(program, inputs, compile_program)
        raise


# --- pieces -----------------------------------------------------------------------------------


def agree(
    law: str, program: Program, found: Sequence[Any], wanted: Sequence[Any], tolerance: Tolerance
) -> None:
    """Raise unless two lists of arrays are equal, floats up to the tolerance."""
    for i, (x, y) in enumerate(zip(found, wanted, strict=True)):
        x, y = np.asarray(x), np.asarray(y)
        if x.shape != y.shape or x.dtype != y.dtype:
            raise broken(law, program, f"output {i} has type {type_of(x)}, wanted {type_of(y)}")
        if x.dtype.kind != "f":
            same = np.array_equal(x, y)
            error, allowed = (0.0 if same else np.inf), 0.0
        else:
            allowed = tolerance.f64 if y.dtype == np.float64 else tolerance.f32
            error = distance(x, y)
        if not error <= allowed:
            raise broken(
                law, program, f"output {i} differs by {error:.3g} > {allowed:.3g}\n{x}\n{y}"
            )


def distance(x: Any, y: Any) -> float:
    """Largest difference over the largest magnitude (at least 1); infinite where NaNs differ."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    finite = np.isfinite(x) & np.isfinite(y)
    if not np.array_equal(x[~finite], y[~finite], equal_nan=True):
        return float(np.inf)
    scale = max(1.0, float(np.max(np.abs(y[finite]), initial=0.0)))
    return float(np.max(np.abs(x[finite] - y[finite]), initial=0.0)) / scale


def inner(x: Arrays, y: Arrays) -> float:
    """Sum of products over lists of arrays."""
    return float(
        sum(np.sum(np.asarray(a, float) * np.asarray(b, float)) for a, b in zip(x, y, strict=True))
    )


def differences(program: Program, inputs: Arrays, tangents: Arrays) -> Arrays:
    """Derivative of the float outputs along a direction, by central differences of order 4."""
    active = floats(program.input_types)
    wanted = floats(program.output_types)

    def at(step: float) -> Arrays:
        rest = iter(tangents)
        moved = [
            x + (step * next(rest)).astype(x.dtype) if a else x
            for x, a in zip(inputs, active, strict=True)
        ]
        return pick(evaluate(program, *moved), wanted)

    near = zip(at(STEP), at(-STEP), strict=True)
    wide = zip(at(2 * STEP), at(-2 * STEP), strict=True)
    return [
        np.asarray((8.0 * (a - b) - (c - d)) / (12.0 * STEP)).astype(a.dtype)
        for (a, b), (c, d) in zip(near, wide, strict=True)
    ]


def _same_number(
    law: str, program: Program, found: float, wanted: float, tolerance: Tolerance
) -> None:
    single = any(t.dtype == np.float32 for t in (*program.input_types, *program.output_types))
    allowed = tolerance.f32 if single else tolerance.f64
    error = distance(found, wanted)
    if not error <= allowed * 10.0:
        raise broken(
            law, program, f"{found} and {wanted} differ by {error:.3g} > {allowed * 10.0:.3g}"
        )


def _compare_backend(program: Program, inputs: Arrays, compile_program: Callable[..., Any]) -> None:
    found = compile_program(program)(*inputs)
    _agree_each("backend = interpreter", program, found, evaluate(program, *inputs), BACKEND)


def _agree_each(
    law: str, program: Program, found: Arrays, wanted: Arrays, tolerance: Tolerance
) -> None:
    # A float64 that was computed from a float32 is as exact as that.
    coarse = Tolerance(tolerance.f32, tolerance.f32)
    for x, y, single in zip(found, wanted, in_single(program), strict=True):
        agree(law, program, [x], [y], coarse if single else tolerance)


def in_single(program: Program) -> list[bool]:
    """For each output, whether a float32 was met on the way to it."""
    met: set[Var] = {v for v in program.inputs if v.type.dtype == np.float32}
    for equation in program.equations:
        inner = (v for p in programs_in(equation) for q in subprograms(p) for v in variables(q))
        inside = any(v.type.dtype == np.float32 for v in (*equation.outputs, *inner))
        if inside or any(a in met for a in equation.inputs if isinstance(a, Var)):
            met.update(equation.outputs)
    return [isinstance(a, Var) and a in met for a in program.outputs]


def _together(tasks: Sequence[tuple[Program, Arrays]]) -> tuple[Program, Arrays]:
    """Independent Programs side by side in one; a Program that occurs twice is kept once."""
    programs = {id(p): (p, x) for p, x in tasks}.values()
    whole = Program(
        tasks[0][0].name,
        tuple(v for p, _ in programs for v in p.inputs),
        tuple(e for p, _ in programs for e in p.equations),
        tuple(o for p, _ in programs for o in p.outputs),
    )
    return check(whole), [array for _, x in programs for array in x]


def broken(law: str, program: Program, what: str) -> BrokenLaw:
    """The error of a Program that breaks a law."""
    return BrokenLaw(f"{program.name} breaks the law of {law}: {what}\n{program!r}")
