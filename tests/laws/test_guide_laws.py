"""What every guide obeys."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist
from bayesdl._base.tree import flatten, unflatten
from bayesdl.infer.vi.guides import GUIDES
from bayesdl.model.density import build_density
from bayesdl.ops import random
from bayesdl.transform.derived import grad, jacobian, vmap

DIM, DRAWS = 4, 20_000


def model(y: Any) -> None:
    """Two sites of two coordinates each."""
    a = bdl.sample("a", dist.Normal(0.0, 1.0).expand((2,)).to_event(1))
    bdl.sample("b", dist.Normal(a.sum(), 1.0).expand((2,)).to_event(1))
    bdl.factor("none", 0.0 * y)


@pytest.fixture(scope="module", params=list(GUIDES), ids=str)
def case(request: pytest.FixtureRequest) -> Any:
    """A guide and parameters that are nowhere special."""
    guide = GUIDES[request.param]().fitted_to(build_density(model, (0.0,)))
    params = guide.start(random.key(1), np.array([0.3, -1.0, 0.0, 2.0]), 0.5)
    leaves, tree = flatten(params)
    rng = np.random.default_rng(3)
    # A flow whose networks have larger weights has spikes, which means of weights do not find.
    scale = 0.03 if "layers" in params else 0.3
    leaves = [np.asarray(x) + scale * rng.normal(size=np.shape(x)) for x in leaves]
    return guide, unflatten(tree, leaves)


def test_log_prob_is_that_of_the_draw(case: Any) -> None:
    guide, params = case
    for seed in range(3):
        z, log_prob = guide.sample_and_log_prob(params, random.key(seed))
        assert z.shape == (DIM,)
        np.testing.assert_allclose(guide.log_prob(params, z), log_prob, rtol=1e-8, atol=1e-8)


def test_score_has_mean_zero_and_the_density_integrates_to_one(case: Any) -> None:
    """E[∇ log q] = 0 by position, and the mean of N(z; m, S) / q(z) is 1 where it has finite
    variance: z-tests over 20 000 draws, |z| < 5.5 in each of at most 5 figures (1e-6), seed 7."""
    guide, params = case
    if not guide.has_density:
        pytest.skip("one point has no density")
    keys = random.split(random.key(7), DRAWS)
    z, log_prob = bdl.jit(vmap(lambda k: guide.sample_and_log_prob(params, k)))(keys)
    score = bdl.jit(vmap(grad(lambda x: guide.log_prob(params, x))))(z)
    # A narrower normal at the guide's own mean: its weights against the guide are bounded enough.
    mean, sd = z.mean(axis=0), 0.5 * z.std(axis=0)
    inside = -0.5 * (((z - mean) / sd) ** 2 + np.log(2.0 * np.pi * sd**2)).sum(axis=1)
    figures = np.column_stack([score, np.exp(inside - log_prob) - 1.0])
    error = figures.std(axis=0) / np.sqrt(DRAWS)
    assert (np.abs(figures.mean(axis=0)) < 5.5 * error).all()


def test_entropy_is_minus_the_mean_log_prob(case: Any) -> None:
    """|z| < 4.9 (1e-6), seed 8."""
    guide, params = case
    entropy = guide.entropy(params)
    if entropy is None:
        pytest.skip("it has no closed form")
    keys = random.split(random.key(8), DRAWS)
    _, log_prob = bdl.jit(vmap(lambda k: guide.sample_and_log_prob(params, k)))(keys)
    error = log_prob.std() / np.sqrt(DRAWS)
    assert abs(float(entropy) + log_prob.mean()) < 4.9 * error


def test_it_starts_near_the_position(case: Any) -> None:
    """Mean and sd within a quarter of the sd asked for, 20 000 draws, seed 9."""
    guide, _ = case
    if not guide.has_density:
        pytest.skip("it has no sd")
    place = np.array([3.0, -1.0, 0.0, 2.0])
    params = guide.start(random.key(2), place, 0.1)
    keys = random.split(random.key(9), DRAWS)
    z, _ = bdl.jit(vmap(lambda k: guide.sample_and_log_prob(params, k)))(keys)
    assert (np.abs(z.mean(axis=0) - place) < 0.025).all()
    assert (np.abs(z.std(axis=0) - 0.1) < 0.025).all()


def test_parameters_move_draws(case: Any) -> None:
    """The Jacobian of a draw by the first parameter is not zero, and finite."""
    guide, params = case
    leaves, tree = flatten(params)

    def draw(first: Any) -> Any:
        return guide.sample_and_log_prob(unflatten(tree, [first, *leaves[1:]]), random.key(0))[0]

    found = np.asarray(jacobian(draw)(leaves[0]))
    assert np.isfinite(found).all()
    assert np.abs(found).max() > 0.0
