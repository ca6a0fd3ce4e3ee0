"""cond, while_loop, scan, call and custom derivatives: primitives that hold Programs."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl._base.errors import ShapeError, TraceError
from bayesdl.ir.primitive import Case
from bayesdl.ir.program import Program
from bayesdl.ir.text import from_text
from bayesdl.ir.types import ArrayType

from . import elementwise as ew
from ._declare import general
from ._programs import (
    checked,
    floats,
    listed,
    pick,
    same_carry,
    solid,
    split,
    spread,
    step_types,
)
from .structural import broadcast, reduce_or, to_front, transpose, zeros_like

# Each rule is handed the transform that calls it:
#   transform.jvp(program, active)                -> Program(inputs, tangents of active inputs)
#                                                    giving outputs, then tangents of float outputs
#   transform.vjp(program, active)                -> Program(inputs, cotangents of float outputs)
#                                                    giving outputs, then those of active inputs
#   transform.vmap(program, batched, size, force) -> (Program, batched flags of the outputs)
#   transform.trace(function, types, name)        -> Program without captures


# --- call -------------------------------------------------------------------------------------


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

# --- cond -------------------------------------------------------------------------------------


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

# --- while_loop -------------------------------------------------------------------------------
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

# --- scan -------------------------------------------------------------------------------------
# inputs: constants, carry, stacked xs. body(constants, carry, x) -> (carry, y)
# outputs: carry, stacked ys


def _scan_type(
    *types: ArrayType, body: Program, constants: int, carry: int, length: int, reverse: bool
) -> Any:
    k = constants + carry
    if any(not t.shape or t.shape[0] != length for t in types[k:]):
        raise ShapeError(
            "`scan` needs inputs with one common first axis.",
            facts=[("length", length), *((f"input {i}", t) for i, t in enumerate(types[k:]))],
            fix="stack what is scanned over along axis 0.",
            code="T101",
        )
    out = checked("scan", (*types[:k], *(t.drop((0,)) for t in types[k:])), body)
    same_carry("scan", types[constants:k], out[:carry])
    return (*out[:carry], *(t.with_shape((length, *t.shape)) for t in out[carry:]))


def _scan_numpy(
    evaluate: Any, *args: Any, body: Program, constants: int, carry: int, length: int, reverse: bool
) -> Any:
    k = constants + carry
    fixed, state, xs = args[:constants], list(args[constants:k]), args[k:]
    types = body.output_types[carry:]
    ys = [np.zeros((length, *t.shape), t.dtype) for t in types]
    for i in reversed(range(length)) if reverse else range(length):
        out = evaluate(body, *fixed, *state, *(x[i] for x in xs))
        state = out[:carry]
        for y, value in zip(ys, out[carry:], strict=True):
            y[i] = value
    return (*state, *ys)


def _scan_jvp(
    transform: Any,
    args: Any,
    tangents: Any,
    *,
    body: Program,
    constants: int,
    carry: int,
    length: int,
    reverse: bool,
) -> Any:
    k = constants + carry
    types = body.input_types
    live = [t is not None for t in tangents]
    live[constants:k] = floats(types[constants:k])
    dc = pick(tangents[:constants], live[:constants])
    ds = solid(tangents[constants:k], args[constants:k], live[constants:k])
    dx = pick(tangents[k:], live[k:])
    derived = transform.jvp(body, tuple(live))
    out_flags = floats(body.output_types)
    sizes = [constants, len(dc), carry, len(ds), len(args) - k, len(dx)]

    def step(*v: Any) -> Any:
        c, tc, s, ts, x, tx = split(v, sizes)
        out = listed(call(*c, *s, *x, *tc, *ts, *tx, program=derived))
        primal, tangent = out[: len(body.outputs)], spread(out[len(body.outputs) :], out_flags)
        moving = pick(tangent[:carry], out_flags[:carry])
        return [
            *primal[:carry],
            *moving,
            *primal[carry:],
            *pick(tangent[carry:], out_flags[carry:]),
        ]

    operands = [*args[:constants], *dc, *args[constants:k], *ds, *args[k:], *dx]
    kinds = step_types(operands, sum(sizes[:4]))
    out = listed(
        scan(
            *operands,
            body=transform.trace(step, kinds, "step"),
            constants=sizes[0] + sizes[1],
            carry=sizes[2] + sizes[3],
            length=length,
            reverse=reverse,
        )
    )
    s, ts, y, ty = split(out, [carry, len(ds), len(body.outputs) - carry, len(out)])
    return [*s, *y], [*spread(ts, out_flags[:carry]), *spread(ty, out_flags[carry:])]


def _scan_vjp(
    transform: Any,
    active: Any,
    args: Any,
    *,
    body: Program,
    constants: int,
    carry: int,
    length: int,
    reverse: bool,
) -> Any:
    """Forward: the same scan, with the carry of each step kept. Backward: a scan the other way."""
    k, n_out = constants + carry, len(body.outputs)
    c_in, xs = args[:constants], args[k:]
    types = body.input_types

    def forward(*v: Any) -> Any:
        out = listed(call(*v, program=body))
        return [*out, *v[constants:k]]

    kept = transform.trace(forward, list(types), "forward")
    params = {"constants": constants, "carry": carry, "length": length, "reverse": reverse}
    out = listed(scan(*args, body=kept, **params))
    outputs, states = out[:n_out], out[n_out:]
    live = [*active[:constants], *floats(types[constants:k]), *active[k:]]
    out_flags = floats(body.output_types)
    derived = transform.vjp(body, tuple(live))
    n_c, n_s = sum(live[:constants]), sum(live[constants:k])

    def backward(*v: Any) -> Any:
        c, total, ct_s, s, x, ct_y = split(v, [constants, n_c, n_s, carry, len(xs), len(v)])
        found = listed(call(*c, *s, *x, *ct_s, *ct_y, program=derived))[n_out:]
        dc, ds, dx = split(found, [n_c, n_s, len(found)])
        return [*(ew.add(a, b) for a, b in zip(total, dc, strict=True)), *ds, *dx]

    def pullback(cts: Any) -> Any:
        ct_s = solid(cts[:carry], outputs[:carry], out_flags[:carry])
        ct_y = solid(cts[carry:], outputs[carry:], out_flags[carry:])
        totals = [zeros_like(a) for a in pick(c_in, live[:constants])]
        operands = [*c_in, *totals, *ct_s, *states, *xs, *ct_y]
        kinds = step_types(operands, constants + n_c + n_s)
        found = listed(
            scan(
                *operands,
                body=transform.trace(backward, kinds, "backward"),
                constants=constants,
                carry=n_c + n_s,
                length=length,
                reverse=not reverse,
            )
        )
        dc, ds, dx = split(found, [n_c, n_s, len(found)])
        return [
            *spread(dc, live[:constants]),
            *spread(ds, live[constants:k]),
            *spread(dx, live[k:]),
        ]

    return outputs, pullback


def _scan_batch(
    transform: Any,
    size: int,
    args: Any,
    flags: Any,
    *,
    body: Program,
    constants: int,
    carry: int,
    length: int,
    reverse: bool,
) -> Any:
    k = constants + carry
    state = [
        to_front(a, f, size) for a, f in zip(args[constants:k], flags[constants:k], strict=True)
    ]
    xs = [swap_front(a) if f else a for a, f in zip(args[k:], flags[k:], strict=True)]
    inside = (*flags[:constants], *(True,) * carry, *flags[k:])
    batched, _ = transform.vmap(body, inside, size, (True,) * len(body.outputs))
    out = listed(
        scan(
            *args[:constants],
            *state,
            *xs,
            body=batched,
            constants=constants,
            carry=carry,
            length=length,
            reverse=reverse,
        )
    )
    return [*out[:carry], *(swap_front(y) for y in out[carry:])], (True,) * len(out)


def swap_front(x: Any) -> Any:
    """Exchange the first two axes."""
    rank = len(np.shape(x))
    permutation = (1, 0, *range(2, rank))
    return transpose(x, permutation=permutation)


_STEP = from_text(
    """program step(%a: f64[], %s: f64[2], %x: f64[2]):
  %t: f64[2] = broadcast %a axes=(0,) shape=(2,)
  %u: f64[2] = mul %s %t
  %v: f64[2] = add %u %x
  %w: f64[2] = sin %v
  %y: f64[] = reduce_sum %v axes=(0,)
  return %w %y"""
)
scan = general(
    "scan",
    type=_scan_type,
    numpy=_scan_numpy,
    jvp=_scan_jvp,
    vjp=_scan_vjp,
    batch=_scan_batch,
    has_programs=True,
    cases=tuple(
        Case(
            ("f64[]", "f64[2]", "f64[4,2]"),
            {"body": _STEP, "constants": 1, "carry": 1, "length": 4, "reverse": r},
        )
        for r in (False, True)
    ),
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
                "program": _TRUE,
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
