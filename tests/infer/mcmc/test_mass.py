"""Scales from positions and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bayesdl.infer.mcmc.mass import (
    Scales,
    count_in,
    first_inverse_mass,
    inverse_mass,
    no_scales,
    see,
    start_counting,
)


def seen(positions: Any, gradients: Any) -> Scales:
    scales = no_scales(positions[0])
    for x, g in zip(positions, gradients, strict=True):
        scales = see(scales, x, g)
    return scales


def test_equals_the_two_pass_variance(rng: np.random.Generator) -> None:
    x = 1e6 + rng.normal(size=(40, 3)) * [1.0, 0.1, 10.0]
    state = start_counting(x[0])
    for row in x:
        state = count_in(state, row)
    np.testing.assert_allclose(state.squares / 40, x.var(axis=0), rtol=1e-9)


def test_exact_for_independent_normals_wherever_the_points_lie(rng: np.random.Generator) -> None:
    sd = np.array([1e-4, 1.0, 1e3])
    x = rng.exponential(size=(5, 3)) * 7.0
    np.testing.assert_allclose(inverse_mass(seen(x, -x / sd**2), np.ones(3)), sd**2, rtol=1e-9)


def test_between_marginal_and_conditional_variance_of_correlated_normals(
    rng: np.random.Generator,
) -> None:
    """Their geometric mean, in the limit; 2000 points are off by more than 20 % never."""
    factor = np.array([[1.0, 0.0, 0.0], [0.9, 0.4, 0.0], [-2.0, 1.0, 3.0]])
    covariance = factor @ factor.T
    precision = np.linalg.inv(covariance)
    x = rng.normal(size=(2000, 3)) @ factor.T
    expected = np.sqrt(np.diag(covariance) / np.diag(precision))
    np.testing.assert_allclose(
        inverse_mass(seen(x, -x @ precision), np.ones(3)), expected, rtol=0.2
    )


@pytest.mark.parametrize("count", [1, 3])
def test_few_points_change_nothing(count: int) -> None:
    x = np.arange(1.0, 1.0 + 2 * count).reshape(count, 2)
    previous = np.array([0.5, 2.0])
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(inverse_mass(seen(x, -x), previous), previous)


def test_points_that_do_not_differ_change_nothing() -> None:
    """A chain that stands still, a flat coordinate, a gradient that is not finite."""
    x = np.column_stack([np.ones(6), np.arange(6.0), np.arange(6.0), np.arange(6.0)])
    g = np.column_stack([np.ones(6), np.zeros(6), np.full(6, np.inf), -np.arange(6.0) / 4.0])
    with np.errstate(all="ignore"):
        found = inverse_mass(seen(x, g), np.array([0.5, 0.6, 0.7, 0.8]))
    np.testing.assert_allclose(found, [0.5, 0.6, 0.7, 4.0])


def test_the_first_mass_is_finite_and_follows_steep_gradients() -> None:
    found = first_inverse_mass(np.array([0.0, -1e8, 3.0]))
    np.testing.assert_allclose(found, [1.0, 1e-8, 0.25])
