"""cond, while_loop, scan and shared over Python functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from bayesdl._base.errors import ShapeError
from bayesdl.ir.walk import subprograms
from bayesdl.ops import numpy as bnp
from bayesdl.ops._bind import evaluate
from bayesdl.tracing import trace
from bayesdl.tracing.flow import cond, fori_loop, scan, shared, while_loop


@dataclass(frozen=True)
class State:
    """A carry with names."""

    __tree__: ClassVar[bool] = True
    x: Any
    n: Any


def both_ways(function: Any, *args: Any) -> list[Any]:
    """The results computed at once and through a Program, which must be the same."""
    traced = trace(function, *args)
    found = evaluate(traced.program, *(np.asarray(a) for a in args))
    direct = function(*args)
    direct = list(direct) if isinstance(direct, tuple) else [direct]
    for a, b in zip(found, direct, strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.asarray(a).dtype == np.asarray(b).dtype
    return found


@pytest.mark.parametrize("x", [2.0, -2.0])
def test_cond_takes_one_branch(x: float) -> None:
    (y,) = both_ways(lambda v: cond(v > 0.0, lambda a: bnp.sqrt(a), lambda a: -a, v), x)
    assert y == (np.sqrt(2.0) if x > 0 else 2.0)


def test_cond_captures_from_both_sides() -> None:
    def f(p, x, y):
        return cond(p, lambda: x * 2.0, lambda: y + x)

    assert both_ways(f, True, 1.0, 5.0) == [2.0]
    assert both_ways(f, False, 1.0, 5.0) == [6.0]


def test_number_carries() -> None:
    """0 is an int64 and 0.0 a float64, at once and in a trace."""
    assert int(fori_loop(0, 5, lambda i, total: total + i, 0)) == 10
    assert fori_loop(0, 5, lambda i, total: total + i, 0).dtype == np.int64
    (count, total) = both_ways(
        lambda x: while_loop(lambda c: c[0] < 4, lambda c: (c[0] + 1, c[1] + x), (0, 0.0)), 1.5
    )
    assert (count.dtype, total.dtype) == (np.int64, np.float64)
    assert (int(count), float(total)) == (4, 6.0)
    carry, ys = scan(lambda c, x: (c + 1, c * x), 0, np.array([1.0, 2.0, 3.0]))
    assert (carry.dtype, ys.dtype) == (np.int64, np.float64)
    assert cond(True, lambda: 1, lambda: 0).dtype == np.int64


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize(
    "loop",
    [
        lambda x: scan(lambda c, v: (c + v, None), 0, x),
        lambda x: fori_loop(0, 3, lambda i, c: c + 0.5, 0),
        lambda x: while_loop(lambda c: c < 3, lambda c: c + 0.5, 0),
        lambda x: scan(lambda c, v: (bnp.stack([c, c]), None), 0.0, x),
    ],
)
def test_carry_that_changes_its_type(loop: Any, traced: bool) -> None:
    x = np.ones(3)
    with pytest.raises(ShapeError, match="carry of another type") as caught:
        trace(loop, x) if traced else loop(x)
    text = str(caught.value)
    assert "[T104]" in text
    assert "0.0 instead of 0" in text
    assert "test_flow.py" in text


@pytest.mark.parametrize("traced", [False, True])
def test_branches_that_differ_in_type(traced: bool) -> None:
    def f(x):
        return cond(x > 0.0, lambda: 1, lambda: 1.0)

    with pytest.raises(ShapeError, match="branches of `cond` give different types") as caught:
        trace(f, 1.0) if traced else f(np.float64(1.0))
    assert "i64[]" in str(caught.value)


def test_branches_that_differ_in_structure() -> None:
    with pytest.raises(ShapeError, match="different structure"):
        cond(True, lambda: (1, 2), lambda: [1, 2])


def test_predicates_and_tests_are_one_boolean() -> None:
    with pytest.raises(ShapeError, match="`cond` needs one boolean"):
        cond(np.array([True, False]), lambda: 1, lambda: 2)
    with pytest.raises(ShapeError, match="test of `while_loop` must return one boolean"):
        while_loop(lambda x: x, lambda x: x - 1.0, 3.0)


def test_scan_threads_and_stacks() -> None:
    xs = np.array([1.0, 2.0, 3.0])
    carry, ys = scan(lambda c, x: (c + x, c), 0.0, xs)
    assert (float(carry), ys.tolist()) == (6.0, [0.0, 1.0, 3.0])
    carry, ys = scan(lambda c, x: (c + x, c), 0.0, xs, reverse=True)
    assert (float(carry), ys.tolist()) == (6.0, [5.0, 3.0, 0.0])
    carry, ys = scan(lambda c, _: (2.0 * c, {"c": c}), 1.0, length=4)
    assert (float(carry), ys["c"].tolist()) == (16.0, [1.0, 2.0, 4.0, 8.0])


def test_scan_of_no_steps() -> None:
    carry, ys = both_ways(lambda xs: scan(lambda c, x: (c + x, c), 1.0, xs), np.zeros(0))
    assert (float(carry), ys.shape) == (1.0, (0,))


def test_carries_with_names() -> None:
    out = while_loop(lambda s: s.x < 100.0, lambda s: State(s.x * 2.0, s.n + 1), State(3.0, 0))
    assert (float(out.x), int(out.n)) == (192.0, 6)


@pytest.mark.parametrize(
    ("xs", "length"),
    [(np.ones(3), 4), (None, None), ((np.ones(3), np.ones(2)), None), (np.float64(1.0), None)],
)
def test_scan_needs_one_length(xs: Any, length: int | None) -> None:
    with pytest.raises(ShapeError, match="one number of steps"):
        scan(lambda c, x: (c, None), 0.0, xs, length=length)


def test_scan_needs_a_pair() -> None:
    with pytest.raises(ShapeError, match="must return a pair"):
        scan(lambda c, x: c, 0.0, np.ones(3))
    with pytest.raises(ShapeError, match="another structure"):
        scan(lambda c, x: ((c, c), None), 0.0, np.ones(3))


def test_shared_programs_are_one_object() -> None:
    twice = shared(lambda v: bnp.sin(v) * 2.0)
    program = trace(lambda x: twice(x) + twice(x + 1.0) + twice(x[0]), np.ones(3)).program
    names = [e.primitive.name for p in subprograms(program) for e in p.equations]
    assert names.count("sin") == 2  # one for the vector, one for the scalar
    x = np.array([0.1, 0.2, 0.3])
    np.testing.assert_allclose(
        evaluate(program, x)[0], 2 * np.sin(x) + 2 * np.sin(x + 1) + 2 * np.sin(0.1)
    )


def test_shared_functions_outlive_a_trace() -> None:
    """What they captured belonged to the first trace; in the second they are traced anew."""
    data: list[Any] = []
    times = shared(lambda v: v * data[-1])

    def f(x, y):
        data.append(y)
        return times(x) + times(x)

    for y in (2.0, 3.0):
        assert evaluate(trace(f, 1.0, y).program, np.float64(5.0), np.float64(y)) == [10.0 * y]
