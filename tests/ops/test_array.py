"""The handle that user code holds: operators, NumPy's protocols, methods, and refusals."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
import pytest

from bayesdl._base.errors import ConcreteError, TraceError
from bayesdl.ops._bind import evaluate
from bayesdl.ops.array import Array
from bayesdl.tracing import trace

X = np.array([[0.5, 1.5, 2.0], [3.0, 0.25, 1.0]])
Y = np.array([1.0, 2.0, 0.5])
N, J = np.array([6, 7, 9]), np.array([2, 1, 3])


def check(function: Any, *args: Any) -> None:
    """A function written for NumPy gives through a trace what it gives without."""
    traced = trace(function, *args)
    wanted = function(*args)
    found = evaluate(traced.program, *args)[0]
    np.testing.assert_allclose(found, wanted, rtol=1e-14)
    assert np.shape(found) == np.shape(wanted)


@pytest.mark.parametrize(
    "name",
    ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "eq", "ne", "lt", "le", "gt", "ge"],
)
def test_binary_operators(name: str) -> None:
    op = getattr(operator, name)
    check(op, X, Y)
    check(lambda x: op(x, Y), X)
    check(lambda y: op(X, y), Y)
    check(lambda x: op(x, 2.0), X)
    check(lambda x: op(2.0, x), X)
    check(lambda x: op(np.float64(2.0), x), X)


@pytest.mark.parametrize("name", ["and_", "or_", "xor", "lshift", "rshift"])
def test_bit_operators(name: str) -> None:
    op = getattr(operator, name)
    check(op, N, J)
    check(lambda j: op(N, j), J)
    check(lambda i: op(i, 2), N)


def test_other_operators() -> None:
    check(lambda x: -x + +x, X)
    check(abs, X - 1.0)
    check(operator.invert, N)
    check(lambda x: x @ Y, X)
    check(lambda y: X @ y, Y)
    check(lambda y: operator.add([1.0, 2.0, 3.0], y), Y)
    check(lambda x: sum(row.sum() for row in x), X)
    assert trace(lambda x: len(x) * 1.0, X).program.outputs[0].value == 2.0  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.exp(x) + np.tanh(x),
        lambda x: np.maximum(x, 1.0) + np.add(Y, x),
        lambda x: np.sum(x, axis=0) + np.mean(x, 0),
        lambda x: np.add.reduce(x, axis=1),
        lambda x: np.multiply.reduce(x),
        lambda x: np.maximum.reduce(x, axis=None),
        lambda x: np.logical_and.reduce(x > 0.3, axis=0),
        lambda x: np.concatenate([x, np.ones((1, 3))], axis=0),
        lambda x: np.stack([x, X], axis=1),
        lambda x: np.where(x > 1, x, 0.0),
        lambda x: np.dot(x, Y) + np.einsum("ij,j->i", x, Y),
        lambda x: np.clip(x, 0.5, 1.0),
        lambda x: np.zeros_like(x) + np.reshape(x.T, (2, 3)),
        lambda x: np.linalg.norm(x) * np.outer(x[0], Y),
        lambda x: np.transpose(x).sum(axis=-1, keepdims=True),
        lambda x: np.pad(x, 1, "constant"),
        lambda x: np.sort(x, axis=0) + np.cumsum(x, axis=1),
    ],
)
def test_numpy_functions_trace(function: Any) -> None:
    check(function, X)


@pytest.mark.parametrize(
    "method",
    [
        lambda x: x.sum() + x.mean() + x.std() + x.var(ddof=1) + x.prod() + x.max() + x.min(),
        lambda x: x.sum(axis=0, keepdims=True) * x.reshape(3, 2).reshape((2, 3)),
        lambda x: x.T.transpose(1, 0).transpose() + x.swapaxes(0, 1),
        lambda x: x.ravel() + x.flatten() + x.reshape(-1),
        lambda x: x.cumsum(axis=1) + x.clip(0.5, 1.0),
        lambda x: x.dot(Y) + x.argmax(axis=1) + x.argmin(1) + x.any(1) + x.all(1),
        lambda x: x.take(J - 1, axis=1) * x.astype(np.int64) + x.diagonal().sum() + x.trace(),
        lambda x: x[None].squeeze(0) * x.ndim * x.size * x.shape[0] * len(x.shape),
    ],
)
def test_methods(method: Any) -> None:
    check(method, X)


def refused(function: Any, kind: type, message: str, code: str) -> None:
    with pytest.raises(kind, match=message) as caught:
        trace(function, X)
    text = str(caught.value)
    assert f"[{code}]" in text
    assert "test_array.py" in text
    assert "Fix: " in text


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: 1.0 if x.sum() > 0 else 2.0, "a Python `if`, `while`, `and` or `not`"),
        (lambda x: x.any() and x.all(), "a Python `if`"),
        (lambda x: float(x[0, 0]), r"float\(\)"),
        (lambda x: math.sqrt(x[0, 0]), r"float\(\)"),
        (lambda x: int(x[0, 0]), r"int\(\)"),
        (lambda x: range(x.argmax()), "an index or a size"),
        (lambda x: [1, 2, 3][x.argmax()], "an index or a size"),
        (np.asarray, r"np.asarray\(\)"),
    ],
)
def test_numbers_are_not_known(function: Any, message: str) -> None:
    refused(function, ConcreteError, message, "T201")


@pytest.mark.parametrize(
    "statement",
    [
        lambda x: x.__setitem__(0, 1.0),
        lambda x: operator.iadd(x[0:1].T[0], 1.0).__setitem__(0, 0.0),
    ],
)
def test_arrays_in_flight_are_not_written(statement: Any) -> None:
    refused(statement, ConcreteError, "cannot be written into", "T202")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (np.median, "numpy.median cannot be traced"),
        (lambda x: np.linalg.svd(x), "numpy.linalg.svd cannot be traced"),
        (lambda x: np.add(x, x, out=np.ones((2, 3))), "numpy.add cannot be traced with out="),
        (lambda x: np.sum(x, where=x > 0), "numpy.sum cannot be traced with where="),
        (
            lambda x: np.add.reduce(x, initial=3.0),
            "numpy.add.reduce cannot be traced with initial=",
        ),
        (lambda x: np.reshape(x, (3, 2), order="F"), "numpy.reshape cannot be traced with order="),
        (lambda x: np.add.accumulate(x), "numpy.add.accumulate cannot be traced"),
        (lambda x: np.heaviside(x, 0.0), "numpy.heaviside cannot be traced"),
    ],
)
def test_numpy_functions_that_cannot_be_traced(function: Any, message: str) -> None:
    refused(function, TraceError, message, "T203")


def test_concrete_values_answer_but_keep_their_derivative() -> None:
    def f(x: Array) -> Any:
        assert bool(x.sum() > 0)
        assert int(x.argmax()) == 3
        assert float(x.argmax()) == 3.0
        with pytest.raises(ConcreteError):
            float(x.sum())
        with pytest.raises(ConcreteError):
            np.asarray(x)
        return x

    trace(f, X, concrete=True)


def test_what_it_says_of_itself() -> None:
    def f(x: Array) -> Any:
        assert repr(x) == "Array(f64[2,3])"
        assert (x.shape, x.dtype, x.ndim, x.size) == ((2, 3), np.float64, 2, 6)
        with pytest.raises(TypeError, match="unhashable"):
            hash(x)
        with pytest.raises(TypeError, match="scalar"):
            len(x.sum())
        return x

    trace(f, X)
