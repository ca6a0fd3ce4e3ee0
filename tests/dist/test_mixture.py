"""Mixtures: the sum over components, written both ways; what cannot be mixed."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl import dist
from bayesdl._base.errors import ArgumentError, ShapeError, SupportError
from bayesdl.ops import random

WEIGHTS = np.array([0.3, 0.7])


def test_both_ways_of_writing_are_the_sum() -> None:
    x = np.linspace(-3.0, 3.0, 7)
    parts = (dist.Normal(-1.0, 0.5), dist.Normal(1.0, 2.0))
    expected = np.log(sum(w * np.exp(p.log_prob(x)) for w, p in zip(WEIGHTS, parts, strict=True)))
    batch = dist.Normal(np.array([-1.0, 1.0]), np.array([0.5, 2.0]))
    for components in (parts, batch):
        d = dist.Mixture(dist.Categorical(WEIGHTS), components)
        np.testing.assert_allclose(d.log_prob(x), expected)
        np.testing.assert_allclose(d.log_prob_inside(x), expected)


def test_moments_are_those_of_draws() -> None:
    """False-alarm rate 1e-6 (|z| < 4.9); seed 2."""
    d = dist.Mixture(dist.Categorical(WEIGHTS), dist.Normal(np.array([-1.0, 1.0]), 0.5))
    x = np.asarray(d.sample(random.key(2), (20_000,)))
    assert abs(x.mean() - d.mean) / (x.std() / np.sqrt(x.size)) < 4.9
    squares = (x - d.mean) ** 2
    assert abs(squares.mean() - d.variance) / (squares.std() / np.sqrt(x.size)) < 4.9


def test_batches_of_mixtures() -> None:
    mixing = dist.Categorical(logits=np.zeros((5, 1, 2)))
    d = dist.Mixture(mixing, dist.Normal(np.zeros((4, 2)), 1.0))
    assert d.batch_shape == (5, 4)
    assert np.shape(d.log_prob(np.zeros((5, 4)))) == np.shape(d.mean) == (5, 4)
    assert np.shape(d.sample(random.key(0), (3,))) == (3, 5, 4)


def test_vectors_are_mixed() -> None:
    d = dist.Mixture(dist.Categorical(WEIGHTS), dist.Normal(np.zeros((2, 3)), 1.0).to_event(1))
    assert (d.batch_shape, d.event_shape) == ((), (3,))
    expected = dist.Normal(0.0, 1.0).log_prob(np.ones(3)).sum()
    np.testing.assert_allclose(d.log_prob(np.ones(3)), expected)
    assert np.shape(d.variance) == (3,)


def test_counts_stay_whole() -> None:
    d = dist.Mixture(dist.Categorical(WEIGHTS), dist.Poisson(np.array([1.0, 9.0])))
    assert d.is_discrete
    assert np.asarray(d.sample(random.key(0), (4,))).dtype == np.int64


def test_number_of_components() -> None:
    with pytest.raises(ShapeError, match="of different number"):
        dist.Mixture(dist.Categorical(WEIGHTS), dist.Normal(np.zeros(3), 1.0))
    with pytest.raises(ShapeError, match="no batch axis"):
        str(dist.Mixture(dist.Categorical(WEIGHTS), dist.Normal(0.0, 1.0)))


def test_supports_must_be_one() -> None:
    with pytest.raises(SupportError, match="different supports"):
        dist.Mixture(dist.Categorical(WEIGHTS), (dist.Normal(0.0, 1.0), dist.Gamma(1.0, 1.0)))


@pytest.mark.parametrize("components", [dist.Normal(np.zeros(2), 1.0), 3.0, (1.0, 2.0)])
def test_weights_are_a_categorical_and_components_distributions(components: object) -> None:
    mixing = WEIGHTS if isinstance(components, dist.Normal) else dist.Categorical(WEIGHTS)
    with pytest.raises(ArgumentError, match="needs a Categorical and distributions") as caught:
        dist.Mixture(mixing, components)  # type: ignore[arg-type]
    assert "test_mixture.py" in str(caught.value)
