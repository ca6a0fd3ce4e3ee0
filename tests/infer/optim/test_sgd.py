"""Gradient ascent with momentum."""

from __future__ import annotations

import numpy as np

from bayesdl.infer.optim.sgd import SGD


def test_climbs_a_hill() -> None:
    ascent, x = SGD(), {"x": np.array([5.0, -5.0])}
    state = ascent.start(x)
    for _ in range(300):
        state, change = ascent.change(state, {"x": 2.0 - x["x"]}, x, 0.05)
        x = {"x": x["x"] + change["x"]}
    np.testing.assert_allclose(x["x"], 2.0, atol=1e-4)
