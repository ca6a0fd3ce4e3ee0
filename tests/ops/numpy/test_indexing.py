"""Indexing as in NumPy: every kind of index with every other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bayesdl._base.errors import DtypeError, ShapeError
from bayesdl.ops import numpy as bnp
from bayesdl.ops._bind import evaluate
from bayesdl.ops.numpy import _indexing
from bayesdl.tracing import trace

from .table import agree, names_of

T = np.arange(60.0).reshape(3, 4, 5)
V = np.array([2, 0, -1])
W = np.array([[0, 1, 1], [2, 2, -2]])
MASK = np.array([True, False, True])

INDICES: list[Any] = [
    0,
    -1,
    np.int32(1),
    slice(1, 3),
    slice(None, None, -1),
    slice(3, 0, -2),
    slice(5, 2),
    slice(-2, None),
    None,
    Ellipsis,
    (1, 2, 3),
    (slice(None), 1),
    (slice(None), None, 2),
    (Ellipsis, 1),
    (Ellipsis, None),
    (1, Ellipsis, slice(0, 2)),
    (slice(None, None, 2), slice(1, None, 3), slice(None, None, -2)),
    V,
    [0, 2],
    W,
    (V, V),
    (V, slice(None), V),
    (slice(None), V, V),
    (slice(None), V),
    (slice(None), slice(None), W),
    (Ellipsis, V),
    (0, slice(None), V),
    (slice(None), 0, V),
    (V, slice(None), 0),
    (V, 0, slice(None)),
    (0, V),
    (None, V, None, V),
    (slice(1), V, slice(1, 3)),
    (W, V),
    (np.array(1), slice(None), V),
    MASK,
    (MASK, slice(None), 1),
    (slice(None), np.array([True, False, True, True])),
    T[:, :, 0] > 20,
    (MASK, np.array([0, 3])),
]


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_as_numpy(index: Any) -> None:
    wanted = T[index]
    np.testing.assert_array_equal(bnp.getitem(T, index), wanted)
    program = trace(lambda x: x[index], T).program
    assert program.outputs[0].type.shape == wanted.shape
    np.testing.assert_array_equal(evaluate(program, T)[0], wanted)


@pytest.mark.parametrize(
    "index",
    [
        lambda i: i,
        lambda i: (slice(None), i),
        lambda i: (i, slice(None), i),
        lambda i: (0, slice(None), i),
        lambda i: (i[0], Ellipsis),
        lambda i: (slice(None), [i[0], 1]),
    ],
)
def test_arrays_in_flight_as_indices(index: Any) -> None:
    program = trace(lambda x, i: x[index(i)], T, V).program
    wanted = T[index(V)]
    np.testing.assert_array_equal(evaluate(program, T, V)[0], wanted)


@pytest.mark.parametrize("name", names_of(_indexing))
def test_functions_as_numpy(name: str) -> None:
    agree(name)


def test_indices_in_flight_are_clamped() -> None:
    program = trace(lambda x, i: x[i], np.arange(3.0), np.array([0, 1])).program
    assert evaluate(program, np.arange(3.0), np.array([7, -9]))[0].tolist() == [2.0, 0.0]


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (3, "index 3 is outside axis 0"),
        ((0, -5), "index -5 is outside axis 1"),
        (np.array([0, 3]), "index 3 is outside axis 0"),
        ((slice(None), np.array([0, -5])), "index -5 is outside axis 1"),
        ((0, 0, 0, 0), "too many indices"),
        ((Ellipsis, 0, Ellipsis), "too many indices"),
        (np.array([True, False]), "a boolean index needs the shape"),
    ],
)
@pytest.mark.parametrize("traced", [False, True])
def test_bad_indices(index: Any, message: str, traced: bool) -> None:
    with pytest.raises(ShapeError, match=message) as caught:
        trace(lambda x: x[index], T) if traced else bnp.getitem(T, index)
    assert "test_indexing.py" in str(caught.value)


def test_floats_do_not_index() -> None:
    with pytest.raises(DtypeError, match="only integers and masks") as caught:
        bnp.getitem(T, np.array([0.5]))
    assert "[T102]" in str(caught.value)


def test_masks_in_flight_are_refused() -> None:
    with pytest.raises(ShapeError, match="a boolean array in flight cannot index") as caught:
        trace(lambda x: x[x > 0.0], T)
    assert "[T108]" in str(caught.value)


def test_split_divides_equally() -> None:
    with pytest.raises(ShapeError, match="cannot divide"):
        bnp.split(np.ones(5), 2)
