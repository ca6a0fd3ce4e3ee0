"""What never changes is computed before the loop, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl.ir.check import check
from bayesdl.ir.program import Program
from bayesdl.ir.text import from_text
from bayesdl.ir.walk import subprograms
from bayesdl.lower.hoist import hoist
from bayesdl.lower.interpret import interpret_program

DENSITY = """program density(%x: f64[3], %e: f64[3]):
  %l: f64[3] = log %e
  %a: f64[3] = mul %x %l
  %g: f64[3] = neg %a
  return %g"""
LOOP = f"""program f(%x: f64[3], %e: f64[3], %n: i64[]):
  %i: i64[], %y: f64[3] = while_loop %e %n 0:i64 %x constants=2 test={{
program t(%e: f64[3], %n: i64[], %i: i64[], %x: f64[3]):
  %b: bool[] = less %i %n
  return %b
}} body={{
program b(%e: f64[3], %n: i64[], %i: i64[], %x: f64[3]):
  %y: f64[3] = call %x %e program={{
{DENSITY}
}}
  %j: i64[] = add %i 1:i64
  return %j %y
}}
  return %y"""


def hoisted(text: str) -> Program:
    return check(hoist(check(from_text(text))))


def inside(program: Program, name: str) -> list[str]:
    """The Programs that hold an equation of a primitive."""
    return [p.name for p in subprograms(program) for e in p.equations if e.primitive.name == name]


def test_a_logarithm_of_data_leaves_call_and_loop() -> None:
    program = hoisted(LOOP)
    assert inside(program, "log") == ["f"]
    inputs = [np.ones(3), np.array([0.5, 2.0, 3.0]), np.array(3)]
    (found,) = interpret_program(program)(*inputs)
    np.testing.assert_array_equal(found, interpret_program(from_text(LOOP))(*inputs)[0])


def test_no_turn_no_harm() -> None:
    program = hoisted(LOOP)
    (found,) = interpret_program(program)(np.ones(3), np.zeros(3), np.array(0))
    np.testing.assert_array_equal(found, np.ones(3))


@pytest.mark.parametrize(
    "line",
    ["%l: f64[3] = abs %e", "%l: f64[3] = log %x"],
    ids=["cheap", "changing"],
)
def test_what_is_cheap_or_changes_stays(line: str) -> None:
    program = hoisted(LOOP.replace("%l: f64[3] = log %e", line))
    name = line.split()[3]
    assert inside(program, name) == ["density"]


def test_outside_of_loops_nothing_moves() -> None:
    text = f"""program f(%x: f64[3], %e: f64[3]):
  %y: f64[3] = call %x %e program={{
{DENSITY}
}}
  return %y"""
    assert inside(hoisted(text), "log") == ["density"]


def test_a_program_called_in_and_before_a_loop_stays_one() -> None:
    """The first gradient and those of the loop share their code, and what they read of the data."""
    text = f"""program f(%x: f64[3], %e: f64[3]):
  %z: f64[3], %y: f64[3] = scan %e %x %x constants=1 carry=1 length=3 reverse=false body={{
program b(%e: f64[3], %x: f64[3], %s: f64[]):
  %y: f64[3] = call %x %e program={{
{DENSITY}
}}
  return %y %s
}}
  return %z"""
    program = from_text(text)
    (loop,) = program.equations
    density = loop.params["body"].equations[0].params["program"]
    first = type(loop)(
        loop.params["body"].equations[0].primitive,
        program.inputs,
        {"program": density},
        (new := type(program.inputs[0])(program.inputs[0].type),),
    )
    later = type(loop)(
        loop.primitive, (program.inputs[1], new, *loop.inputs[2:]), loop.params, loop.outputs
    )
    whole = Program("f", program.inputs, (first, later), program.outputs)
    found = check(hoist(check(whole)))
    assert inside(found, "log") == ["f"]
    assert inside(found, "mul") == ["density"]
    inputs = [np.ones(3), np.array([0.5, 2.0, 3.0])]
    np.testing.assert_array_equal(
        interpret_program(found)(*inputs)[0], interpret_program(whole)(*inputs)[0]
    )


def test_both_branches_and_a_carry_that_stays() -> None:
    text = """program f(%x: f64[3], %e: f64[3], %p: bool[]):
  %y: f64[3], %z: f64[3], %r: f64[3] = scan %p %x %e %x constants=1 carry=2 length=3 body={
program b(%p: bool[], %x: f64[3], %e: f64[3], %s: f64[]):
  %y: f64[3] = cond %p %x %e true={
program yes(%x: f64[3], %e: f64[3]):
  %l: f64[3] = log %e
  %y: f64[3] = add %x %l
  return %y
} false={
program no(%x: f64[3], %e: f64[3]):
  %l: f64[3] = sin %e
  %y: f64[3] = add %x %l
  return %y
}
  return %y %e %s
} reverse=true
  return %y %z %r"""
    program = hoisted(text)
    assert inside(program, "log") == inside(program, "sin") == ["f"]
    for p in (True, False):
        inputs = [np.ones(3), np.array([0.5, 2.0, 3.0]), np.array(p)]
        wanted = interpret_program(from_text(text))(*inputs)
        for have, want in zip(interpret_program(program)(*inputs), wanted, strict=True):
            np.testing.assert_array_equal(have, want)
