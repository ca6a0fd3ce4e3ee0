"""Momenta and velocities of each metric."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bayesdl.infer.mcmc.metric import Diagonal, Stretched, Turned
from bayesdl.ops import random


def inverse_mass(metric: Any) -> Any:
    """M⁻¹, column by column."""
    return np.array([metric.velocity(metric.scaled(e)) for e in np.eye(len(metric.scale))]).T


def some() -> list[Any]:
    """Two directions in rows 0 and 9 of 16, stretched by 3 and by 0.3; none; a square matrix."""
    scale, directions, excess = np.array([0.5, 2.0, 1.0]), np.zeros((16, 3)), np.zeros(16)
    directions[[0, 9]] = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 2)))[0].T
    excess[[0, 9]] = 8.0, -0.91
    root = np.eye(3) + (directions.T * (np.sqrt(1.0 + excess) - 1.0)) @ directions
    return [
        Stretched(scale, directions, excess, np.int64(10)),
        Diagonal(scale),
        Turned(scale, root, np.bool_(True)),
    ]


def test_directions_are_stretched() -> None:
    """After scaling; the others are left alone. As a square matrix, the same."""
    stretched, plain, turned = map(inverse_mass, some())
    scale = some()[1].scale
    np.testing.assert_allclose(plain, np.diag(scale**2))
    np.testing.assert_allclose(turned, stretched, atol=1e-12)
    np.testing.assert_allclose(stretched, stretched.T, atol=1e-12)
    found = np.linalg.eigvalsh(stretched / scale / scale[:, None])
    np.testing.assert_allclose(found, [0.09, 1.0, 9.0])


@pytest.mark.parametrize("which", range(3))
def test_momentum_and_velocity_are_inverse(which: int) -> None:
    """Velocities have M⁻¹ as covariance, and energies are those of momenta.

    20 000 momenta: an entry is off by 0.08 once in 1e12 tries.
    """
    metric = some()[which]
    momenta = np.array([metric.momentum(key) for key in random.split(random.key(0), 20_000)])
    velocities = np.array([metric.velocity(p) for p in momenta])
    expected = inverse_mass(metric)
    white = np.linalg.solve(np.linalg.cholesky(expected), velocities.T)
    np.testing.assert_allclose(np.cov(white), np.eye(3), atol=0.08)
    energies = (metric.weights * momenta**2).sum(1)
    np.testing.assert_allclose(energies, (white**2).sum(0), rtol=1e-9)


def test_directions_that_are_not_in_use_are_not_read() -> None:
    """Whatever is in their rows: as many as the target warrants cost something."""
    rows = np.full((16, 9), np.nan)
    rows[:8] = np.eye(9)[:8]
    metric = Stretched(np.ones(9), rows, np.append(np.full(8, 3.0), np.zeros(8)), np.int64(8))
    p = np.arange(9.0)
    np.testing.assert_array_equal(metric.velocity(metric.scaled(p)), np.append(4.0 * p[:8], 8.0))
    none = Stretched(np.ones(9), rows, np.zeros(16), np.int64(0))
    np.testing.assert_array_equal(none.velocity(none.scaled(p)), p)
    plain = Turned(np.ones(9), np.full((9, 9), np.nan), np.bool_(False))
    np.testing.assert_array_equal(plain.velocity(p), p)
