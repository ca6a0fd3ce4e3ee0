"""The checker refuses each kind of ill-formed Program."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl._base.errors import CompileError
from bayesdl.ir.check import check
from bayesdl.ir.primitive import PRIMITIVES
from bayesdl.ir.program import Equation, Program, Var
from bayesdl.ir.text import from_text
from bayesdl.ir.types import ArrayType, parse_type
from bayesdl.tracing import trace
from bayesdl.tracing.flow import scan

GOOD = "program f(%a: f64[3], %b: f64[3]):\n  %c: f64[3] = add %a %b\n  return %c"


def var(text: str) -> Var:
    return Var(parse_type(text))


def equation(name: str, inputs: tuple, outputs: tuple, **params) -> Equation:
    return Equation(PRIMITIVES[name], inputs, params, outputs)


def test_good_programs_pass() -> None:
    program = from_text(GOOD)
    assert check(program) is program


def test_use_before_definition() -> None:
    a, b, c = var("f64[]"), var("f64[]"), var("f64[]")
    late = Program("f", (a,), (equation("neg", (b,), (c,)), equation("neg", (a,), (b,))), (c,))
    with pytest.raises(CompileError, match="equation 0, `neg`, uses a value that is not yet"):
        check(late)


def test_output_that_nobody_computes() -> None:
    with pytest.raises(CompileError, match="the return uses a value"):
        check(Program("f", (var("f64[]"),), (), (var("f64[]"),)))


def test_double_definition() -> None:
    a, b = var("f64[]"), var("f64[]")
    twice = (equation("neg", (a,), (b,)), equation("exp", (a,), (b,)))
    with pytest.raises(CompileError, match="`exp`, defines a value twice"):
        check(Program("f", (a,), twice, (b,)))
    with pytest.raises(CompileError, match="the input list defines a value twice"):
        check(Program("f", (a, a), (), (a,)))


def test_wrong_type() -> None:
    a, b = var("f64[3]"), var("f32[3]")
    with pytest.raises(CompileError, match="where the rule gives"):
        check(Program("f", (a,), (equation("neg", (a,), (b,)),), (b,)))


def test_operands_that_a_rule_refuses() -> None:
    a, b, c = var("f64[3]"), var("f32[3]"), var("f64[3]")
    with pytest.raises(CompileError, match="is refused: `add` got dtypes"):
        check(Program("f", (a, b), (equation("add", (a, b), (c,)),), (c,)))


def test_scalar_variables_are_not_stretched() -> None:
    """A literal may stand beside an array, a scalar that is computed may not."""
    a, b, c = var("f64[3]"), var("f64[]"), var("f64[3]")
    with pytest.raises(CompileError, match="operands of several shapes"):
        check(Program("f", (a, b), (equation("add", (a, b), (c,)),), (c,)))
    check(from_text("program f(%a: f64[3]):\n  %b: f64[3] = add %a 1.0:f64\n  return %b"))


def test_inner_programs_are_checked() -> None:
    program = trace(lambda x: scan(lambda c, v: (c + v, c), 0.0, x), np.zeros(3)).program
    (outer,) = program.equations
    body = outer.params["body"]
    broken = Program(body.name, body.inputs, (), body.outputs)
    params = {**outer.params, "body": broken}
    bad = Program(
        "f",
        program.inputs,
        (equation("scan", outer.inputs, outer.outputs, **params),),
        program.outputs,
    )
    with pytest.raises(CompileError, match="the return uses a value"):
        check(bad)


def test_message_carries_the_program() -> None:
    with pytest.raises(CompileError) as caught:
        check(Program("broken", (), (), (Var(ArrayType((2,), np.dtype(np.int64))),)))
    assert "program broken():" in str(caught.value)
    assert "[C101]" in str(caught.value)
