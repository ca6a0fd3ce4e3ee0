"""Divergences against averages over draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bayesdl import dist
from bayesdl._base.errors import ClosedFormError
from bayesdl.dist.kl import PAIRS
from bayesdl.ops import random

DRAWS = 20_000
EXAMPLES: dict[str, tuple[Any, Any]] = {
    "Bernoulli": (dist.Bernoulli(0.3), dist.Bernoulli(logits=1.0)),
    "Beta": (dist.Beta(2.0, 3.0), dist.Beta(4.0, 2.5)),
    "Categorical": (dist.Categorical([0.2, 0.8]), dist.Categorical(logits=[0.5, 0.1])),
    "Dirichlet": (dist.Dirichlet([2.0, 3.0, 1.0]), dist.Dirichlet([1.0, 2.0, 2.0])),
    "Exponential": (dist.Exponential(2.0), dist.Exponential(1.5)),
    "Gamma": (dist.Gamma(3.0, 2.0), dist.Gamma(2.5, 1.0)),
    "HalfNormal": (dist.HalfNormal(1.0), dist.HalfNormal(2.0)),
    "Independent": (
        dist.Normal(np.zeros(3), 1.0).to_event(1),
        dist.Normal(np.ones(3), 2.0).to_event(1),
    ),
    "Laplace": (dist.Laplace(0.0, 1.0), dist.Laplace(1.0, 2.0)),
    "LogNormal": (dist.LogNormal(0.0, 1.0), dist.LogNormal(1.0, 1.5)),
    "MultivariateNormal": (
        dist.MultivariateNormal([0.0, 1.0], [[2.0, 0.3], [0.3, 1.0]]),
        dist.MultivariateNormal([0.5, 0.0], [[3.0, -0.3], [-0.3, 2.0]]),
    ),
    "Normal": (dist.Normal(0.0, 1.0), dist.Normal(1.0, 2.0)),
    "Poisson": (dist.Poisson(3.0), dist.Poisson(4.0)),
    "Uniform": (dist.Uniform(0.0, 1.0), dist.Uniform(-1.0, 2.0)),
}


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[0].__name__)
def test_a_divergence_is_its_average_over_draws(pair: tuple[type, type]) -> None:
    """False-alarm rate 1e-6 (|z| < 4.9, normal approximation); seed 3."""
    p, q = EXAMPLES[pair[0].__name__]
    x = p.sample(random.key(3), (DRAWS,))
    terms = np.asarray(p.log_prob(x) - q.log_prob(x))
    error = max(terms.std() / np.sqrt(DRAWS), 1e-12)
    assert abs(terms.mean() - dist.kl_divergence(p, q)) / error < 4.9
    assert abs(dist.kl_divergence(p, p)) < 1e-12


def test_ways_to_give_a_matrix_agree() -> None:
    covariance = np.array([[2.0, 0.3], [0.3, 1.0]])
    given = (
        {"covariance": covariance},
        {"precision": np.linalg.inv(covariance)},
        {"scale_tril": np.linalg.cholesky(covariance)},
    )
    p = dist.MultivariateNormal([0.5, 0.0], [[3.0, -0.3], [-0.3, 2.0]])
    way = [dist.MultivariateNormal([0.0, 1.0], **g) for g in given]
    for other in way:
        np.testing.assert_allclose(dist.kl_divergence(p, other), dist.kl_divergence(p, way[0]))
        np.testing.assert_allclose(dist.kl_divergence(other, p), dist.kl_divergence(way[0], p))


def test_batches_of_normal_vectors() -> None:
    many = np.stack([np.eye(2), 2.0 * np.eye(2), 3.0 * np.eye(2)])
    p, q = dist.MultivariateNormal([0.0, 0.0], many), dist.MultivariateNormal([1.0, 0.0], np.eye(2))
    for first, second in ((p, q), (q, p), (p, p)):
        found = dist.kl_divergence(first, second)
        one = [dist.kl_divergence(*(_member(d, i) for d in (first, second))) for i in range(3)]
        np.testing.assert_allclose(found, one, atol=1e-12)


def _member(d: Any, i: int) -> Any:
    matrix = d.covariance[i] if d.covariance.ndim == 3 else d.covariance
    return dist.MultivariateNormal(d.loc, matrix)


def test_joined_distributions_are_summed() -> None:
    p, q = dist.Normal(np.zeros(3), 1.0), dist.Normal(1.0, 2.0)
    joined = dist.kl_divergence(p.to_event(1), q.expand((3,)).to_event(1))
    np.testing.assert_allclose(joined, 3 * dist.kl_divergence(p, q)[0])


def test_a_pair_without_a_formula() -> None:
    with pytest.raises(ClosedFormError, match="of Normal from Cauchy has no formula"):
        dist.kl_divergence(dist.Normal(0.0, 1.0), dist.Cauchy(0.0, 1.0))
