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
    scale, basis = np.array([0.5, 2.0, 1.0]), np.linalg.qr(rng.normal(size=(3, 2)))[0]
    metric = Stretched(scale**2, scale[:, None] * basis, np.array([8.0, -0.9]))
    inverse_mass = np.array([metric.velocity(e) for e in np.eye(3)])
    np.testing.assert_allclose(inverse_mass, inverse_mass.T)
    momenta = np.array([metric.momentum(key) for key in random.split(random.key(0), 20_000)])
    root = np.linalg.cholesky(inverse_mass)
    np.testing.assert_allclose(np.cov(momenta @ root, rowvar=False), np.eye(3), atol=0.08)
