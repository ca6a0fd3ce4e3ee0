"""The root of each metric."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl.infer.mcmc.metric import Diagonal, Stretched, Turned


def square(metric: Any) -> Any:
    """L, column by column."""
    return np.array([metric.velocity(e) for e in np.eye(len(metric.scale))]).T


def some() -> tuple[Any, Any, Any]:
    """A scale, two directions in rows 0 and 9 of 16, and what they are stretched by."""
    scale, directions, excess = np.array([0.5, 2.0, 1.0]), np.zeros((16, 3)), np.zeros(16)
    directions[[0, 9]] = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 2)))[0].T
    excess[[0, 9]] = 2.0, -0.7
    return scale, directions, excess


def test_gradients_are_scaled_by_the_transpose() -> None:
    """Else a leapfrog step would not keep the energy."""
    scale, directions, excess = some()
    root = np.eye(3) + (directions.T * excess) @ directions
    for metric in (
        Diagonal(scale),
        Stretched(scale, directions, excess, np.int64(10)),
        Turned(scale, root, np.bool_(True)),
    ):
        g = np.array([0.3, -1.0, 2.0])
        np.testing.assert_allclose(metric.scaled(g), square(metric).T @ g)


def test_directions_are_stretched() -> None:
    """By 1 + excess, after scaling; the others are left alone. As a square matrix, the same."""
    scale, directions, excess = some()
    metric = Stretched(scale, directions, excess, np.int64(10))
    stretched = square(metric) / scale[:, None]
    np.testing.assert_allclose(stretched @ directions[0], 3.0 * directions[0])
    np.testing.assert_allclose(stretched @ directions[9], 0.3 * directions[9])
    np.testing.assert_allclose(np.sort(np.linalg.eigvalsh(stretched)), [0.3, 1.0, 3.0])
    np.testing.assert_allclose(
        square(Turned(scale, stretched, np.bool_(True))), square(metric), atol=1e-12
    )


def test_directions_that_are_not_in_use_are_not_read() -> None:
    """Whatever is in their rows: as many as the target warrants cost something."""
    rows = np.full((16, 9), np.nan)
    rows[:8] = np.eye(9)[:8]
    metric = Stretched(np.ones(9), rows, np.append(np.full(8, 3.0), np.zeros(8)), np.int64(8))
    p = np.arange(9.0)
    np.testing.assert_array_equal(metric.velocity(p), np.append(4.0 * p[:8], 8.0))
    none = Stretched(np.ones(9), rows, np.zeros(16), np.int64(0))
    np.testing.assert_array_equal(none.velocity(p), p)
    plain = Turned(np.ones(9), np.full((9, 9), np.nan), np.bool_(False))
    np.testing.assert_array_equal(plain.velocity(p), p)
