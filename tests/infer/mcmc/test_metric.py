"""Momenta and velocities of each metric."""

from __future__ import annotations

import numpy as np

from bayesdl.infer.mcmc.metric import Diagonal, Stretched
from bayesdl.ops import random


def test_momentum_has_the_mass_as_variance() -> None:
    """4000 draws: the sd is off by more than 8 % once in 1e11 tries."""
    draws = Diagonal(np.full(4000, 0.25)).momentum(random.key(1))
    assert abs(draws.std() / 2.0 - 1.0) < 0.08


def test_momentum_and_velocity_of_stretched_directions_are_inverse() -> None:
    """M⁻¹ Cov(p) is the identity; 20 000 momenta: an entry is off by 0.08 once in 1e12 tries."""
    rng = np.random.default_rng(2)
    scale, directions, excess = np.array([0.5, 2.0, 1.0]), np.zeros((16, 3)), np.zeros(16)
    directions[[0, 9]] = np.linalg.qr(rng.normal(size=(3, 2)))[0].T * scale
    excess[[0, 9]] = 8.0, -0.9
    metric = Stretched(scale**2, directions, excess, np.int64(10))
    inverse_mass = np.array([metric.velocity(metric.lift(e)) for e in np.eye(3)])
    np.testing.assert_allclose(inverse_mass, inverse_mass.T)
    lifted = np.array([metric.momentum(key) for key in random.split(random.key(0), 20_000)])
    momenta = lifted[:, :3]
    np.testing.assert_allclose(lifted[0], metric.lift(momenta[0]), atol=1e-12)
    energies = (metric.weights * lifted[:9] ** 2).sum(1)
    np.testing.assert_allclose(
        energies, [p @ metric.velocity(x) for p, x in zip(momenta, lifted[:9], strict=False)]
    )
    root = np.linalg.cholesky(inverse_mass)
    np.testing.assert_allclose(np.cov(momenta @ root, rowvar=False), np.eye(3), atol=0.08)


def test_directions_that_are_not_in_use_are_not_read() -> None:
    """Whatever is in their rows: as many as the target warrants cost something."""
    rows = np.full((16, 9), np.nan)
    rows[:8] = np.eye(9)[:8]
    metric = Stretched(np.ones(9), rows, np.append(np.full(8, 3.0), np.zeros(8)), np.int64(8))
    p = np.arange(9.0)
    np.testing.assert_array_equal(metric.velocity(metric.lift(p)), np.append(4.0 * p[:8], 8.0))
    none = Stretched(np.ones(9), rows, np.zeros(16), np.int64(0))
    np.testing.assert_array_equal(none.velocity(none.lift(p)), p)
