"""Questions about Programs."""

from __future__ import annotations

import numpy as np

from bayesdl.ir.text import from_text
from bayesdl.ir.walk import count_equations, last_uses, live_equations, subprograms, substitute
from bayesdl.tracing import trace
from bayesdl.tracing.flow import cond, scan, shared

PROGRAM = from_text(
    """program f(%a: f64[]):
  %b: f64[] = exp %a
  %c: f64[] = neg %a
  %d: f64[] = add %b %a
  return %d"""
)


def test_live_equations_drop_what_nobody_needs() -> None:
    assert [e.primitive.name for e in live_equations(PROGRAM)] == ["exp", "add"]


def test_last_uses() -> None:
    last = last_uses(PROGRAM)
    (a,) = PROGRAM.inputs
    b, c, d = (e.outputs[0] for e in PROGRAM.equations)
    assert last == {a: 2, b: 2, d: 3}
    assert c not in last


def test_substitute_leaves_the_rest() -> None:
    (a,) = PROGRAM.inputs
    b = PROGRAM.equations[0].outputs[0]
    assert substitute((a, b), {a: b}) == (b, b)


def test_shared_programs_are_visited_once() -> None:
    twice = shared(lambda v: v * 2.0)
    program = trace(
        lambda x: cond(
            x > 0.0,
            lambda v: twice(twice(v)),
            lambda v: scan(lambda c, _: (twice(c), None), v, length=3)[0],
            x,
        ),
        np.float64(1.0),
    ).program
    found = list(subprograms(program))
    assert len(found) == len({id(p) for p in found})
    assert found[-1] is program
    assert count_equations(program) == sum(len(p.equations) for p in found)
