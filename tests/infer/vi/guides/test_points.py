"""Parameters without a prior: points beside a guide of what has one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

import bayesdl as bdl
from bayesdl import constraints, dist, nn
from bayesdl._base.errors import ArgumentError, SiteError
from bayesdl.infer.vi.estimators import ESTIMATORS
from bayesdl.infer.vi.guides import GUIDES, BesidePoints, Delta, MeanField, beside_points
from bayesdl.infer.vi.objectives import Renyi
from bayesdl.model.density import build_density
from bayesdl.ops import random

RNG = np.random.default_rng(0)
Y = 2.0 + 1.5 * RNG.normal(size=40)
QUIET: dict[str, Any] = {"method": "vi", "random_seed": 1, "progressbar": False}


@bdl.model
def groups(y: Any = None) -> None:
    """y ~ N(center, 1 + width²) where z is integrated out; the posterior of z is mean-field."""
    center = bdl.param("center")
    with bdl.plate("rows", 40):
        z = bdl.sample("z", dist.Normal(0.0, 1.0))
        width = bdl.param("width", support=constraints.positive, start=0.5)
        bdl.sample("y", dist.Normal(center + width[0] * z, 1.0), obs=y)


@bdl.model
def shared(y: Any = None) -> None:
    """The same, its width not one for each row."""
    center = bdl.param("center")
    with bdl.plate("rows", 40):
        z = bdl.sample("z", dist.Normal(0.0, 1.0))
    width = bdl.param("width", support=constraints.positive, start=0.5)
    with bdl.plate("rows", 40):
        bdl.sample("y", dist.Normal(center + width * z, 1.0), obs=y)


def constant(draws: Any) -> bool:
    return bool((draws == draws[0, 0]).all())


@pytest.mark.parametrize("estimator", ["sticking_the_landing", "closed_form_kl", "reparametrised"])
def test_points_maximise_the_evidence(estimator: str) -> None:
    """The guide holds the posterior, so the bound is the evidence: the maximum is known."""
    post = bdl.fit(shared, Y, estimator=estimator, samples=8, dtype=np.float64, **QUIET)
    assert constant(post["center"])
    assert constant(post["width"])
    mean, variance = Y.mean(), Y.var()
    np.testing.assert_allclose(post["center"][0, 0], mean, atol=0.05)
    np.testing.assert_allclose(post["width"][0, 0] ** 2, variance - 1.0, atol=0.15)
    attrs, evidence = post.draws.attrs, stats.norm(mean, np.sqrt(variance)).logpdf(Y).sum()
    assert post.khat is not None
    for name in ("elbo", "log_evidence_bound"):
        assert evidence - 0.2 < attrs[name] < evidence + 0.05


def test_each_row_may_have_a_parameter() -> None:
    assert build_density(groups, (Y,)).sites["width"].type.shape == (40,)


def network(kind: str) -> Any:
    """A plain layer of each kind below a Bayesian one."""

    def model(x: Any, y: Any = None) -> None:
        plain = {
            "linear": lambda: nn.Linear(4, "plain", prior=None)(x.reshape(x.shape[0], -1)),
            "conv": lambda: nn.Flatten()(nn.Conv1d(2, 3, name="plain", prior=None)(x)),
            "recurrent": lambda: nn.GRU(4, "plain", prior=None)(x)[:, -1],
            "attention": lambda: nn.MultiHeadAttention(1, name="plain", prior=None)(x)[:, -1],
        }
        f = nn.Linear(1, "out")(np.tanh(plain[kind]()))[:, 0]
        with bdl.plate("rows", x.shape[0]):
            bdl.sample("y", dist.Normal(f, 0.3), obs=y)

    return bdl.model(model)


X = RNG.normal(size=(30, 5, 2))
TARGET = np.sin(X[:, -1, 0])
KINDS = ["linear", "conv", "recurrent", "attention"]


@pytest.mark.parametrize("kind", KINDS)
def test_plain_layers_beside_random_ones(kind: str, tmp_path: Any) -> None:
    """They move from their start, are one point in all draws, predict, and survive a file."""
    model = network(kind)
    post = bdl.fit(model, X, TARGET, draws=20, tune=400, **QUIET)
    plain = [name for name in post.draws.values if name.startswith("plain.")]
    assert len(plain) >= 2
    assert all(constant(post[name]) for name in plain)
    assert not constant(post["out.weight"])
    first = bdl.fit(model, X, TARGET, draws=1, tune=1, **QUIET)
    assert all(np.abs(post[name][0, 0] - first[name][0, 0]).max() > 0.05 for name in plain)
    seen = post.predict(X[:3])["y"]
    assert seen.shape == (1, 20, 3)
    path = tmp_path / "post.nc"
    post.save(path)
    np.testing.assert_array_equal(bdl.load(path).predict(X[:3])["y"], seen)


@pytest.mark.parametrize("name", GUIDES)
def test_every_family_stands_beside_points(name: str) -> None:
    """Points take no part in densities, nor the other coordinates in points."""
    density = build_density(network("linear"), (X, TARGET))
    guide = beside_points(GUIDES[name](), density)
    position = RNG.normal(size=density.dim)
    params = guide.start(random.key(0), position, 0.5)
    draws = [np.asarray(guide.sample_and_log_prob(params, random.key(i))[0]) for i in range(2)]
    points = np.zeros(density.dim, bool)
    for site in density.sites.points.values():
        points[site.slice] = True
    assert points.sum() == 44
    for draw in draws:
        np.testing.assert_array_equal(draw[points], position[points])
    if name != "map":
        assert (draws[0][~points] != draws[1][~points]).all()
        moved = draws[0] + np.where(points, 7.0, 0.0)
        assert guide.log_prob(params, moved) == guide.log_prob(params, draws[0])
    assert isinstance(guide, Delta if name == "map" else BesidePoints)


def test_without_priors_at_all_it_is_maximum_likelihood() -> None:
    def model(y: Any) -> None:
        center = bdl.param("center")
        width = bdl.param("width", support=constraints.positive)
        with bdl.plate("rows", 40):
            bdl.sample("y", dist.Normal(center, width), obs=y)

    assert isinstance(beside_points(MeanField(), build_density(model, (Y,))), Delta)
    for options in ({"guide": "map", "init": "map", "tune": 0}, {"estimator": "closed_form_kl"}):
        post = bdl.fit(model, Y, draws=1, dtype=np.float64, **options, **QUIET)
        np.testing.assert_allclose(post["center"][0, 0], Y.mean(), rtol=2e-3)
        np.testing.assert_allclose(post["width"][0, 0], Y.std(), rtol=2e-3)


@pytest.mark.parametrize("estimator", ["local_reparametrised", "flipout"])
def test_noise_in_sums_leaves_plain_layers_alone(estimator: str) -> None:
    post = bdl.fit(network("linear"), X, TARGET, estimator=estimator, draws=20, tune=400, **QUIET)
    assert constant(post["plain.weight"])
    assert not constant(post["out.weight"])


def test_minibatches() -> None:
    post = bdl.fit(network("linear"), X, TARGET, batch_size=10, draws=20, tune=400, **QUIET)
    assert constant(post["plain.weight"])


@pytest.mark.parametrize(
    "options",
    [
        {"objective": Renyi(0.0), "estimator": "doubly_reparametrised"},
        {"estimator": "score_function"},
    ],
)
def test_estimators_without_a_gradient_by_points_are_refused(options: Any) -> None:
    """Doubled shares are those of a path, and a score is that of a draw; a point has neither."""
    with pytest.raises(ArgumentError, match="no such estimator for this model"):
        bdl.fit(shared, Y, **options, **QUIET)


def test_bounds_that_minibatches_do_not_estimate_are_refused_by_the_name_of_the_guide() -> None:
    with pytest.raises(ArgumentError, match="with guide 'mean_field'"):
        bdl.fit(network("linear"), X, TARGET, objective="iwae", batch_size=10, **QUIET)


def test_the_estimator_of_other_objectives_is_one_that_points_have() -> None:
    """Where none is given. With all weights alike the bound is the evidence, as the ELBO is."""
    post = bdl.fit(shared, Y, objective="iwae", samples=8, dtype=np.float64, **QUIET)
    np.testing.assert_allclose(post["center"][0, 0], Y.mean(), atol=0.05)
    np.testing.assert_allclose(post["width"][0, 0] ** 2, Y.var() - 1.0, atol=0.15)


@pytest.mark.parametrize("name", [n for n in ESTIMATORS if n != "score_function"])
def test_every_other_estimator_moves_points(name: str) -> None:
    """The maximum is at their mean, whatever the sums of a layer hold besides. Seed 1."""

    def model(x: Any, y: Any) -> None:
        center = bdl.param("center")
        slope = nn.Linear(1, "slope", bias=False)(x)[:, 0]
        with bdl.plate("rows", x.shape[0]):
            bdl.sample("y", dist.Normal(center + slope, 1.0), obs=y)

    post = bdl.fit(model, np.ones((40, 1)) * 1e-3, Y, estimator=name, **QUIET)
    np.testing.assert_allclose(post["center"][0, 0], Y.mean(), atol=0.02)


def test_a_guide_of_ones_own_leaves_points_as_points() -> None:
    def guide(y: Any = None) -> None:
        loc, sd = bdl.param("loc", 40), bdl.param("sd", 40, support=constraints.positive, start=0.5)
        with bdl.plate("rows", 40):
            bdl.sample("z", dist.Normal(loc, sd))

    post = bdl.fit(shared, Y, guide=guide, samples=8, dtype=np.float64, **QUIET)
    np.testing.assert_allclose(post["center"][0, 0], Y.mean(), atol=0.05)
    assert post.khat is not None


def test_a_guide_cannot_make_an_unknown_a_parameter() -> None:
    def guide(y: Any = None) -> None:
        bdl.param("z", 40)

    with pytest.raises(SiteError, match='site "z" is a parameter'):
        bdl.fit(shared, Y, guide=guide, **QUIET)
