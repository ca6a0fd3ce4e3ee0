"""Gradients by scores: which terms weigh the score of a row, and what that is worth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist, jit, vmap
from bayesdl import numpy as bnp
from bayesdl._base.tree import flatten, unflatten
from bayesdl.infer.vi.enumeration import estimate_by_enumeration
from bayesdl.infer.vi.estimators import ESTIMATORS, estimate, keys_of
from bayesdl.infer.vi.guides import ModelGuide
from bayesdl.infer.vi.objectives import Renyi
from bayesdl.infer.vi.scores import estimate_by_scores, scored_of
from bayesdl.model.density import build_density
from bayesdl.model.summed import Placed
from bayesdl.ops import random
from bayesdl.transform.derived import value_and_grad

QUIET: dict[str, Any] = {"random_seed": 1, "progressbar": False}
DRAWS = 100_000
Y = np.array([1.0, 2.5, -0.5, 0.3])


def fitted(model: Any, guide: Any, *data: Any, names: str = "z") -> ModelGuide:
    """A guide on its model, which gives these discrete unknowns a place."""
    with Placed(frozenset(names.split())):
        return ModelGuide(guide).fitted_to(build_density(model, data))


def parameters(guide: ModelGuide) -> Any:
    """Some that are not all alike."""
    leaves, tree = flatten(guide.start(random.key(0), np.zeros(guide.both[0].dim), 0.1))
    rng = np.random.default_rng(0)
    return unflatten(tree, [0.5 * rng.normal(size=np.shape(leaf)) for leaf in leaves])


def figures(found: Any) -> Any:
    return [found.bound, *flatten(found.gradient)[0]]


def drawn(
    guide: ModelGuide, params: Any, samples: int, draws: int = DRAWS, baseline: Any = -2.0
) -> Any:
    """Bounds and gradients by scores from independent keys, one row each."""
    rows = {s.name: np.broadcast_to(baseline, s.shape) for s in scored_of(guide)}

    def one(key: Any) -> Any:
        return figures(estimate_by_scores(guide, params, keys_of(key, samples), 1.0, rows))

    found = jit(vmap(one))(random.split(random.key(4), draws))
    return np.column_stack([np.reshape(f, (draws, -1)) for f in found])


def chain(y: Any) -> None:
    """Two switches in each row, of which data tell through the second alone, and one for all."""
    g = bdl.sample("g", dist.Bernoulli(0.4))
    with bdl.plate("rows", y.shape[0]):
        a = bdl.sample("a", dist.Bernoulli(0.3))
        b = bdl.sample("b", dist.Bernoulli(0.2 + 0.5 * a))
        bdl.sample("y", dist.Normal(2.0 * b + g, 1.0), obs=y)


def of_chain(y: Any) -> None:
    w = bdl.sample("w", dist.Flat().expand((4,)))
    g = bdl.sample("g", dist.Bernoulli(logits=w[0]))
    with bdl.plate("rows", y.shape[0]):
        a = bdl.sample("a", dist.Bernoulli(logits=w[1] * y + g))
        bdl.sample("b", dist.Bernoulli(logits=w[2] * y + w[3] * a))


def test_a_score_is_weighted_with_what_follows_from_its_draw() -> None:
    """Of its own row; `a` moves `y` through `b` alone, and `g` moves all but its own prior's
    neighbours."""
    g, a, b = scored_of(fitted(chain, of_chain, Y, names="g a b"))
    assert (g.plates, a.plates, b.plates) == ((), ("rows",), ("rows",))
    assert set(b.below) == {"b", "guide/b", "y"}
    assert set(a.below) == {"a", "guide/a", *b.below}
    assert set(g.below) == {"g", "guide/g", *a.below}
    assert b.shape == (4,)


@pytest.mark.parametrize("samples", [1, 3])
def test_chains_of_unknowns_are_unbiased(samples: int) -> None:
    """10⁵ bounds and gradients against the exact sums: |z| < 5.3 in each of 5 figures (1e-6).

    Weights that forget what follows from a draw through another one would be biased.
    """
    guide = fitted(chain, of_chain, Y, names="g a b")
    params = parameters(guide)
    exact = figures(estimate_by_enumeration(guide, params, random.key(0)[None], 1.0))
    found = drawn(guide, params, samples)
    error = found.std(axis=0) / np.sqrt(DRAWS)
    assert (np.abs(found.mean(axis=0) - np.concatenate([[exact[0]], exact[1]])) < 5.3 * error).all()


def switches(y: Any) -> None:
    with bdl.plate("rows", y.shape[0]):
        z = bdl.sample("z", dist.Bernoulli(0.3))
        bdl.sample("y", dist.Normal(z, 1.0), obs=y)


def of_switches(y: Any) -> None:
    w = bdl.sample("w", dist.Flat().expand((2,)))
    with bdl.plate("rows", y.shape[0]):
        bdl.sample("z", dist.Bernoulli(logits=w[0] * y + w[1]))


@pytest.mark.parametrize("samples", [1, 3])
def test_terms_of_other_rows_no_longer_add_noise(samples: int) -> None:
    """40 rows, baselines at their best: below a tenth of the variance of scores weighted with the
    log w of all rows, which grows with the square of the rows; 20 000 draws tell such shares to
    within 5 %."""
    y = np.random.default_rng(0).normal(size=40)
    guide = fitted(switches, of_switches, y)
    params = {"own": {"w": np.array([0.6, -0.2])}, "points": {}}
    z, q = np.array([[0], [1]]), dist.Bernoulli(logits=0.6 * y - 0.2)
    log_p = dist.Bernoulli(0.3).log_prob(z) + dist.Normal(z, 1.0).log_prob(y)
    means = (np.exp(q.log_prob(z)) * (log_p - q.log_prob(z))).sum(axis=0)
    slope, total = value_and_grad(guide.both[0].function), means.sum()

    def whole(key: Any) -> Any:
        keys, score = keys_of(key, samples), ESTIMATORS["score_function"]
        found = estimate(score, Renyi(), guide, params, keys, lambda q: slope(q, y), 1.0, total)
        return figures(found)

    keys = random.split(random.key(4), 20_000)
    of_all = np.asarray(jit(vmap(whole))(keys)[1]).var(axis=0)
    of_rows = drawn(guide, params, samples, 20_000, means)[:, 1:].var(axis=0)
    assert (of_rows < 0.1 * of_all).all()


def neighbours(y: Any) -> None:
    with bdl.plate("rows", y.shape[0]):
        z = bdl.sample("z", dist.Bernoulli(0.3))
        bdl.sample("y", dist.Normal(2.0 * z[::-1] - z, 1.0), obs=y)


def summed_up(y: Any) -> None:
    with bdl.plate("rows", y.shape[0]):
        z = bdl.sample("z", dist.Bernoulli(0.3))
        bdl.sample("y", dist.Normal(z, 1.0), obs=y)
    bdl.factor("count", -0.5 * (z.sum() - 1.0) ** 2)


def beside_a_sum(y: Any) -> None:
    """The model sums over `e`, which the guide leaves to it."""
    with bdl.plate("rows", y.shape[0]):
        z = bdl.sample("z", dist.Bernoulli(0.3))
        e = bdl.sample("e", dist.Bernoulli(0.2 + 0.4 * z))
        bdl.sample("y", dist.Normal(z + 2.0 * e, 1.0), obs=y)


def by_hand(guide: ModelGuide, params: Any) -> Any:
    """ELBO and gradient over all values of four switches."""
    values = np.indices((2,) * 4).reshape(4, -1).T
    density = guide.both[0]

    def one(z: Any, p: Any) -> Any:
        law, _ = guide.run(p, random.key(0), (), {"z": z})
        log_q = law.log_prob()
        return np.exp(log_q) * (density.function(bnp.asarray(z, float), Y) - log_q)

    return value_and_grad(lambda p: vmap(one, (0, None))(values, p).sum())(params)


@pytest.mark.parametrize(
    ("model", "samples"), [(neighbours, 1), (neighbours, 3), (summed_up, 1), (beside_a_sum, 3)]
)
def test_rows_that_meet_are_weighted_with_all_that_they_move(model: Any, samples: int) -> None:
    """10⁵ bounds and gradients: |z| < 5.2 in each of 3 figures (1e-6)."""
    guide = fitted(model, of_switches, Y)
    params = {"own": {"w": np.array([0.6, -0.2])}, "points": {}}
    (scored,) = scored_of(guide)
    assert scored.plates == ()
    value, gradient = by_hand(guide, params)
    found = drawn(guide, params, samples)
    error = found.std(axis=0) / np.sqrt(DRAWS)
    exact = np.array([value, *gradient["own"]["w"]])
    assert (np.abs(found.mean(axis=0) - exact) < 5.2 * error).all()


def test_the_scale_of_a_plate_counts_once() -> None:
    """A plate of 12 rows that holds 4: bound and gradient are three times those of 4; |z| < 5.2 in
    each of 3 figures (1e-6)."""

    def part(y: Any) -> None:
        with bdl.plate("rows", 12, minibatch=4):
            z = bdl.sample("z", dist.Bernoulli(0.3))
            bdl.sample("y", dist.Normal(z, 1.0), obs=y)

    def of_part(y: Any) -> None:
        w = bdl.sample("w", dist.Flat().expand((2,)))
        with bdl.plate("rows", 12, minibatch=4):
            bdl.sample("z", dist.Bernoulli(logits=w[0] * y + w[1]))

    params = {"own": {"w": np.array([0.6, -0.2])}, "points": {}}
    value, gradient = by_hand(fitted(switches, of_switches, Y), params)
    found = drawn(fitted(part, of_part, Y), params, 2)
    error = found.std(axis=0) / np.sqrt(DRAWS)
    exact = 3.0 * np.array([value, *gradient["own"]["w"]])
    assert (np.abs(found.mean(axis=0) - exact) < 5.2 * error).all()


def test_single_samples_learn_a_baseline_for_each_row() -> None:
    """Log odds of each row within 0.15 of the exact ones, y − 0.5 + log 3/7, after 8000 steps."""
    settings: dict[str, Any] = {"samples": 1, "tune": 8000, "schedule": "cosine", **QUIET}
    for batch in (None, 2):
        guide = {"method": "vi", "guide": of_switches, "batch_size": batch}
        post = bdl.fit(switches, Y, draws=10, **guide, **settings)
        found = post.guide.params["own"]["w"]
        np.testing.assert_allclose(found, [1.0, np.log(3.0 / 7.0) - 0.5], atol=0.15)


def scaled(y: Any) -> None:
    """A scale that the guide leaves out."""
    scale = bdl.sample("scale", dist.HalfNormal(1.0))
    with bdl.plate("rows", y.shape[0]):
        z = bdl.sample("z", dist.Bernoulli(0.3))
        bdl.sample("y", dist.Normal(z, scale), obs=y)


def scaled_in_a_sum(y: Any) -> None:
    """The same, with a law that depends on what the model sums over."""
    e = bdl.sample("e", dist.Bernoulli(0.4))
    scale = bdl.sample("scale", dist.HalfNormal(1.0 + e))
    with bdl.plate("rows", y.shape[0]):
        z = bdl.sample("z", dist.Bernoulli(0.3))
        bdl.sample("y", dist.Normal(z, scale), obs=y)


@pytest.mark.parametrize("model", [scaled, scaled_in_a_sum])
def test_points_count_with_their_change_of_variables(model: Any) -> None:
    """log |det| and all, against sums by hand: |z| < 5.3 in each of 4 figures (1e-6); the sum of
    the guide's own values to 1e-10."""
    guide = fitted(model, of_switches, Y)
    params = {"own": {"w": np.array([0.6, -0.2])}, "points": {"scale": np.array(0.3)}}
    values = np.indices((2,) * 4).reshape(4, -1).T

    def one(z: Any, p: Any) -> Any:
        log_q = guide.run(p, random.key(0), (), {"z": z})[0].log_prob()
        place = bnp.concatenate([p["points"]["scale"][None], bnp.asarray(z, float)])
        return np.exp(log_q) * (guide.both[0].function(place, Y) - log_q)

    value, gradient = value_and_grad(lambda p: vmap(one, (0, None))(values, p).sum())(params)
    exact = np.concatenate([[value], *(np.ravel(g) for g in flatten(gradient)[0])])
    if model is scaled:
        found = figures(estimate_by_enumeration(guide, params, random.key(0)[None], 1.0))
        np.testing.assert_allclose(np.concatenate([np.ravel(f) for f in found]), exact, rtol=1e-10)
    draws = drawn(guide, params, 2)
    error = draws.std(axis=0) / np.sqrt(DRAWS)
    assert (np.abs(draws.mean(axis=0) - exact) < 5.3 * error).all()
