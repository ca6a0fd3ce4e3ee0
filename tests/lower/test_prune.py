"""Inner Programs take and give what is read of them, and mean what they meant."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bayesdl.ir.check import check
from bayesdl.ir.primitive import PRIMITIVES
from bayesdl.ir.program import Equation, Program
from bayesdl.ir.text import from_text, to_text
from bayesdl.ir.walk import subprograms
from bayesdl.lower.prune import OPERANDS, prune
from bayesdl.ops import numpy as bnp
from bayesdl.ops._bind import evaluate
from bayesdl.testing.programs import random_program
from bayesdl.tracing import trace
from bayesdl.tracing.flow import scan, shared, while_loop
from bayesdl.transform.derived import grad

SEEDS = range(60)


def with_outputs(program: Program, kept: list[int]) -> Program:
    outputs = tuple(program.outputs[i] for i in kept)
    return Program(program.name, program.inputs, program.equations, outputs)


def the(name: str, program: Program) -> list[Equation]:
    """The equations of a primitive, in all Programs."""
    return [e for p in subprograms(program) for e in p.equations if e.primitive.name == name]


def same_meaning(program: Program, *inputs: Any) -> Program:
    short = check(prune(program))
    assert short.input_types == program.input_types
    for x, y in zip(evaluate(short, *inputs), evaluate(program, *inputs), strict=True):
        np.testing.assert_array_equal(x, y)
    return short


@pytest.mark.parametrize("seed", SEEDS)
def test_random_programs_of_which_little_is_read(seed: int) -> None:
    program, variants = random_program(seed, 25)
    rng = np.random.default_rng(seed)
    few = [int(i) for i in np.flatnonzero(rng.random(len(program.outputs)) < 0.4)]
    program = with_outputs(program, few or [0])
    short = same_meaning(program, *variants[0])
    assert to_text(prune(short)) == to_text(short)


def test_every_primitive_that_holds_programs_has_a_rule() -> None:
    assert set(OPERANDS) == {p.name for p in PRIMITIVES.values() if p.has_programs}


def test_nothing_to_do_gives_the_same_object() -> None:
    program = trace(lambda x: scan(lambda c, v: (c * v, c), 1.0, x), np.ones(3)).program
    assert prune(program) is program


def test_a_cycle_of_parts_that_only_feed_each_other() -> None:
    """Two parts of a carry that swap are both dropped; what one that stays reads, stays."""

    def f(x: Any) -> Any:
        def step(carry: Any, v: Any) -> Any:
            a, b, c, d = carry
            return (b + v, a, c * d, d + 1.0), None

        return scan(step, (0.0, 1.0, x[0], 2.0), x)[0][2]

    x = np.linspace(1.0, 2.0, 4)
    short = same_meaning(trace(f, x).program, x)
    (loop,) = the("scan", short)
    assert loop.params["carry"] == 2
    assert len(loop.inputs) == 2, "xs went too"


def test_the_test_of_a_loop_keeps_what_it_reads() -> None:
    def f(x: Any) -> Any:
        return while_loop(
            lambda c: c[0] < 5, lambda c: (c[0] + 1, c[1] * 2.0, c[2] + c[1]), (0, x, x)
        )[1]

    short = same_meaning(trace(f, 1.5).program, 1.5)
    (loop,) = the("while_loop", short)
    assert [v.type.dtype.kind for v in loop.outputs] == ["i", "f"]


def test_a_shared_program_keeps_what_any_place_reads() -> None:
    """And remains one: the first call reads one result, the second another."""
    pair = shared(lambda x, y, z: (bnp.sin(x), bnp.cos(y), bnp.exp(z)))

    def f(x: Any) -> Any:
        return pair(x, x, x)[0] + pair(x, 2.0 * x, x)[1]

    short = same_meaning(trace(f, 0.3).program, 0.3)
    calls = the("call", short)
    assert len({id(e.params["program"]) for e in calls}) == 1
    assert [len(e.outputs) for e in calls] == [2, 2]
    assert [len(e.inputs) for e in calls] == [2, 2]
    assert not the("exp", short)


def test_one_program_as_a_body_and_as_a_call() -> None:
    """What the call reads, the loop must carry."""
    text = """program f(%a: f64[], %b: f64[], %x: f64[3]):
  %c: f64[], %d: f64[] = scan %a %b %x body=BODY carry=2 constants=0 length=3 reverse=false
  %e: f64[], %g: f64[] = call %a %b %c program=BODY
  return %c %g"""
    body = """{
program step(%a: f64[], %b: f64[], %x: f64[]):
  %c: f64[] = mul %a %x
  %d: f64[] = exp %b
  return %c %d
}"""
    program = from_text(text.replace("BODY", body))
    step = program.equations[0].params["body"]
    call = program.equations[1]
    one = Equation(call.primitive, call.inputs, {"program": step}, call.outputs)
    program = Program("f", program.inputs, (program.equations[0], one), program.outputs)
    short = same_meaning(program, 1.2, 0.1, np.array([1.0, 2.0, 3.0]))
    first, second = short.equations
    assert first.params["body"] is second.params["program"]


def test_derivatives_of_loops_whose_parts_are_linear_stack_no_state() -> None:
    """The total and the sum need no value of theirs on the way back."""

    def f(x: Any, w: Any) -> Any:
        def step(carry: Any, v: Any) -> Any:
            h, total, s = carry
            h = bnp.tanh(0.9 * h + v * w)
            return (h, total + h, s + v * bnp.arange(5.0)), None

        (_, total, s), _ = scan(step, (0.0, 0.0, np.zeros(5)), x)
        return total + s.sum()

    x = np.linspace(0.0, 1.0, 7)
    short = prune(trace(grad(f, argnums=1), x, 0.3).program)
    forward, _ = the("scan", short)
    stacks = [v.type.shape for v in forward.outputs[forward.params["carry"] :]]
    assert stacks == [(7,)], "tanh alone"
    assert forward.params["carry"] == 1, "without a value nobody reads the totals"
