"""NumPy's elementwise functions: the table of calls, and what is ours."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl._base.errors import ShapeError
from bayesdl.ops import numpy as bnp
from bayesdl.ops._bind import evaluate
from bayesdl.ops.numpy import _elementwise
from bayesdl.tracing import trace

from .table import agree, names_of


@pytest.mark.parametrize("name", names_of(_elementwise))
def test_as_numpy(name: str) -> None:
    agree(name)


def test_integer_exponents_become_products() -> None:
    names = [e.primitive.name for e in trace(lambda x: x**2 + x**3, 1.0).program.equations]
    assert names == ["square", "integer_power", "add"]


def test_negative_exponents_of_integers_give_floats() -> None:
    """Where NumPy refuses."""
    np.testing.assert_array_equal(bnp.power(np.array([1, 2, 4]), -1), [1.0, 0.5, 0.25])


def test_integer_arrays_as_exponents_give_floats() -> None:
    found = bnp.power(np.array([2, 3]), np.array([3, 2]))
    assert (found.dtype, found.tolist()) == (np.float64, [8.0, 9.0])


def test_where_needs_three_arguments() -> None:
    with pytest.raises(ShapeError, match="depends on the values"):
        bnp.where(np.array([True, False]))


def test_softplus_and_sigmoid_far_out() -> None:
    far = np.array([-800.0, -40.0, 0.0, 40.0, 800.0])
    np.testing.assert_allclose(bnp.softplus(far), np.logaddexp(far, 0.0), rtol=1e-15)
    assert bnp.sigmoid(far).tolist() == [0.0, np.exp(-40) / (1 + np.exp(-40)), 0.5, 1.0, 1.0]


def test_arguments_may_be_exchanged() -> None:
    """A Python number on the left is as good as one on the right."""
    x = np.array([1.0, 2.0])
    program = trace(lambda v: (2.0 - v, 2.0 / v, 2.0**v, 5 // v, 5 % v, v > 1), x).program
    wanted = (2.0 - x, 2.0 / x, 2.0**x, 5 // x, 5 % x, x > 1)
    for a, b in zip(evaluate(program, x), wanted, strict=True):
        np.testing.assert_array_equal(a, b)
