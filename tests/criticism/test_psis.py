"""Pareto-smoothed importance sampling: ArviZ's numbers, and what it is for."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from bayesdl._base.errors import ArgumentError, ShapeError
from bayesdl.criticism import psis


@pytest.fixture(scope="module")
def psislw():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = pytest.importorskip("arviz")
    if not module.__version__.startswith("0."):
        pytest.skip("the reference is ArviZ 0.x: 1.x rounds the size of the tail down, not up")
    return module.psislw


@pytest.mark.parametrize("scale", [0.05, 0.5, 1.0, 3.0, 8.0])
@pytest.mark.parametrize("kind", ["normal", "exponential", "bounded"])
def test_agrees_with_arviz(kind, scale, psislw):
    rng = np.random.default_rng(4)
    for _ in range(8):
        size, efficiency = int(rng.integers(2, 2000)), rng.uniform(0.3, 1.0)
        noise = {"normal": rng.normal, "exponential": rng.exponential, "bounded": rng.uniform}[kind]
        weights = scale * noise(size=size) + rng.normal(scale=100.0)
        ours, khat = psis(weights, relative_efficiency=efficiency)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs, expected = psislw(weights, reff=efficiency)
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(khat, float(expected), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shape", [-0.4, 0.2, 0.5, 0.9])
def test_finds_the_shape_of_a_pareto_tail(shape):
    """Exact quantiles, so nothing is random; the prior pulls by (0.5 − k) 10 / 435."""
    levels = (np.arange(20_000) + 0.5) / 20_000
    weights = 1.0 + ((1.0 - levels) ** -shape - 1.0) / shape
    _, khat = psis(np.log(weights))
    assert khat == pytest.approx(shape + (0.5 - shape) * 10 / 435, abs=0.05)


def test_columns_are_independent_problems_and_the_input_is_kept():
    weights = np.random.default_rng(0).normal(size=(300, 2, 3))
    before = weights.copy()
    smoothed, khat = psis(weights)
    np.testing.assert_array_equal(weights, before)
    assert smoothed.shape == (300, 2, 3)
    assert khat.shape == (2, 3)
    for i in np.ndindex(2, 3):
        alone, k = psis(weights[:, *i])
        np.testing.assert_array_equal(smoothed[:, *i], alone)
        assert khat[i] == k


def test_equal_weights_stay_equal():
    smoothed, khat = psis(np.full(8, -700.0))
    np.testing.assert_allclose(smoothed, -np.log(8.0))
    assert khat == -np.inf


def test_too_short_a_tail_is_not_smoothed():
    weights = np.log([1.0, 2.0, 3.0, 4.0])
    smoothed, khat = psis(weights)
    np.testing.assert_allclose(np.exp(smoothed), [0.1, 0.2, 0.3, 0.4])
    assert khat == np.inf


def test_a_weight_of_zero_stays_zero():
    weights = np.random.default_rng(0).normal(size=100)
    weights[:10] = -np.inf
    smoothed, khat = psis(weights)
    assert np.isneginf(smoothed[:10]).all()
    assert np.isfinite(smoothed[10:]).all()
    assert np.isfinite(khat)
    assert np.exp(smoothed).sum() == pytest.approx(1.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_refuses_weights_that_are_no_weights(bad):
    with pytest.raises(ArgumentError):
        psis([0.0, bad, 1.0])
    with pytest.raises(ArgumentError, match="above zero"):
        psis(np.full((5, 2), -np.inf))


def test_refuses_nothing():
    for weights in (np.zeros((0, 3)), 1.0):
        with pytest.raises(ShapeError, match="at least one sample"):
            psis(weights)


def test_refuses_an_efficiency_of_zero():
    with pytest.raises(ArgumentError, match="relative_efficiency"):
        psis([0.0, 1.0], relative_efficiency=0.0)
