"""Adam."""

from __future__ import annotations

import numpy as np

from bayesdl.infer.optim.adam import Adam, AdamW, ascend, start_adam


def test_climbs_a_badly_scaled_hill() -> None:
    scale, x = np.array([1.0, 1e-3]), np.array([5.0, -5.0])
    state = start_adam(x)
    for t in range(3000):
        state, change = ascend(state, -scale * (x - 2.0), 0.05 / np.sqrt(1.0 + t / 100.0))
        x = x + change
    np.testing.assert_allclose(x, 2.0, atol=1e-2)


def test_containers_are_climbed_array_by_array() -> None:
    """As `ascend` does each; weight decay pulls towards zero by its part of the parameters."""
    params = {"a": np.array([1.0, 2.0]), "b": np.array([[3.0]])}
    gradient = {"a": np.array([0.5, -1.0]), "b": np.array([[2.0]])}
    plain, decayed = Adam(), AdamW(decay=0.1)
    state, change = plain.change(plain.start(params), gradient, params, 0.01)
    for name, g in gradient.items():
        np.testing.assert_allclose(change[name], ascend(start_adam(g), g, 0.01)[1])
        np.testing.assert_allclose(state[name].first, 0.1 * g)
    _, shrunk = decayed.change(decayed.start(params), gradient, params, 0.01)
    for name, p in params.items():
        np.testing.assert_allclose(shrunk[name], change[name] - 0.001 * p)
