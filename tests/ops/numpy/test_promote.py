"""Broadcasting and promotion: NumPy's rules, and the departures that are documented."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from bayesdl._base.errors import DtypeError
from bayesdl.ops import numpy as bnp
from bayesdl.ops._bind import evaluate
from bayesdl.ops.numpy import _promote
from bayesdl.tracing import trace

DTYPES = [np.float64, np.float32, np.int64, np.int32, np.uint32, np.bool_]
NUMBERS: list[Any] = [2, 2.5, True]


def expected(a: Any, b: Any) -> Any:
    """NumPy's dtype, but a float beside integers keeps its own width."""
    kinds = [np.dtype(x).kind for x in (a, b)]
    if sorted(kinds)[0] in "bf" and "f" in kinds and kinds != ["f", "f"]:
        return np.dtype(a if kinds[0] == "f" else b)
    if "f" in kinds and kinds != ["f", "f"]:
        return np.dtype(a if kinds[0] == "f" else b)
    return np.result_type(a, b)


@pytest.mark.parametrize(("a", "b"), list(product(DTYPES, DTYPES)))
def test_two_arrays(a: Any, b: Any) -> None:
    x, y = np.ones(2, a), np.ones(2, b)
    found = bnp.add(x, y)
    program = trace(bnp.add, x, y).program
    assert found.dtype == expected(a, b)
    assert program.output_types[0].dtype == found.dtype


@pytest.mark.parametrize(("dtype", "number"), list(product(DTYPES, NUMBERS)))
def test_python_numbers_are_weak(dtype: Any, number: Any) -> None:
    x = np.ones(2, dtype)
    wanted = (x + number).dtype
    for found in (bnp.add(x, number), bnp.add(number, x)):
        assert found.dtype == wanted
    assert trace(lambda v: v + number, x).program.output_types[0].dtype == wanted


def test_python_numbers_alone() -> None:
    assert bnp.add(1, 2).dtype == np.int64
    assert bnp.add(1, 2.0).dtype == np.float64
    assert bnp.multiply(True, False).dtype == np.bool_


def test_the_departure() -> None:
    """float32 beside int64 stays float32, where NumPy gives float64."""
    x, n = np.ones(2, np.float32), np.arange(2)
    assert (x + n).dtype == np.float64
    assert bnp.add(x, n).dtype == np.float32


def test_floating_functions_of_integers_give_the_default() -> None:
    n = np.arange(1, 3, dtype=np.int32)
    assert bnp.exp(n).dtype == np.float64
    with bnp.using_dtype(np.float32):
        assert bnp.exp(n).dtype == np.float32
        assert bnp.divide(n, n).dtype == np.float32
        assert bnp.add(n, 0.5).dtype == np.float32


def test_wider_floats_are_cast_while_a_narrower_one_is_the_default() -> None:
    with bnp.using_dtype(np.float32):
        assert bnp.asarray(np.ones(2)).dtype == np.float32
        assert bnp.zeros(2).dtype == np.float32
        assert bnp.asarray(1.5).dtype == np.float32
    assert bnp.asarray(np.ones(2, np.float32)).dtype == np.float32


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (np.float16, np.float32),
        (np.longdouble, np.float64),
        (np.int8, np.int32),
        (np.uint8, np.uint32),
        (">f8", np.float64),
        (">i8", np.int64),
        (">i4", np.int32),
        (">u8", np.uint64),
    ],
)
def test_foreign_dtypes_become_the_nearest(given: Any, kept: Any) -> None:
    found = bnp.asarray(np.array([1, 2], given))
    assert (found.dtype, found.tolist()) == (np.dtype(kept), [1, 2])


@pytest.mark.parametrize("value", ["text", [None, 1], np.array([1j]), np.array(["2020"], "M8[Y]")])
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(DtypeError, match="cannot enter a Program") as caught:
        bnp.asarray(value)
    assert "[T102]" in str(caught.value)


SHAPES = [(), (1,), (3,), (2, 1), (2, 3), (4, 1, 3), (4, 2, 1), (1, 1, 1)]


@pytest.mark.parametrize(("a", "b"), list(product(SHAPES, SHAPES)))
def test_broadcasting(a: Any, b: Any) -> None:
    x, y = np.random.default_rng(0).random(a), np.random.default_rng(1).random(b)
    found = evaluate(trace(lambda u, v: u * v, x, y).program, x, y)[0]
    np.testing.assert_array_equal(found, x * y)
    assert np.shape(found) == (x * y).shape


def test_axes() -> None:
    assert _promote.normal_axes(None, 2) == (0, 1)
    assert _promote.normal_axes((-1, 0), 3) == (0, 2)


def test_nested_lists_of_arrays_in_flight_are_stacked() -> None:
    program = trace(lambda x: bnp.array([[x, 1.0], [2.0, x * x]]), 3.0).program
    assert evaluate(program, np.float64(3.0))[0].tolist() == [[3.0, 1.0], [2.0, 9.0]]
