"""NumPy's products: the table of calls, and shapes that do not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bayesdl._base.errors import ShapeError
from bayesdl.ops import numpy as bnp
from bayesdl.ops.numpy import _products

from .table import agree, names_of


@pytest.mark.parametrize("name", names_of(_products))
def test_as_numpy(name: str) -> None:
    agree(name)


def test_products_of_integers_are_floats() -> None:
    """Where NumPy keeps integers."""
    assert bnp.matmul(np.eye(2, dtype=int), np.array([1, 2])).dtype == np.float64


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bnp.matmul(np.ones((2, 3)), np.ones((4, 2))), "3 on the left meets 4"),
        (lambda: bnp.matmul(2.0, np.ones(2)), "at least one axis on each side"),
        (lambda: bnp.einsum("ii->i", np.eye(2)), "a letter twice in one operand"),
        (lambda: bnp.einsum("...i->i", np.eye(2)), "a letter twice in one operand"),
        (lambda: bnp.einsum("ij->i", np.ones(2)), "one letter per axis"),
    ],
)
def test_shapes_that_do_not_fit(call: Any, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        call()
