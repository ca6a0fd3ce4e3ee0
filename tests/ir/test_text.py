"""What a Program prints can be read back, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl.ir.check import check
from bayesdl.ir.text import from_text, to_text
from bayesdl.ops import numpy as bnp
from bayesdl.ops._bind import evaluate
from bayesdl.ops.elementwise import add
from bayesdl.tracing import trace
from bayesdl.tracing.flow import cond, scan, while_loop

NUMBERS = [0.0, -0.0, 1.0, -2.5, 1 / 3, 5e-324, 1.7976931348623157e308, np.inf, -np.inf, np.nan]


def round_trip(text: str) -> None:
    assert to_text(from_text(text)) == text


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_literals_keep_their_bits(dtype: type) -> None:
    for number in NUMBERS:
        with np.errstate(over="ignore"):
            value = dtype(number)
        program = trace(lambda x, v=value: add(x, v), np.zeros(2, dtype)).program
        literal = from_text(to_text(program)).equations[0].inputs[1]
        assert literal.value.tobytes() == value.tobytes()  # type: ignore[union-attr]


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint64, np.uint32, np.bool_, np.float32])
def test_constants_keep_their_bits(dtype: type) -> None:
    low = np.iinfo(dtype).min if np.issubdtype(dtype, np.integer) else 0
    value = np.array([[0, 1], [1, low]], dtype)
    program = trace(lambda: (value,)).program
    (back,) = evaluate(from_text(to_text(program)))
    assert back.dtype == value.dtype
    assert back.tobytes() == value.tobytes()


def test_control_flow_reads_back() -> None:
    def f(x):
        total, ys = scan(lambda c, v: (c + v * x.sum(), c), 0.0, x)
        y = cond(total > 1.0, lambda v: v * 2.0, lambda v: v - total, ys)
        return while_loop(lambda c: (c < 9.0).any(), lambda c: c * 2.0 + 1.0, y)

    x = np.array([0.5, 0.25, 1.0])
    program = check(trace(f, x).program)
    again = check(from_text(to_text(program)))
    assert to_text(again) == to_text(program)
    np.testing.assert_array_equal(evaluate(again, x)[0], evaluate(program, x)[0])


def test_more_than_26_names() -> None:
    program = trace(lambda x: bnp.stack([x * float(i) for i in range(40)]), np.zeros(2)).program
    assert "%aa:" in to_text(program)
    round_trip(to_text(program))


def test_repr_is_the_text() -> None:
    program = trace(lambda x: x + 1.0, 0.0, name="f").program
    assert repr(program) == ("program f(%a: f64[]):\n  %b: f64[] = add %a 1.0e+00:f64\n  return %b")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("program f(%a: f64[]):\n  return %b", "%b is used before it is defined"),
        ("program f(%a: f64[]):\n  %b: f64[] = add %a %a", "expected"),
        ("program f(%a: f64[]):\n  return %a\nmore", "goes on"),
        ("program f(%a: f64[]):\n  %b: f64[] = neg %a ;", "not a Program"),
        ("f(%a: f64[]):\n  return %a", "expected 'program'"),
    ],
)
def test_bad_text_says_where(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_text(text)


def test_unknown_primitive_suggests_one() -> None:
    with pytest.raises(KeyError, match="did you mean 'sigmoid'"):
        from_text("program f(%a: f64[]):\n  %b: f64[] = sigmoide %a\n  return %b")
