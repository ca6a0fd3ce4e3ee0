"""The three ways to give a matrix, and batches of either side."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bayesdl import dist
from bayesdl._base.errors import ArgumentError, ShapeError
from bayesdl.ops import random
from bayesdl.transform.checking import check_grads

COVARIANCE = np.array([[2.0, 0.3, 0.0], [0.3, 1.0, -0.2], [0.0, -0.2, 0.5]])
WAYS = {
    "covariance": COVARIANCE,
    "precision": np.linalg.inv(COVARIANCE),
    "scale_tril": np.linalg.cholesky(COVARIANCE),
}


@pytest.mark.parametrize("way", WAYS)
def test_batches_of_vectors_and_of_matrices(way: str) -> None:
    rng = np.random.default_rng(1)
    x, loc = rng.standard_normal((4, 2, 3)), rng.standard_normal((2, 3))
    expected = np.stack(
        [stats.multivariate_normal(loc[i], COVARIANCE).logpdf(x[:, i]) for i in range(2)], -1
    )
    one = dist.MultivariateNormal(loc, **{way: WAYS[way]})
    two = dist.MultivariateNormal(loc, **{way: np.stack([WAYS[way]] * 2)})
    for d in (one, two):
        assert d.batch_shape == (2,)
        np.testing.assert_allclose(d.log_prob(x), expected)
        np.testing.assert_allclose(d.variance, np.stack([np.diagonal(COVARIANCE)] * 2))
        assert np.shape(d.sample(random.key(0), (4,))) == (4, 2, 3)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_draws_have_the_covariance(way: str) -> None:
    """Whitened draws are independent normal: false-alarm rate below 1e-6 an entry; seed 4."""
    x = np.asarray(
        dist.MultivariateNormal(np.ones(3), **{way: WAYS[way]}).sample(random.key(4), (8000,))
    )
    z = np.linalg.solve(WAYS["scale_tril"], (x - 1.0).T)
    # Entries of the sample covariance have standard errors of at most √(2 / n).
    assert np.abs(z @ z.T / 8000 - np.eye(3)).max() < 5.0 * np.sqrt(2.0 / 8000)
    assert np.abs(z.mean(1)).max() < 5.0 / np.sqrt(8000)


def test_a_kernel_in_flight() -> None:
    gap = np.subtract.outer(np.arange(3.0), np.arange(3.0)) ** 2
    x = np.array([0.3, -1.0, 0.5])

    def of_scale(scale: object) -> object:
        covariance = np.exp(-0.5 * gap) * scale + 0.1 * np.eye(3)
        return dist.MultivariateNormal(np.zeros(3), covariance).log_prob(x)

    check_grads(of_scale, (1.3,))


def test_sizes_must_fit() -> None:
    with pytest.raises(ShapeError, match="a mean and a matrix of different sizes"):
        dist.MultivariateNormal(np.zeros(2), np.eye(3))


def test_a_matrix_that_is_not_definite() -> None:
    with pytest.raises(ArgumentError, match="'covariance' outside its range"):
        dist.MultivariateNormal(np.zeros(2), np.array([[1.0, 2.0], [2.0, 1.0]]))
