"""while_loop: a Program repeated until another says stop; its number of turns is not known."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl._base.errors import ShapeError, TraceError
from bayesdl.ir.primitive import Case
from bayesdl.ir.program import Program
from bayesdl.ir.text import from_text
from bayesdl.ir.types import ArrayType

from .._declare import general
from .._programs import checked, floats, listed, pick, same_carry, solid, spread
from ..structural import reduce_or, to_front
from .branches import select
from .calls import call

# inputs: constants, then carry. test(constants, carry) -> bool; body(constants, carry) -> carry


def _while_type(*types: ArrayType, test: Program, body: Program, constants: int) -> Any:
    carry = types[constants:]
    answer = checked("while_loop", types, test)
    if answer != (ArrayType((), np.dtype(np.bool_)),):
        raise ShapeError(
            "the test of `while_loop` must return one boolean.",
            facts=[("returned", *answer)],
            fix="compare, and reduce with any() or all() where there are several elements.",
            code="T101",
        )
    checked("while_loop", types, body)
    same_carry("while_loop", carry, body.output_types)
    return carry


def _while_numpy(evaluate: Any, *args: Any, test: Program, body: Program, constants: int) -> Any:
    fixed, carry = args[:constants], list(args[constants:])
    while evaluate(test, *fixed, *carry)[0]:
        carry = evaluate(body, *fixed, *carry)
    return tuple(carry)


def _while_jvp(
    transform: Any, args: Any, tangents: Any, *, test: Program, body: Program, constants: int
) -> Any:
    types = [a.type for a in body.inputs]
    live = [t is not None for t in tangents[:constants]] + list(floats(types[constants:]))
    fixed = pick(tangents[:constants], live[:constants])
    moving = solid(tangents[constants:], args[constants:], live[constants:])
    derived = transform.jvp(body, tuple(live))
    k, n, m = constants, len(args), len(fixed)

    # The derived body takes constants, carry, tangents; the loop wants all constants in front.
    def step(*v: Any) -> Any:
        c, dc, x, dx = v[:k], v[k : k + m], v[k + m : m + n], v[m + n :]
        return listed(call(*c, *x, *dc, *dx, program=derived))

    def keep(*v: Any) -> Any:
        return listed(call(*v[:k], *v[k + m : m + n], program=test))

    operands = [*args[:k], *fixed, *args[k:], *moving]
    kinds = [ArrayType(np.shape(o), o.dtype) for o in operands]
    out = listed(
        while_loop(
            *operands,
            test=transform.trace(keep, kinds, "test"),
            body=transform.trace(step, kinds, "body"),
            constants=k + m,
        )
    )
    return out[: n - k], spread(out[n - k :], live[k:])


def _while_vjp(transform: Any, active: Any, args: Any, **params: Any) -> Any:
    """Refuses when a cotangent arrives: results without a derivative may come from a loop."""

    def pullback(cts: Any) -> Any:
        raise TraceError(
            "reverse mode cannot go through `while_loop`: the number of steps is not known.",
            fix="use scan or fori_loop with a fixed number of steps, or forward mode "
            "(jvp, jacobian with mode='forward').",
            code="T105",
        )

    return listed(while_loop(*args, **params)), pullback


def _while_batch(
    transform: Any,
    size: int,
    args: Any,
    flags: Any,
    *,
    test: Program,
    body: Program,
    constants: int,
) -> Any:
    """Runs until every example is done; finished ones stand still."""
    k, n = constants, len(args)
    carry = [to_front(a, f, size) for a, f in zip(args[k:], flags[k:], strict=True)]
    inside = (*flags[:k], *(True,) * (n - k))
    b, _ = transform.vmap(body, inside, size, (True,) * (n - k))
    t, _ = transform.vmap(test, inside, size, (True,))

    def keep(*v: Any) -> Any:
        return [reduce_or(call(*v, program=t), axes=(0,))]

    def step(*v: Any) -> Any:
        going = call(*v, program=t)
        new = listed(call(*v, program=b))
        return [select(going, x, y) for x, y in zip(new, v[k:], strict=True)]

    kinds = [ArrayType(np.shape(a), a.dtype) for a in (*args[:k], *carry)]
    out = while_loop(
        *args[:k],
        *carry,
        test=transform.trace(keep, kinds, "test"),
        body=transform.trace(step, kinds, "body"),
        constants=k,
    )
    return listed(out), (True,) * (n - k)


_TEST = from_text(
    "program test(%s: f64[], %i: i64[], %x: f64[3]):\n  %b: bool[] = less %i 4:i64\n  return %b"
)
_BODY = from_text(
    """program body(%s: f64[], %i: i64[], %x: f64[3]):
  %j: i64[] = add %i 1:i64
  %t: f64[3] = broadcast %s axes=(0,) shape=(3,)
  %y: f64[3] = mul %x %t
  %z: f64[3] = sin %y
  return %j %z"""
)
while_loop = general(
    "while_loop",
    type=_while_type,
    numpy=_while_numpy,
    jvp=_while_jvp,
    vjp=_while_vjp,
    batch=_while_batch,
    has_programs=True,
    cases=(
        Case(
            ("f64[]", "i64[]", "f64[3]"),
            {"test": _TEST, "body": _BODY, "constants": 1},
            values=(None, np.int64(0), None),
        ),
    ),
)
