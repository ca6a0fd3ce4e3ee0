"""LKJ against what is known of its correlations, and against the integral of its density."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bayesdl import bijectors, dist
from bayesdl.ops import random


@pytest.mark.slow
@pytest.mark.parametrize(("k", "eta"), [(2, 1.0), (3, 2.0), (5, 0.5)])
def test_correlations_are_beta(k: int, eta: float) -> None:
    """(rᵢⱼ + 1) / 2 ~ Beta(a, a), a = η + k/2 − 1. False-alarm rate 1e-6 a pair; seed 5."""
    factor = np.asarray(dist.LKJCholesky(k, eta).sample(random.key(5), (4000,)))
    correlations = factor @ np.swapaxes(factor, -1, -2)
    a = eta + 0.5 * k - 1.0
    for i, j in zip(*np.tril_indices(k, -1), strict=True):
        found = stats.kstest(0.5 * (correlations[:, i, j] + 1.0), stats.beta(a, a).cdf)
        assert found.pvalue > 1e-6


@pytest.mark.parametrize(("k", "eta"), [(2, 1.0), (2, 3.0), (3, 1.0), (3, 2.5)])
def test_the_density_integrates_to_one(k: int, eta: float) -> None:
    """Over the unconstrained space, on a grid of midpoints of the tanh of each coordinate."""
    n = 400 if k == 2 else 48
    z = (np.arange(n) + 0.5) / n * 2.0 - 1.0
    count = k * (k - 1) // 2
    points = np.arctanh(np.stack(np.meshgrid(*[z] * count, indexing="ij"), -1).reshape(-1, count))
    factor, log_det = bijectors.CorrCholesky().forward_and_log_det(points)
    # dx = dz / (1 − z²), and the grid cells have side 2 / n.
    weight = np.prod(1.0 - np.tanh(points) ** 2, -1) / (2.0 / n) ** count
    mass = np.exp(dist.LKJCholesky(k, eta).log_prob(factor) + log_det) / weight
    assert np.sum(mass) == pytest.approx(1.0, rel=2e-3)


def test_uniform_over_correlations_of_two() -> None:
    """For k = 2 and η = 1 the correlation r, which is L₂₁, is uniform on (−1, 1)."""
    r = np.array([-0.9, 0.0, 0.5])
    factor = np.zeros((3, 2, 2))
    factor[:, 0, 0], factor[:, 1, 0], factor[:, 1, 1] = 1.0, r, np.sqrt(1.0 - r**2)
    np.testing.assert_allclose(dist.LKJCholesky(2, 1.0).log_prob(factor), np.log(0.5))
