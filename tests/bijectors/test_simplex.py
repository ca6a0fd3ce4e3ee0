"""Stick breaking: centred, and exact near the edges."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl._base.errors import ShapeError
from bayesdl.bijectors import CorrCholesky, StickBreaking


@pytest.mark.parametrize("k", [1, 2, 7])
def test_zero_is_the_centre(k: int) -> None:
    np.testing.assert_allclose(StickBreaking().forward(np.zeros(k - 1)), np.full(k, 1.0 / k))


def test_small_parts_keep_their_accuracy() -> None:
    x = np.array([-200.0, 3.0, -300.0])
    np.testing.assert_allclose(StickBreaking().inverse(StickBreaking().forward(x)), x, rtol=1e-12)


def test_a_number_is_no_vector() -> None:
    with pytest.raises(ShapeError, match="a point of the simplex needs at least one axis"):
        StickBreaking().unconstrained_shape(())


def test_a_triangle_that_is_not_full() -> None:
    with pytest.raises(ShapeError, match="4 numbers do not fill a triangle"):
        CorrCholesky().forward(np.zeros(4))
