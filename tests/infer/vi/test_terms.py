"""Bounds of a user's own guide: of rows, of minibatches of rows, of discrete unknowns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist, jit, vmap
from bayesdl import numpy as bnp
from bayesdl._base.errors import ArgumentError
from bayesdl._base.tree import flatten
from bayesdl.infer.minibatch import Turn, minibatch_target
from bayesdl.infer.vi.estimators import ESTIMATORS, estimate, keys_of
from bayesdl.infer.vi.guides import ModelGuide
from bayesdl.infer.vi.objectives import Renyi
from bayesdl.infer.vi.scores import estimate_by_scores
from bayesdl.infer.vi.terms import estimate_by_terms, plate_of_rows
from bayesdl.model.density import build_density
from bayesdl.ops import random
from bayesdl.transform.derived import grad, value_and_grad

QUIET: dict[str, Any] = {"random_seed": 1, "progressbar": False}
Y = np.array([1.0, 2.5, -0.5, 0.3])
DRAWS = 100_000
PARAMS = {"own": {"line": np.array([0.5, 0.2]), "log_sd": np.array(-0.7)}, "points": {}}


def rows(y: Any) -> None:
    with bdl.plate("rows", y.shape[0]):
        z = bdl.sample("z", dist.Normal(0.0, 1.0))
        bdl.sample("y", dist.Normal(z, 0.5), obs=y)


def encoder(y: Any) -> None:
    line = bdl.sample("line", dist.Flat().expand((2,)))
    log_sd = bdl.sample("log_sd", dist.Flat())
    with bdl.plate("rows", y.shape[0]):
        bdl.sample("z", dist.Normal(line[0] * y + line[1], np.exp(log_sd)))


def elbo(params: Any) -> Any:
    """Of `rows` under `encoder`, as a formula."""
    line, log_sd = params["own"]["line"], params["own"]["log_sd"]
    mean, variance = line[0] * Y + line[1], np.exp(2.0 * log_sd)
    prior = -0.5 * (mean * mean + variance)
    likelihood = -0.5 * ((Y - mean) ** 2 + variance) / 0.25 - np.log(0.5) - 0.5 * np.log(2 * np.pi)
    return (prior + likelihood + log_sd + 0.5).sum()


def estimates(
    name: str, batch: int | None, samples: int, alpha: float = 1.0
) -> np.ndarray[Any, Any]:
    """Gradients and bounds at PARAMS from independent keys and minibatches, one row each."""
    density = build_density(rows, (Y,))
    target = minibatch_target(density, batch, frozenset(["z"]))
    guide = ModelGuide(encoder).fitted_to(density).in_batches(target)
    slope = value_and_grad(target.function)

    def one(key: Any) -> Any:
        turn = Turn(key, np.int64(0))
        keys, here = keys_of(random.fold_in(key, 7), samples), guide.at(turn)
        if ESTIMATORS[name].local or alpha != 1.0:
            closed = ESTIMATORS[name].local
            found = estimate_by_terms(Renyi(alpha), here, PARAMS, keys, 1.0, closed)
        elif ESTIMATORS[name].score:
            found = estimate_by_scores(here, PARAMS, keys, 1.0, {})
        else:
            found = estimate(
                ESTIMATORS[name],
                Renyi(),
                here,
                PARAMS,
                keys,
                lambda q: slope(q, turn, *target.data),
            )
        return [*flatten(found.gradient)[0], found.bound]

    found = jit(vmap(one))(random.split(random.key(5), DRAWS))
    return np.column_stack([np.reshape(f, (DRAWS, -1)) for f in found])


@pytest.mark.parametrize(
    ("name", "batch", "samples"),
    [
        ("reparametrised", 2, 1),
        ("sticking_the_landing", 3, 2),
        ("score_function", 2, 3),
        ("closed_form_kl", None, 1),
        ("closed_form_kl", 2, 2),
    ],
)
def test_minibatches_of_rows_with_unknowns_are_unbiased(
    name: str, batch: int | None, samples: int
) -> None:
    """10⁵ gradients and bounds against the formula: |z| < 5.3 in each of 4 figures (1e-6)."""
    found = estimates(name, batch, samples)
    exact = np.concatenate([*(np.ravel(g) for g in flatten(grad(elbo)(PARAMS))[0]), [elbo(PARAMS)]])
    error = found.std(axis=0) / np.sqrt(DRAWS)
    assert (np.abs(found.mean(axis=0) - exact) < 5.3 * error).all()


def test_a_divergence_in_closed_form_has_less_noise() -> None:
    """Than the plain gradient, in each parameter."""
    plain, closed = (
        estimates(n, None, 1).std(axis=0) for n in ("reparametrised", "closed_form_kl")
    )
    assert (closed[:3] < 0.97 * plain[:3]).all()


def test_the_bound_of_one_row_is_the_common_bound() -> None:
    """On the same keys, value and gradient."""
    density = build_density(rows, (Y[:1],))
    guide = ModelGuide(encoder).fitted_to(density)
    keys = keys_of(random.key(1), 6)
    one = estimate_by_terms(Renyi(0.0), guide, PARAMS, keys, 1.0, False)
    plain = ESTIMATORS["reparametrised"]
    both = value_and_grad(density.function)
    other = estimate(plain, Renyi(0.0), guide, PARAMS, keys, lambda q: both(q, *density.data))
    figures = ([*flatten(e.gradient)[0], e.bound, e.log_density] for e in (one, other))
    for a, b in zip(*figures, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_bounds_of_rows_climb_to_the_evidence_of_each() -> None:
    """y ~ N(0, 1.25) in each row; 20 000 samples leave 0.05 in the sum of four."""
    guide = ModelGuide(encoder).fitted_to(build_density(rows, (Y,)))
    assert plate_of_rows(guide) == "rows"
    exact = (-0.5 * Y * Y / 1.25 - 0.5 * np.log(2.0 * np.pi * 1.25)).sum()
    keys = random.split(random.key(0), 20_000)
    found = estimate_by_terms(Renyi(0.0), guide, PARAMS, keys, 1.0, False).bound
    assert elbo(PARAMS) < found - 0.1
    assert abs(found - exact) < 0.05


def switches(y: Any) -> None:
    mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
    with bdl.plate("rows", y.shape[0]):
        z = bdl.sample("z", dist.Bernoulli(0.3))
        bdl.sample("y", dist.Normal(z * mu, 1.0), obs=y)


def mean_bound(params: Any, alpha: float) -> Any:
    """Σ_rows E R_α(w₁, w₂) of `rows` under `encoder`: Gauss–Hermite over both draws of a row."""
    line, log_sd = params["own"]["line"], params["own"]["log_sd"]
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    pairs = np.outer(weights, weights) / weights.sum() ** 2
    total = 0.0
    for y in Y:
        z = line[0] * y + line[1] + np.exp(log_sd) * nodes
        log_w = dist.Normal(0.0, 1.0).log_prob(z) + dist.Normal(z, 0.5).log_prob(y)
        log_w = log_w + log_sd + 0.5 * nodes * nodes + 0.5 * np.log(2.0 * np.pi)
        both = bnp.stack([bnp.broadcast_to(log_w[:, None], pairs.shape),
                          bnp.broadcast_to(log_w[None, :], pairs.shape)])  # fmt: skip
        total = total + (pairs * Renyi(alpha).bound(both)).sum()
    return total


@pytest.mark.parametrize(("alpha", "batch"), [(0.0, None), (0.0, 3), (0.5, 3), (-1.0, 2)])
def test_bounds_of_rows_are_unbiased_for_their_mean(alpha: float, batch: int | None) -> None:
    """10⁵ gradients and bounds of two draws a row: |z| < 5.3 in each of 4 figures (1e-6)."""
    found = estimates("reparametrised", batch, 2, alpha)
    value, gradient = value_and_grad(lambda p: mean_bound(p, alpha))(PARAMS)
    exact = np.concatenate([*(np.ravel(g) for g in flatten(gradient)[0]), [value]])
    error = found.std(axis=0) / np.sqrt(DRAWS)
    assert (np.abs(found.mean(axis=0) - exact) < 5.3 * error).all()


def counts(y: Any) -> None:
    with bdl.plate("rows", y.shape[0]):
        n = bdl.sample("n", dist.Poisson(3.0))
        bdl.sample("y", dist.Poisson(0.5 + n), obs=y)


def guessed(y: Any) -> None:
    rate = bdl.sample("rate", dist.Flat().expand((2,)))
    with bdl.plate("rows", y.shape[0]):
        bdl.sample("n", dist.Poisson(np.exp(rate)))


@pytest.mark.parametrize("samples", [1, 8])
def test_what_no_sum_reaches_is_drawn_by_a_guide(samples: int) -> None:
    """The best Poisson guide of each row, found on a grid; rates within 0.15."""
    stats = pytest.importorskip("scipy.stats")
    y, n, grid = np.array([1, 6]), np.arange(60), np.linspace(0.5, 9.0, 500)
    post = bdl.fit(counts, y, method="vi", guide=guessed, samples=samples, draws=4000, **QUIET)
    assert post["n"].dtype == np.int64
    for i, value in enumerate(y):
        log_p = stats.poisson(3.0).logpmf(n) + stats.poisson(0.5 + n).logpmf(value)
        log_q = stats.poisson(grid[:, None]).logpmf(n)
        best = grid[np.argmax((np.exp(log_q) * (log_p - log_q)).sum(axis=1))]
        # 4000 draws: 5 standard errors of a mean are 0.2 at most.
        assert abs(post["n"][0, :, i].mean() - best) < 0.15 + 5.0 * np.sqrt(best / 4000)


def test_a_fit_in_minibatches_finds_all_rows() -> None:
    """The exact posterior is in the guide: the ELBO of all rows is the evidence, and z its mean."""
    y = np.random.default_rng(0).normal(size=100) * np.sqrt(1.25)
    exact = (-0.5 * y * y / 1.25 - 0.5 * np.log(2.0 * np.pi * 1.25)).sum()
    post = bdl.fit(rows, y, method="vi", guide=encoder, batch_size=10, draws=2000, **QUIET)
    assert abs(post.draws.attrs["elbo"] - exact) < 0.1
    # 2000 draws of sd 0.447: 5.5 standard errors.
    np.testing.assert_allclose(post["z"][0].mean(axis=0), 0.8 * y, atol=0.02 + 0.055)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"estimator": "reparametrised"}, "score_function"),
        ({"objective": "iwae"}, "score_function"),
    ],
)
def test_discrete_unknowns_have_one_estimator(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        bdl.fit(counts, np.array([1, 2]), method="vi", guide=guessed, **settings, **QUIET)


def test_drawn_counts_have_log_likelihoods_and_survive_a_file(tmp_path: Any) -> None:
    y = np.array([1, 6])
    post = bdl.fit(counts, y, method="vi", guide=guessed, tune=50, draws=10, **QUIET)
    expected = dist.Poisson(0.5 + post["n"]).log_prob(y)
    np.testing.assert_allclose(post.log_likelihood(y)["y"], expected, rtol=1e-12)
    post.save(tmp_path / "fit.nc")
    again = bdl.load(tmp_path / "fit.nc")
    np.testing.assert_allclose(again.log_likelihood(y)["y"], expected, rtol=1e-12)


def test_sums_over_discrete_unknowns_have_no_divergence() -> None:
    def of_mu(y: Any) -> None:
        bdl.sample("mu", dist.Normal(bdl.sample("loc", dist.Flat()), 0.3))

    settings: dict[str, Any] = {"method": "vi", "guide": of_mu, **QUIET}
    with pytest.raises(ArgumentError, match="the model sums over"):
        bdl.fit(switches, Y, estimator="closed_form_kl", **settings)


def test_bounds_of_rows_have_one_estimator() -> None:
    with pytest.raises(ArgumentError, match="for bounds of rows: reparametrised"):
        bdl.fit(
            rows,
            Y,
            method="vi",
            guide=encoder,
            objective="iwae",
            estimator="doubly_reparametrised",
            **QUIET,
        )
