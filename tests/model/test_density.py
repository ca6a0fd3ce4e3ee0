"""The density on R^dim, and the ways between position and values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist
from bayesdl._base.errors import SiteError, SupportError
from bayesdl.model.density import Density, build_density
from bayesdl.ops._bind import evaluate
from bayesdl.tracing import trace
from bayesdl.transform.derived import value_and_grad

from .models import EIGHT_SIGMA, EIGHT_Y, eight_schools, line, many_supports


def at(density: Density, position: Any) -> float:
    """The log density at a position."""
    return float(density.function(position, *density.data))


def test_eight_schools_by_hand() -> None:
    """Priors, likelihood and log|det| of the logarithm of tau."""
    stats = pytest.importorskip("scipy.stats")
    density = build_density(eight_schools, (EIGHT_Y, EIGHT_SIGMA))
    q = np.linspace(-1.0, 1.3, 10)
    mu, tau, z = q[0], np.exp(q[1]), q[2:]
    expected = (
        stats.norm(0, 5).logpdf(mu)
        + stats.halfcauchy(0, 5).logpdf(tau)
        + q[1]
        + stats.norm.logpdf(z).sum()
        + stats.norm(mu + tau * z, EIGHT_SIGMA).logpdf(EIGHT_Y).sum()
    )
    assert at(density, q) == pytest.approx(expected, rel=1e-13)


def test_traced_and_eager_agree_and_the_gradient_is_right(rng: np.random.Generator) -> None:
    """A Program on types and NumPy on numbers are one function; central differences agree."""
    for model, args in (
        (eight_schools, (EIGHT_Y, EIGHT_SIGMA)),
        (many_supports, (np.float64(0.3),)),
    ):
        density = build_density(model, args)
        q = rng.normal(size=density.dim)
        program = trace(value_and_grad(density.function), q, *density.data).program
        value, gradient = evaluate(program, q, *density.data)
        assert float(value) == pytest.approx(at(density, q), rel=1e-13)
        h = 1e-6
        steps = h * np.eye(density.dim)
        numeric = [(at(density, q + e) - at(density, q - e)) / (2 * h) for e in steps]
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-7)


def test_data_are_inputs_not_constants() -> None:
    """Other data of the same types need no new trace."""
    x, y = np.arange(3.0), np.ones(3)
    density = build_density(line, (x, y))
    program = trace(density.function, np.zeros(2), *density.data).program
    assert [repr(v.type) for v in program.inputs] == ["f64[2]", "f64[3]", "f64[3]"]
    other = build_density(line, (x + 1.0, y - 2.0))
    (value,) = evaluate(program, np.ones(2), *other.data)
    assert float(value) == pytest.approx(at(other, np.ones(2)), rel=1e-14)


@pytest.mark.parametrize(
    ("model", "args"),
    [(many_supports, (np.float64(0.0),)), (eight_schools, (EIGHT_Y, EIGHT_SIGMA))],
    ids=["many supports", "eight schools"],
)
def test_unconstrain_is_the_inverse_of_constrain(
    model: Any, args: Any, rng: np.random.Generator
) -> None:
    """unconstrain ∘ constrain = id; values lie in their supports."""
    density = build_density(model, args)
    for _ in range(5):
        q = rng.normal(size=density.dim)
        values = density.constrain(q, *density.data)
        np.testing.assert_allclose(
            density.unconstrain(values, *density.data), q, rtol=1e-8, atol=1e-10
        )
        for name, site in density.sites.items():
            if site.latent and site.constraint is not None and name != "b":
                assert np.all(site.constraint.contains(values[name])), name


def test_bounds_that_depend_on_another_site() -> None:
    """b lies between −a and 2a wherever a is."""
    density = build_density(many_supports, (np.float64(0.0),))
    for q in (-3.0, 0.0, 3.0):
        values = density.constrain(np.full(density.dim, q), *density.data)
        assert -values["a"] < values["b"] < 2.0 * values["a"]


def test_site_log_densities_add_up() -> None:
    """A table by site whose sum is the density; factors are in it."""

    def model(y: Any) -> None:
        mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
        bdl.factor("extra", -mu * mu)
        bdl.observe("y", dist.Normal(mu, 1.0), y)

    density = build_density(model, (0.5,))
    q = np.array([0.3])
    terms = density.site_log_densities(q, *density.data)
    assert list(terms) == ["mu", "extra", "y"]
    assert float(terms["extra"]) == pytest.approx(-0.09)
    assert float(sum(terms.values())) == pytest.approx(at(density, q))


def plated(x: Any, n: int) -> None:
    """Rows x of n, with a prior."""
    mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
    with bdl.plate("rows", n, minibatch=x.shape[0]):
        bdl.sample("x", dist.Normal(mu, 1.0), obs=x)


def test_the_mean_over_an_epoch_of_minibatches_is_the_full_density() -> None:
    """N/m makes each part an unbiased estimate; the pointwise log likelihood is not scaled."""
    x = np.linspace(-2.0, 3.0, 12)
    q = np.array([0.4])
    full = build_density(plated, (x, 12))
    parts = [build_density(plated, (part, 12)) for part in x.reshape(4, 3)]
    assert np.mean([at(part, q) for part in parts]) == pytest.approx(at(full, q), rel=1e-13)
    assert parts[0].minibatched
    assert not full.minibatched
    pointwise = np.concatenate([part.pointwise(q, *part.data)["x"] for part in parts])
    np.testing.assert_allclose(pointwise, full.pointwise(q, *full.data)["x"], rtol=1e-14)


def test_pointwise_sums_to_the_likelihood() -> None:
    """One number for each observation; events are one observation."""

    def model(y: Any, c: Any) -> None:
        mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
        with bdl.scale(0.5):
            bdl.observe("y", dist.Normal(mu, 1.0).expand((4,)), y)
        bdl.observe("c", dist.Normal(mu, 1.0).expand((3, 2)).to_event(1), c)

    density = build_density(model, (np.arange(4.0), np.zeros((3, 2))))
    found = density.pointwise(np.array([0.2]), *density.data)
    assert {n: v.shape for n, v in found.items()} == {"y": (4,), "c": (3,)}
    terms = density.site_log_densities(np.array([0.2]), *density.data)
    assert float(terms["y"]) == pytest.approx(0.5 * found["y"].sum())


def test_float32_everywhere() -> None:
    """No float64 is left in a Program that was asked to be float32."""
    density = build_density(eight_schools, (EIGHT_Y, EIGHT_SIGMA), dtype=np.float32)
    q = np.zeros(10, np.float32)
    program = trace(value_and_grad(density.function), q, *density.data).program
    assert "f64" not in repr(program)
    assert (
        density.unconstrain(density.constrain(q, *density.data), *density.data).dtype == np.float32
    )


def test_unconstrain_says_what_is_wrong() -> None:
    """Missing, unknown, outside."""
    density = build_density(line, (np.zeros(2), np.zeros(2)))
    with pytest.raises(SiteError, match='"sigma" has no value'):
        density.unconstrain({"slope": 1.0}, *density.data)
    with pytest.raises(SiteError, match='no site "sigmo"'):
        density.unconstrain({"slope": 1.0, "sigmo": 1.0}, *density.data)
    with pytest.raises(SupportError, match='site "sigma"'):
        density.unconstrain({"slope": 1.0, "sigma": -1.0}, *density.data)


def test_a_model_that_changes_between_runs_is_refused() -> None:
    """A position belongs to one set of sites."""
    names = iter(["a", "b", "c"])

    def model(y: Any) -> None:
        bdl.observe("y", dist.Normal(bdl.sample(next(names), dist.Normal(0.0, 1.0)), 1.0), y)

    density = build_density(model, (0.0,))
    with pytest.raises(SiteError, match="was not there"):
        at(density, np.zeros(1))


def test_nested_groups() -> None:
    """A hierarchy of two nested plates, by hand."""

    def model(y: Any) -> None:
        with bdl.plate("group", 2):
            mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
            with bdl.plate("row", 3):
                bdl.sample("y", dist.Normal(mu[:, None], 1.0), obs=y)

    y = np.arange(6.0).reshape(2, 3)
    density = build_density(model, (y,))
    assert density.sites["y"].dims == ("group", "row")
    q = np.array([0.5, -0.5])
    prior = dist.Normal(0.0, 1.0).log_prob(q).sum()
    assert at(density, q) == pytest.approx(
        float(prior + dist.Normal(q[:, None], 1.0).log_prob(y).sum())
    )
