"""Gradients made safe."""

from __future__ import annotations

import numpy as np

from bayesdl.infer.optim.clipping import clipped


def test_short_gradients_stay_and_long_ones_keep_their_direction() -> None:
    short = {"a": np.array([0.3, 0.4])}
    np.testing.assert_array_equal(clipped(short, 1.0)["a"], short["a"])
    long = clipped({"a": np.array([3.0, np.inf]), "b": np.array([4.0])}, 2.0)
    np.testing.assert_allclose(long["a"], [1.2, 0.0])
    np.testing.assert_allclose(long["b"], [1.6])
