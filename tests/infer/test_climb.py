"""Modes, and normal approximations on the way to them."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl.infer.climb import climb, pathfinder

ROOT = np.array([[2.0, 0.0, 0.0], [1.0, 0.5, 0.0], [-3.0, 0.2, 0.1]])
PRECISION = np.linalg.inv(ROOT @ ROOT.T)
MEAN = np.array([1.0, -2.0, 30.0])


def normal(position: Any) -> Any:
    away = position - MEAN
    return -0.5 * away @ PRECISION @ away, -PRECISION @ away


def test_a_climb_ends_at_the_mode() -> None:
    path = climb(normal, np.zeros(3))
    np.testing.assert_array_equal(path[0][0], 0.0)
    np.testing.assert_allclose(path[-1][0], MEAN, atol=1e-3)
    np.testing.assert_allclose(path[1][1], normal(path[1][0])[1])


def test_draws_have_the_mean_and_covariance_of_a_normal_target() -> None:
    """400 draws, seed 0: each whitened coordinate has mean 0 ± 0.25 and variance 1 within 0.35,
    five standard errors (false alarm 1e-6)."""
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(400):
        path = climb(normal, MEAN + ROOT @ rng.normal(size=3) * 3.0)
        draws.append(pathfinder(path, normal, rng))
    white = np.linalg.solve(ROOT, (np.array(draws) - MEAN).T)
    assert np.abs(white.mean(axis=1)).max() < 0.25
    assert np.abs(white.var(axis=1) - 1.0).max() < 0.35


def test_places_without_a_density_are_left() -> None:
    """log x − x has none below zero; the first step of L-BFGS from near zero leads far away."""

    def gamma(x: Any) -> Any:
        with np.errstate(all="ignore"):
            return float((np.log(x) - x).sum()), 1.0 / x - 1.0

    path = climb(gamma, np.array([0.01]))
    np.testing.assert_allclose(path[-1][0], 1.0, atol=1e-3)


def test_a_start_at_the_mode_is_kept() -> None:
    path = climb(normal, MEAN)
    np.testing.assert_allclose(pathfinder(path, normal, np.random.default_rng(0)), MEAN)
