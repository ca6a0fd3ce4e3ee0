"""Python functions become Programs: arguments, results, source lines, concrete values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from bayesdl._base.errors import ConcreteError, ShapeError, TraceError
from bayesdl.ir.types import parse_type
from bayesdl.ops import numpy as bnp
from bayesdl.ops._bind import evaluate
from bayesdl.tracing import inline, trace
from bayesdl.tracing.flow import cond


@dataclass(frozen=True)
class Pair:
    """A container with two leaves."""

    __tree__: ClassVar[bool] = True
    left: Any
    right: Any


def test_containers_go_in_and_out() -> None:
    traced = trace(
        lambda p, d: {"sum": p.left + d["x"][0], "same": Pair(p.right, None)},
        Pair(1.0, np.ones(2)),
        {"x": (2.0,)},
    )
    assert [str(t) for t in traced.program.input_types] == ["f64[]", "f64[2]", "f64[]"]
    assert [str(t) for t in traced.program.output_types] == ["f64[2]", "f64[]"]
    assert traced.tree.keys == ("same", "sum")


def test_types_are_enough() -> None:
    program = trace(lambda x: x @ x.T, parse_type("f32[2,3]")).program
    assert program.output_types == (parse_type("f32[2,2]"),)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1, "i64[]"), (1.0, "f64[]"), (True, "bool[]"), (np.float32(1), "f32[]"), ([1, 2], "i64[]")],
)
def test_leaves_have_numpy_types(value: Any, text: str) -> None:
    assert str(trace(lambda x: x, value).program.input_types[0]) == text


def test_results_that_are_numbers() -> None:
    program = trace(lambda x: (3, np.int8(2), np.arange(2.0), True), 1.0).program
    assert [str(t) for t in program.output_types] == ["i64[]", "i32[]", "f64[2]", "bool[]"]


def test_results_that_are_not_arrays() -> None:
    with pytest.raises(TraceError, match="returned a str, which is not an array") as caught:
        trace(lambda x: "hello", 1.0)
    assert "[T107]" in str(caught.value)


def test_default_dtype_of_a_trace() -> None:
    with bnp.using_dtype(np.float32):
        program = trace(
            lambda x: x * 2.0 + np.ones(3) + bnp.zeros(3), np.zeros(3, np.float32)
        ).program
    assert program.output_types == (parse_type("f32[3]"),)
    assert bnp.default_dtype() == np.float64


def test_equations_remember_the_line() -> None:
    program = trace(lambda x: bnp.exp(x), 1.0).program  # this line
    source = program.equations[0].source
    assert source is not None
    assert source.text.endswith("# this line")


def test_inline_keeps_the_line_and_the_meaning() -> None:
    inner = trace(lambda x, y: (bnp.sin(x) * y, x), 1.0, 2.0).program
    outer = trace(lambda x: inline(inner, x, x + 1.0), 0.5).program
    assert outer.equations[1].source == inner.equations[0].source
    np.testing.assert_allclose(evaluate(outer, np.float64(0.5)), [np.sin(0.5) * 1.5, 0.5])
    np.testing.assert_allclose(
        inline(inner, np.float64(0.5), np.float64(1.5))[0], np.sin(0.5) * 1.5
    )


def test_equations_without_a_result() -> None:
    program = trace(lambda x: cond(x > 0, lambda v: None, lambda v: None, x), 1.0).program
    assert inline(program, np.float64(1.0)) == []


def test_concrete_values_may_be_branched_on() -> None:
    def f(x):
        return x * 2.0 if x > 0.0 else -x

    assert [e.primitive.name for e in trace(f, -1.0, concrete=True).program.equations] == [
        "greater",
        "neg",
    ]
    with pytest.raises(ConcreteError, match="a Python `if`"):
        trace(f, -1.0)


def test_errors_name_the_users_line() -> None:
    with pytest.raises(ShapeError) as caught:
        trace(lambda x, y: x + y, np.zeros(2), np.zeros(3))  # the sum
    assert "test_tracing.py" in str(caught.value)
    assert "# the sum" in str(caught.value)
