"""One function for every draw."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl.infer import each
from bayesdl.infer.each import EachDraw


@pytest.mark.parametrize("size", [1, 4, 100])
def test_equals_a_loop(
    size: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the pieces, and whether or not they divide the number of draws."""
    monkeypatch.setattr(each, "PIECE_DRAWS", size)
    x, y, data = rng.normal(size=(9, 3)), rng.normal(size=9), rng.normal(size=3)
    function = EachDraw(
        lambda draw, d: {"a": draw["x"] * d + draw["y"], "b": draw["y"]}, np.float64
    )
    found = function({"x": x, "y": y}, [data])
    np.testing.assert_allclose(found["a"], x * data + y[:, None])
    np.testing.assert_array_equal(found["b"], y)
