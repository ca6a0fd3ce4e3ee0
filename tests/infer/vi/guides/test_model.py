"""Guides that users write as models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import constraints, dist, nn
from bayesdl._base.errors import ArgumentError, SiteError
from bayesdl.infer.vi.guides import MeanField, ModelGuide
from bayesdl.model.density import build_density
from bayesdl.ops import random

QUIET: dict[str, Any] = {"random_seed": 1, "progressbar": False}
Y = np.array([1.0, 2.5, -0.5])


def noisy(y: Any) -> None:
    """A mean of each row, about a mean of all; the noise is known."""
    center = bdl.sample("center", dist.Normal(0.0, 2.0))
    with bdl.plate("rows", y.shape[0]):
        z = bdl.sample("z", dist.Normal(center, 1.0))
        bdl.sample("y", dist.Normal(z, 0.5), obs=y)


def sequential(y: Any) -> None:
    """The exact posterior is in it: rows given the center are a line in center and data."""
    loc = bdl.sample("loc", dist.Flat())
    scale = bdl.sample("scale", dist.ImproperUniform(constraints.positive))
    center = bdl.sample("center", dist.Normal(loc, scale))
    slopes = bdl.sample("slopes", dist.Flat().expand((2,)).to_event(1))
    spread = bdl.sample("spread", dist.ImproperUniform(constraints.positive))
    with bdl.plate("rows", y.shape[0]):
        bdl.sample("z", dist.Normal(slopes[0] * y + slopes[1] * center, spread))


def test_the_exact_posterior_is_found() -> None:
    """Evidence of a Gaussian model: y ~ N(0, 4 · 11ᵀ + 1.25 I). The bound has no noise there."""
    covariance = 4.0 + 1.25 * np.eye(3)
    exact = -0.5 * (
        Y @ np.linalg.solve(covariance, Y) + np.linalg.slogdet(2.0 * np.pi * covariance)[1]
    )
    post = bdl.fit(noisy, Y, method="vi", guide=sequential, draws=2000, **QUIET)
    assert abs(post.draws.attrs["elbo"] - exact) < 1e-2
    assert post.khat < 0.3
    slope = 4.0 / (4.0 + 1.25 / 3.0)
    # 2000 draws: 5.5 standard errors of a mean with sd 0.614.
    assert abs(post["center"].mean() - slope * Y.mean()) < 0.01 + 5.5 * 0.614 / np.sqrt(2000)


def amortised(y: Any) -> None:
    """A network gives each row its mean, for all rows the same."""
    loc = bdl.sample("loc", dist.Flat())
    scale = bdl.sample("scale", dist.ImproperUniform(constraints.positive))
    bdl.sample("center", dist.Normal(loc, scale))
    with bdl.scope("encoder"):
        mean = nn.MLP(hidden=(8,), out=1, activation="tanh")(y[:, None])[:, 0]
        spread = bdl.sample("spread", dist.ImproperUniform(constraints.positive))
    with bdl.plate("rows", y.shape[0]):
        bdl.sample("z", dist.Normal(mean, spread))


def test_a_network_may_amortise() -> None:
    """Row means within 0.1 of the exact ones, 0.8 y + 0.2 center."""
    post = bdl.fit(noisy, Y, method="vi", guide=amortised, draws=4000, **QUIET)
    center = 4.0 / (4.0 + 1.25 / 3.0) * Y.mean()
    np.testing.assert_allclose(post["z"][0].mean(axis=0), 0.8 * Y + 0.2 * center, atol=0.1)


def test_what_a_guide_leaves_out_is_a_point() -> None:
    """One value of `z` in all draws, and no k-hat."""

    def of_center(y: Any) -> None:
        loc = bdl.sample("loc", dist.Flat())
        bdl.sample("center", dist.Normal(loc, 0.5))

    post = bdl.fit(noisy, Y, method="vi", guide=of_center, tune=2000, draws=50, **QUIET)
    assert np.ptp(post["z"], axis=1).max() == 0.0
    assert np.ptp(post["center"]) > 0.5
    assert post.khat is None


def positive(y: Any) -> None:
    scale = bdl.sample("scale", dist.HalfNormal(1.0))
    with bdl.plate("rows", y.shape[0]):
        bdl.sample("y", dist.Normal(0.0, scale), obs=y)


def gamma(y: Any) -> None:
    shape = bdl.sample("shape", dist.ImproperUniform(constraints.positive))
    rate = bdl.sample("rate", dist.ImproperUniform(constraints.positive))
    bdl.sample("scale", dist.Gamma(1.0 + shape, rate))


def test_log_prob_is_that_of_the_draw_on_the_real_line() -> None:
    """The change of variables from (0, ∞) included."""
    guide = ModelGuide(gamma).fitted_to(build_density(positive, (Y,)))
    params = guide.start(random.key(0), np.zeros(1), 0.1)
    z, log_prob = guide.sample_and_log_prob(params, random.key(3))
    np.testing.assert_allclose(guide.log_prob(params, z), log_prob, rtol=1e-10)
    grid = np.linspace(-12.0, 8.0, 401)
    density = np.exp([float(guide.log_prob(params, np.array([g]))) for g in grid])
    assert abs(density.sum() * (grid[1] - grid[0]) - 1.0) < 1e-2


def test_a_gamma_guide_is_fitted() -> None:
    """It is differentiable through its draws; a normal on R has about the same bound."""
    found = bdl.fit(positive, Y, method="vi", guide=gamma, draws=2000, **QUIET).draws.attrs
    normal = bdl.fit(positive, Y, method="vi", draws=2000, **QUIET).draws.attrs
    assert abs(found["elbo"] - normal["elbo"]) < 0.1


def test_shapes_must_be_those_of_the_model() -> None:
    def wrong(y: Any) -> None:
        bdl.sample("z", dist.Normal(0.0, 1.0))

    with pytest.raises(SiteError, match="another shape"):
        bdl.fit(noisy, Y, method="vi", guide=wrong, **QUIET)


def test_a_guide_draws_unknowns_of_the_model() -> None:
    def nothing(y: Any) -> None:
        bdl.sample("centre", dist.Normal(0.0, 1.0))

    def of_data(y: Any) -> None:
        bdl.sample("center", dist.Normal(0.0, 1.0))
        with bdl.plate("rows", y.shape[0]):
            bdl.sample("y", dist.Normal(0.0, 1.0))

    def discrete(y: Any) -> None:
        bdl.sample("center", dist.Poisson(1.0))

    for guide, says in (
        (nothing, "draws none of the model's unknowns"),
        (of_data, "no unknown of the model"),
        (discrete, "other values"),
    ):
        with pytest.raises(SiteError, match=says):
            bdl.fit(noisy, Y, method="vi", guide=guide, **QUIET)


def test_a_class_is_no_guide() -> None:
    with pytest.raises(ArgumentError, match=r"write MeanField\(\)"):
        bdl.fit(noisy, Y, method="vi", guide=MeanField, **QUIET)
