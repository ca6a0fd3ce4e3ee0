"""cond: one of two Programs, chosen when it runs; over a batch of choices both, and `where`."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl._base.errors import ShapeError
from bayesdl.ir.primitive import Case
from bayesdl.ir.program import Program
from bayesdl.ir.text import from_text
from bayesdl.ir.types import ArrayType

from .. import elementwise as ew
from .._declare import general
from .._programs import checked, floats, listed, pick, solid, spread
from ..structural import broadcast
from .calls import call


def _cond_type(predicate: ArrayType, *types: ArrayType, true: Program, false: Program) -> Any:
    if predicate.shape or predicate.dtype.kind != "b":
        raise ShapeError(
            "`cond` needs one boolean.",
            facts=[("predicate", predicate)],
            fix="use where(condition, x, y) for a choice per element.",
            code="T101",
        )
    if true.output_types != false.output_types:
        raise ShapeError(
            "the branches of `cond` give different types.",
            facts=[("if true", *true.output_types), ("if false", *false.output_types)],
            fix="make both branches return the same shapes and dtypes.",
            code="T101",
        )
    checked("cond", types, true)
    return checked("cond", types, false)


def _cond_jvp(transform: Any, args: Any, tangents: Any, *, true: Program, false: Program) -> Any:
    active = tuple(t is not None for t in tangents[1:])
    outputs = listed(
        cond(
            *args,
            *pick(tangents[1:], active),
            true=transform.jvp(true, active),
            false=transform.jvp(false, active),
        )
    )
    n = len(true.outputs)
    return outputs[:n], spread(outputs[n:], floats(true.output_types))


def _cond_vjp(transform: Any, active: Any, args: Any, *, true: Program, false: Program) -> Any:
    outputs = listed(cond(*args, true=true, false=false))
    flags, wanted = floats(true.output_types), tuple(active[1:])

    def pullback(cts: Any) -> Any:
        backward = {"true": transform.vjp(true, wanted), "false": transform.vjp(false, wanted)}
        found = listed(cond(*args, *solid(cts, outputs, flags), **backward))
        return [None, *spread(found[len(outputs) :], wanted)]

    return outputs, pullback


def _cond_batch(
    transform: Any, size: int, args: Any, flags: Any, *, true: Program, false: Program
) -> Any:
    """One predicate keeps a cond; one per example computes both branches and chooses."""
    force = (True,) * len(true.outputs)
    t, _ = transform.vmap(true, tuple(flags[1:]), size, force)
    f, _ = transform.vmap(false, tuple(flags[1:]), size, force)
    if not flags[0]:
        return listed(cond(*args, true=t, false=f)), force
    chosen = zip(
        listed(call(*args[1:], program=t)), listed(call(*args[1:], program=f)), strict=True
    )
    return [select(args[0], x, y) for x, y in chosen], force


def select(predicate: Any, x: Any, y: Any) -> Any:
    """where(predicate, x, y) with one predicate per entry of the first axis."""
    shape = np.shape(x)
    return ew.where(broadcast(predicate, shape=shape, axes=tuple(range(1, len(shape)))), x, y)


_TRUE = from_text("program t(%a: f64[3]):\n  %b: f64[3] = sin %a\n  return %b")
_FALSE = from_text("program f(%a: f64[3]):\n  %b: f64[3] = mul %a %a\n  return %b")
cond = general(
    "cond",
    type=_cond_type,
    numpy=lambda evaluate, p, *args, true, false: tuple(evaluate(true if p else false, *args)),
    jvp=_cond_jvp,
    vjp=_cond_vjp,
    batch=_cond_batch,
    has_programs=True,
    cases=tuple(
        Case(("bool[]", "f64[3]"), {"true": _TRUE, "false": _FALSE}, values=(np.bool_(v), None))
        for v in (True, False)
    ),
)
