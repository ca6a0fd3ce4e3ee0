"""NumPy's linear algebra: the table of calls."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl.ops._bind import evaluate
from bayesdl.ops.numpy import linalg
from bayesdl.tracing import trace

from .table import agree, names_of


@pytest.mark.parametrize("name", names_of(linalg))
def test_as_numpy(name: str) -> None:
    agree(name)


def test_numpy_itself_is_answered() -> None:
    s = np.array([[2.0, 0.5], [0.5, 1.0]])
    program = trace(lambda x: np.linalg.cholesky(x) @ np.linalg.solve(x, np.ones(2)), s).program
    np.testing.assert_allclose(
        evaluate(program, s)[0], np.linalg.cholesky(s) @ np.linalg.solve(s, np.ones(2))
    )


def test_what_is_not_definite_gives_nan() -> None:
    assert np.isnan(linalg.cholesky(-np.eye(2))).all()
