"""Adam."""

from __future__ import annotations

import numpy as np

from bayesdl.infer.optim.adam import ascend, start_adam


def test_climbs_a_badly_scaled_hill() -> None:
    scale, x = np.array([1.0, 1e-3]), np.array([5.0, -5.0])
    state = start_adam(x)
    for t in range(3000):
        state, change = ascend(state, -scale * (x - 2.0), 0.05 / np.sqrt(1.0 + t / 100.0))
        x = x + change
    np.testing.assert_allclose(x, 2.0, atol=1e-2)


def test_gradients_that_are_not_finite_do_not_spread() -> None:
    state, change = ascend(start_adam(np.zeros(3)), np.array([np.nan, np.inf, 1.0]), 0.1)
    assert np.isfinite(change).all()
    assert np.isfinite(state.first).all()
    assert change[:2].tolist() == [0.0, 0.0]
