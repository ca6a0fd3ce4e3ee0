"""A model run forward."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist
from bayesdl._base.errors import ArgumentError, ShapeError, SiteError
from bayesdl.model.density import build_density
from bayesdl.model.predict import log_likelihood, predictive, prior_predictive
from bayesdl.ops._bind import evaluate
from bayesdl.tracing import trace

from .models import EIGHT_SIGMA, EIGHT_Y, eight_schools, line

X = np.linspace(-1.0, 1.0, 4)
KEY = bdl.random.key(5)
VALUES = {"slope": np.float64(3.0), "sigma": np.float64(1e-6)}


def test_new_rows_and_no_data() -> None:
    """Any number of rows; the observed site is drawn, computed sites are computed anew."""
    forward = predictive(line, (np.arange(7.0),))
    found = forward(VALUES, KEY, *forward.data)
    assert set(found) == {"mean", "y"}
    np.testing.assert_array_equal(found["mean"], 3.0 * np.arange(7.0))
    np.testing.assert_allclose(found["y"], found["mean"], atol=1e-4)
    assert not np.array_equal(found["y"], found["mean"])


def test_data_that_are_given_are_not_used() -> None:
    """An observed site is drawn anew, whatever its data."""
    with_data = predictive(line, (X, np.full(4, 100.0)))
    without = predictive(line, (X,))
    a, b = with_data(VALUES, KEY, *with_data.data), without(VALUES, KEY, *without.data)
    np.testing.assert_array_equal(a["y"], b["y"])


def test_mean_instead_of_draw() -> None:
    """kind="mean" has no noise."""
    forward = predictive(line, (X,), names=("y",), kind="mean")
    np.testing.assert_array_equal(forward(VALUES, KEY, *forward.data)["y"], 3.0 * X)


def test_traced_and_eager_draw_the_same_numbers() -> None:
    """What runs natively is what runs here."""
    forward = predictive(eight_schools, (EIGHT_Y, EIGHT_SIGMA))
    values = {"mu": np.float64(1.0), "tau": np.float64(2.0), "z": np.linspace(-1.0, 1.0, 8)}
    here = forward(values, KEY, *forward.data)
    traced = trace(forward, values, KEY, *forward.data)
    leaves = evaluate(traced.program, *(values[n] for n in sorted(values)), KEY, *forward.data)
    for name, found in zip(sorted(here), leaves, strict=True):
        np.testing.assert_allclose(found, here[name], rtol=1e-12)


def test_the_prior_draws_everything() -> None:
    """Latent sites too; each key differently."""
    forward = prior_predictive(line, (X,))
    first, second = (forward(bdl.random.key(i), *forward.data) for i in (0, 1))
    assert set(first) == {"slope", "sigma", "mean", "y"}
    assert first["slope"] != second["slope"]


def test_log_likelihood_of_other_rows() -> None:
    """From values; the same as the density's pointwise on the same data."""
    y = 3.0 * X + 0.1
    density = build_density(line, (X, y))
    values = {"slope": 2.0, "sigma": 0.5}
    f = log_likelihood(line, (X, y))
    found = f({**values, "mean": X}, *f.data)["y"]
    q = density.unconstrain(values, *density.data)
    np.testing.assert_allclose(found, density.pointwise(q, *density.data)["y"], rtol=1e-12)
    np.testing.assert_array_equal(f.observed["y"], y)
    assert log_likelihood(line, (X[:2], y[:2]))(values, X[:2], y[:2])["y"].shape == (2,)
    fewer = log_likelihood(eight_schools, (EIGHT_Y[:3], EIGHT_SIGMA[:3]))
    latent = {"mu": 0.0, "tau": 1.0, "z": np.zeros(3)}
    assert fewer(latent, *fewer.data)["y"].shape == (3,)


def test_what_is_refused() -> None:
    """No data to judge, unknown names, values of another shape, unknown kinds."""
    with pytest.raises(SiteError, match="no observed site"):
        log_likelihood(line, (X,))
    with pytest.raises(SiteError, match='no site "z"'):
        predictive(line, (X,), names=("z",))(VALUES, KEY, X)
    with pytest.raises(ShapeError, match='site "slope"'):
        predictive(line, (X,))({**VALUES, "slope": np.zeros(2)}, KEY, X)
    with pytest.raises(ArgumentError, match="kind"):
        predictive(line, (X,), kind="median")


def test_the_key_decides_even_inside_a_seed() -> None:
    """A user's seed around a prediction would make all draws equal."""
    forward = predictive(bdl.seed(0)(line), (X,))
    with bdl.seed(1):
        first, second = (forward(VALUES, bdl.random.key(i), X)["y"] for i in (0, 1))
    assert not np.array_equal(first, second)


def test_interventions_reach_the_prediction() -> None:
    """do() around the call fixes the site."""
    with bdl.do(slope=10.0):
        forward = predictive(line, (X,), kind="mean")
    np.testing.assert_array_equal(forward(VALUES, KEY, *forward.data)["y"], 10.0 * X)


@pytest.mark.slow
def test_prior_draws_have_the_priors_moments() -> None:
    """1000 draws: mean and variance within 5 standard errors (rate 6e-7 each; keys 0, 1, …)."""

    def model() -> Any:
        return bdl.sample("x", dist.Normal(0.0, 2.0))

    forward = prior_predictive(model, ())
    draws = np.array([float(forward(bdl.random.key(i))["x"]) for i in range(1000)])
    assert abs(draws.mean()) < 5 * 2.0 / np.sqrt(1000)
    assert abs(draws.var() / 4.0 - 1.0) < 5 * np.sqrt(2 / 1000)
