"""Predictions from the parameters of observed sites are those from the unknowns, rounding apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl._base.errors import SiteError

QUIET: dict[str, Any] = {"draws": 60, "tune": 60, "random_seed": 3, "progressbar": False}
X = np.linspace(-1.0, 1.0, 12)
Y = 2.0 * X + 0.1 * np.cos(9.0 * X)
COUNTS = np.arange(12) % 4


def line(x: Any, y: Any = None) -> None:
    slope = bdl.sample("slope", dist.Normal(0.0, 1.0))
    sigma = bdl.sample("sigma", dist.HalfNormal(1.0))
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(slope * x, sigma), obs=y)


def two_sites(x: Any, y: Any, k: Any) -> None:
    """A batch made one event, and counts out of data."""
    a = bdl.sample("a", dist.Normal(0.0, 1.0))
    bdl.sample("y", dist.Normal(a * x, 0.5).to_event(1), obs=y)
    b = bdl.sample("b", dist.Normal(0.0, 1.0))
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("k", dist.Binomial(k + 2, logits=b + x), obs=k)


def mixed(y: Any) -> None:
    share = bdl.sample("share", dist.Beta(2.0, 2.0))
    parts = dist.Normal(bdl.numpy.array([-1.0, 1.0]), 0.5)
    with bdl.plate("rows", y.shape[0]):
        weights = bdl.numpy.stack([share, 1.0 - share])
        bdl.sample("y", dist.Mixture(dist.Categorical(weights), parts), obs=y)


def masked(x: Any, y: Any) -> None:
    slope = bdl.sample("slope", dist.Normal(0.0, 1.0))
    with bdl.plate("rows", x.shape[0]), bdl.mask(x > 0.0):
        bdl.sample("y", dist.Normal(slope * x, 0.3), obs=y)


def network(x: Any, y: Any = None) -> None:
    f = nn.MLP((4,), 1, activation="tanh")(x[:, None])[:, 0]
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(f, 0.3), obs=y)


def close(found: Any, expected: Any) -> None:
    """Code that computes a parameter on the way rounds less often than one that reads it."""
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (line, (X, Y)),
        (two_sites, (X, Y, COUNTS)),
        (mixed, (Y,)),
        (masked, (X, Y)),
        (network, (X, Y)),
    ],
)
def test_predictions_are_those_of_the_unknowns(model: Any, data: Any, tmp_path: Path) -> None:
    whole = bdl.fit(model, *data, **QUIET)
    post = bdl.fit(model, *data, **QUIET, keep="predictive")
    post.save(tmp_path / "a.nc")
    assert not set(post.draws.values) & set(whole.draws.values)
    for found in (post, bdl.load(tmp_path / "a.nc"), post.thin(1)):
        for name in whole.observed:
            for kind in ("y", "mean"):
                expected = whole.predict(kind=kind)[name]
                close(found.predict(kind=kind)[name], expected)
            expected = whole.log_likelihood()[name]
            close(found.log_likelihood()[name], expected)
            np.testing.assert_array_equal(found.observed_values()[name], whole.observed[name])


def test_parameters_have_the_names_that_the_distribution_gives_them() -> None:
    post = bdl.fit(line, X, Y, **QUIET, keep="predictive")
    assert {n: v.shape for n, v in post.draws.values.items()} == {
        "y.loc": (4, 60, 12),
        "y.scale": (4, 60),
    }
    whole = bdl.fit(line, X, Y, **QUIET)
    np.testing.assert_array_equal(post["y.scale"], whole["sigma"])


def test_names_may_stand_beside_it() -> None:
    post = bdl.fit(network, X, Y, **QUIET, keep=["predictive"])
    assert list(post.draws.values) == ["y.loc"]
    assert "prediction" not in str(post.verdict())
    both = bdl.fit(line, X, Y, **QUIET, keep=["predictive", "sigma"])
    assert sorted(both.draws.values) == ["sigma", "y.loc", "y.scale"]
    tree = both.to_xarray(posterior_predictive=True, log_likelihood=True)
    assert tree["log_likelihood"]["y"].shape == (4, 60, 12)
    both.summary()


def test_other_rows_are_refused_with_the_repair() -> None:
    post = bdl.fit(line, X, Y, **QUIET, keep="predictive")
    for ask in (lambda: post.predict(X[:3]), lambda: post.log_likelihood(x=X, y=Y)):
        with pytest.raises(SiteError, match="predicts the fitted data alone") as caught:
            ask()
        assert 'keep="all"' in str(caught.value)


def test_a_model_without_observed_sites_is_refused() -> None:
    with pytest.raises(SiteError, match="needs an observed site"):
        bdl.fit(lambda: bdl.sample("x", dist.Normal(0.0, 1.0)), **QUIET, keep="predictive")


def test_what_depends_on_a_discrete_unknown_is_refused() -> None:
    def summed(y: Any) -> None:
        mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
        with bdl.plate("rows", y.shape[0]):
            side = bdl.sample("side", dist.Bernoulli(0.5))
            bdl.sample("y", dist.Normal(bdl.numpy.where(side, mu, -mu), 0.5), obs=y)

    with pytest.raises(SiteError, match="depends on a discrete unknown"):
        bdl.fit(summed, Y, **QUIET, keep="predictive")
    assert bdl.fit(summed, Y, **QUIET, keep=["mu"])["mu"].shape == (4, 60)


def test_a_store_holds_the_parameters(tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    post = bdl.fit(line, X, Y, **QUIET, keep="predictive", store=tmp_path / "a")
    again = bdl.load(tmp_path / "a")
    np.testing.assert_array_equal(again.predict()["y"], post.predict()["y"])
    np.testing.assert_array_equal(again["y.scale"], post["y.scale"])
