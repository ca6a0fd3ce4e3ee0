"""A Program for some rows says of them what the whole one does, or there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bayesdl.ir.check import check
from bayesdl.lower.interpret import interpret_program
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random
from bayesdl.ops.special import digamma
from bayesdl.tracing import trace
from bayesdl.tracing.flow import cond, scan, shared
from bayesdl.transform.chunk import STEP, chunked
from bayesdl.transform.custom import custom_vjp

N, BLOCK = 22, 8
RNG = np.random.default_rng(0)
X, W, T = RNG.normal(size=(N, 3)), RNG.normal(size=(3, 5)), RNG.normal(size=(7, 4))
KEY = random.key(5)


def cut(function: Any, *args: Any, places: tuple[int, ...] = (0,)) -> Any:
    """The Program, and its parts; rows are the first axis of the arguments at `places`."""
    program = trace(function, *args, name="f").program
    return program, chunked(program, places, BLOCK)


def same(function: Any, *args: Any, places: tuple[int, ...] = (0,)) -> Any:
    """Put the chunks together again, and compare with the whole, bit for bit."""
    program, found = cut(function, *args, places=places)
    args = tuple(np.asarray(a) for a in args)
    assert found is not None
    parts = []
    for start in range(0, N, BLOCK):
        rows = np.minimum(np.arange(start, start + BLOCK), N - 1)
        given = [a[rows] if i in places else a for i, a in enumerate(args)]
        parts.append(interpret_program(check(found.program))(np.uint64(start // STEP), *given))
    values = [
        each[0] if axis is None else np.take(np.concatenate(each, axis), range(N), axis)
        for axis, each in zip(found.axes, zip(*parts, strict=True), strict=True)
    ]
    if found.rest is not None:
        values = interpret_program(check(found.rest))(*args, *values)
    for value, expected in zip(values, interpret_program(program)(*args), strict=True):
        np.testing.assert_array_equal(value, expected)
    return found


def network(x: Any, w: Any) -> Any:
    return bnp.tanh(x @ w + bnp.ones(5))[:, ::2]


def moving(x: Any, w: Any) -> Any:
    """Through reshapes, transposes, joins and reductions."""
    y = bnp.transpose(bnp.reshape(x @ w, (N, 1, 5)), (2, 0, 1))
    both = bnp.concatenate([y, bnp.zeros((5, N, 1))], 0)
    return bnp.sum(both, 0)[:, 0], both, bnp.max(x, 1), bnp.argmax(x, 1), bnp.softmax(x, -1)


def recurrent(x: Any, w: Any) -> Any:
    """Steps go over columns; the state begins as a constant, and the body reads weights."""
    columns = bnp.transpose(x)
    step = lambda h, c: (bnp.tanh(h @ w.T @ w + c[:, None]), h[:, 0])  # noqa: E731
    return scan(step, bnp.zeros((N, 5)), columns)


def masked(x: Any, w: Any) -> Any:
    """The body reads a constant that is as long as the rows, and so does a called function."""
    ones, columns = bnp.ones((N, 5)), bnp.transpose(x)
    step = lambda h, c: (ones * bnp.tanh(h * ones + c[:, None]), h[:, 0])  # noqa: E731
    last, first = scan(step, ones, columns)
    return weighted(last, ones), first


weighted = shared(lambda v, w: bnp.sum(v * w, 1))


def branching(x: Any, w: Any) -> Any:
    return cond(bnp.sum(w) > 0.0, lambda v: 2.0 * v, lambda v: v - 1.0, x)


halved = custom_vjp(lambda x: 0.5 * x, lambda x: (0.5 * x, ()), lambda _, ct: (0.5 * ct,))
both = shared(lambda v: digamma(bnp.exp(v)))


def calling(x: Any, w: Any) -> Any:
    return halved(both(x) + both(-x))


def looking_up(x: Any, i: Any, t: Any) -> Any:
    return bnp.take(t, i, axis=0) * x[:, :1]


@pytest.mark.parametrize("function", [network, moving, recurrent, masked, branching, calling])
def test_rows_that_stay_apart(function: Any) -> None:
    assert same(function, X, W).rest is None


def test_rows_of_several_arguments() -> None:
    same(looking_up, X, RNG.integers(0, 7, N), T, places=(0, 1))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(N,), (N, 3), (N, 1, 3)])
def test_random_numbers_are_those_of_the_row(shape: tuple[int, ...], dtype: Any) -> None:
    """Whatever is done with them before they meet the data."""

    def noisy(x: Any, key: Any) -> Any:
        normal = bnp.reshape(random.normal(key, shape, dtype), (N, -1))
        return x + normal, bnp.sum(normal * x, 1), random.categorical(key, x, (N,))

    found = same(noisy, X.astype(dtype), KEY)
    assert found.rest is None


def test_what_does_not_depend_on_the_rows_is_given_once() -> None:
    found = same(lambda x, w: (x @ w, bnp.sum(w)), X, W)
    assert found.axes == (0, None)


def test_draws_by_rejection_are_left_to_the_rest() -> None:
    """And what leads to them is not."""

    def counted(x: Any, w: Any, key: Any) -> Any:
        rate = bnp.exp(bnp.tanh(x @ w) @ bnp.ones(5))
        return random.gamma(key, rate), random.poisson(key, rate)

    found = same(counted, X, W, KEY)
    assert {e.primitive.name for e in found.rest.equations}.isdisjoint({"dot_general", "tanh"})


def test_little_that_needs_all_rows_is_left_to_the_rest() -> None:
    found = same(lambda x, w: bnp.softmax((x @ w)[:, 0]) + bnp.cumsum(x[:, 0]), X, W)
    assert [e.primitive.name for e in found.program.equations].count("dot_general") == 1


@pytest.mark.parametrize(
    "function",
    [
        lambda x: bnp.exp(x @ x.T) @ x,  # attention
        lambda x: bnp.exp(-bnp.square(x[:, None, 0] - x[None, :, 0])) @ x,  # a Gaussian process
        lambda x: bnp.sum(x, 0),
        lambda x: bnp.ones(N),
    ],
)
def test_rows_that_meet_are_not_cut(function: Any) -> None:
    assert cut(function, X)[1] is None


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x[::-1],
        lambda x: x - bnp.roll(x, 1, 0),
        lambda x: x * bnp.arange(N)[:, None] * bnp.ones((N, 1))[::-1],
        lambda x: x[np.arange(N)[::-1]],
        lambda x: scan(lambda c, v: (c + v, c), bnp.zeros(3), x)[1],
        lambda x: bnp.where(bnp.sum(x) > 0.0, x, -x),
    ],
)
def test_a_row_that_needs_another_never_takes_its_own(function: Any) -> None:
    """Such models are left whole; or the meeting is left to the rest, with the same result."""
    _, found = cut(lambda x, w: function(bnp.tanh(x @ w @ w.T)), X, W)
    if found is not None:
        same(lambda x, w: function(bnp.tanh(x @ w @ w.T)), X, W)
        assert found.rest is not None
