"""NumPy's reductions: the table of calls, and their edges."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from bayesdl._base.errors import ShapeError
from bayesdl.ops import numpy as bnp
from bayesdl.ops.numpy import _reductions

from .table import agree, names_of


@pytest.mark.parametrize("name", names_of(_reductions))
def test_as_numpy(name: str) -> None:
    agree(name)


def test_scalars_reduce_to_themselves() -> None:
    for name in ("sum", "prod", "max", "min", "mean", "logsumexp"):
        found = bnp.FUNCTIONS[name](np.float64(2.5))
        assert (np.shape(found), float(found)) == ((), 2.5), name


def test_nothing_sums_to_zero() -> None:
    assert bnp.sum(np.zeros((0, 3)), axis=0).tolist() == [0.0, 0.0, 0.0]
    assert bnp.prod(np.zeros((0, 3)), axis=0).tolist() == [1.0, 1.0, 1.0]
    assert bnp.all(np.zeros(0, bool))
    assert not bnp.any(np.zeros(0, bool))


def test_logsumexp_far_out() -> None:
    for x in (
        [1000.0, 1000.0],
        [-1000.0, -1001.0],
        [-np.inf, -np.inf],
        [np.inf, 0.0],
        [np.nan, 1.0],
    ):
        np.testing.assert_allclose(bnp.logsumexp(np.array(x)), special.logsumexp(x), rtol=1e-15)


def test_axes_that_do_not_exist() -> None:
    with pytest.raises(ShapeError, match="axis 2 does not exist"):
        bnp.sum(np.ones((2, 3)), axis=2)
