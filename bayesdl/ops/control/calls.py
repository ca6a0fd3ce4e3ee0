"""call: a Program used as it is; custom_call: one whose reverse derivative is given with it."""

from __future__ import annotations

from typing import Any

from bayesdl._base.errors import TraceError
from bayesdl.ir.primitive import Case
from bayesdl.ir.program import Program
from bayesdl.ir.text import from_text

from .._declare import general
from .._programs import checked, floats, listed, pick, solid, spread
from ..structural import to_front


def _call_jvp(transform: Any, args: Any, tangents: Any, *, program: Program) -> Any:
    active = tuple(t is not None for t in tangents)
    outputs = listed(call(*args, *pick(tangents, active), program=transform.jvp(program, active)))
    n = len(program.outputs)
    return outputs[:n], spread(outputs[n:], floats(program.output_types))


def _call_vjp(transform: Any, active: Any, args: Any, *, program: Program) -> Any:
    outputs = listed(call(*args, program=program))
    flags = floats(program.output_types)

    def pullback(cts: Any) -> Any:
        backward = transform.vjp(program, tuple(active))
        found = listed(call(*args, *solid(cts, outputs, flags), program=backward))
        return spread(found[len(outputs) :], active)

    return outputs, pullback


def _call_batch(transform: Any, size: int, args: Any, flags: Any, *, program: Program) -> Any:
    batched, out = transform.vmap(program, tuple(flags), size, None)
    return listed(call(*args, program=batched)), out


_CASE = from_text(
    """program square(%a: f64[3], %b: f64[3]):
  %c: f64[3] = mul %a %b
  %d: f64[3] = sin %c
  return %d %a"""
)
call = general(
    "call",
    type=lambda *types, program: checked("call", types, program),
    numpy=lambda evaluate, *args, program: tuple(evaluate(program, *args)),
    jvp=_call_jvp,
    vjp=_call_vjp,
    batch=_call_batch,
    has_programs=True,
    cases=(Case(("f64[3]", "f64[3]"), {"program": _CASE}),),
)

# --- custom derivatives -----------------------------------------------------------------------
# forward(inputs) -> outputs, residuals
# backward(residuals, cotangents of float outputs) -> cotangents of float inputs


def _custom_vjp(
    transform: Any, active: Any, args: Any, *, program: Program, forward: Program, backward: Program
) -> Any:
    n = len(program.outputs)
    out = listed(call(*args, program=forward))
    outputs, residuals = out[:n], out[n:]

    def pullback(cts: Any) -> Any:
        solid_cts = solid(cts, outputs, floats(program.output_types))
        return spread(
            listed(call(*residuals, *solid_cts, program=backward)), floats(program.input_types)
        )

    return outputs, pullback


def _custom_jvp(transform: Any, args: Any, tangents: Any, **_: Any) -> Any:
    raise TraceError(
        "forward mode cannot go through a function with a custom reverse-mode derivative.",
        fix="use grad or vjp here, or write the function with differentiable operations.",
        code="T106",
    )


def _custom_batch(
    transform: Any,
    size: int,
    args: Any,
    flags: Any,
    *,
    program: Program,
    forward: Program,
    backward: Program,
) -> Any:
    """Everything is batched, so that the three Programs agree on what carries the axis."""
    args = [to_front(a, f, size) for a, f in zip(args, flags, strict=True)]
    derived = {
        key: transform.vmap(p, (True,) * len(p.inputs), size, (True,) * len(p.outputs))[0]
        for key, p in (("program", program), ("forward", forward), ("backward", backward))
    }
    return listed(custom_call(*args, **derived)), (True,) * len(program.outputs)


custom_call = general(
    "custom_call",
    type=lambda *types, program, forward, backward: checked("custom_call", types, program),
    numpy=lambda evaluate, *args, program, forward, backward: tuple(evaluate(program, *args)),
    jvp=_custom_jvp,
    vjp=_custom_vjp,
    batch=_custom_batch,
    has_programs=True,
    cases=(
        Case(
            ("f64[3]",),
            {
                "program": from_text("program f(%a: f64[3]):\n  %b: f64[3] = sin %a\n  return %b"),
                "forward": from_text(
                    "program g(%a: f64[3]):\n  %b: f64[3] = sin %a\n  return %b %a"
                ),
                "backward": from_text(
                    "program h(%a: f64[3], %c: f64[3]):\n  %b: f64[3] = cos %a\n"
                    "  %d: f64[3] = mul %b %c\n  return %d"
                ),
            },
        ),
    ),
)
