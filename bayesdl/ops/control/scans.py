"""scan: a Program repeated a known number of times, results stacked; its reverse is a scan back."""

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
from .._programs import checked, floats, listed, pick, same_carry, solid, split, spread, step_types
from ..structural import to_front, transpose, zeros_like
from .calls import call
from .residuals import cut, moving_carry

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
    """Forward: the same scan, with what the way back needs kept. Backward: a scan the other way."""
    k, n_out = constants + carry, len(body.outputs)
    types, out_flags = body.input_types, floats(body.output_types)
    live = moving_carry(body, active, constants, carry)
    derived = transform.vjp(body, tuple(live))
    step = cut(derived, n_out, len(types), constants, carry)
    params = {"constants": constants, "carry": carry, "length": length, "reverse": reverse}
    out = listed(scan(*args, body=step.forward, **params))
    outputs, kept = out[:n_out], [out[i] for i in step.kept]
    # Cotangents come for the floats among the outputs, and go back for the active inputs.
    n_c, n_s = sum(live[:constants]), sum(live[constants:k])
    through = [i for i, f in enumerate(out_flags[:carry]) if f]
    moved = [live[constants + i] for i in through]

    def pullback(cts: Any) -> Any:
        arrived = pick(cts, out_flags)
        stacked = [i for i in step.cotangents if i >= len(through) and arrived[i] is not None]
        floating = pick(body.output_types, out_flags)

        def backward(*v: Any) -> Any:
            sizes = [len(step.constants), n_c, n_s, len(kept), len(step.xs), len(stacked)]
            c, total, ct_s, held, x, ct_y = split(v, sizes)
            given = dict(zip(stacked, ct_y, strict=True))
            given.update(zip((i for i, m in enumerate(moved) if m), ct_s, strict=True))
            ct = [given[i] if i in given else zeros_like(floating[i]) for i in step.cotangents]
            found = listed(call(*c, *held, *x, *ct, program=step.backward))
            dc, ds, dx = split(found, [n_c, n_s, len(found)])
            return [*(ew.add(a, b) for a, b in zip(total, dc, strict=True)), *ds, *dx]

        totals = [zeros_like(a) for a in pick(args[:constants], live[:constants])]
        ct_s = solid(cts[:carry], outputs[:carry], live[constants:k])
        fixed, xs = [args[i] for i in step.constants], [args[k + i] for i in step.xs]
        operands = [*fixed, *totals, *ct_s, *kept, *xs, *(arrived[i] for i in stacked)]
        kinds = step_types(operands, len(fixed) + n_c + n_s)
        found = listed(
            scan(
                *operands,
                body=transform.trace(backward, kinds, "backward"),
                constants=len(fixed),
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
