"""The result that every method gives."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import bayesdl as bdl
from bayesdl import dist
from bayesdl._base.errors import BayesdlError


@bdl.model
def line(x: Any, y: Any = None) -> None:
    slope = bdl.sample("slope", dist.Normal(0.0, 1.0))
    sigma = bdl.sample("sigma", dist.HalfNormal(1.0))
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(slope * x, sigma), obs=y)


X = np.linspace(-1.0, 1.0, 12)
Y = 2.0 * X + 0.1 * np.cos(9.0 * X)


@pytest.fixture(scope="module")
def post() -> Any:
    return bdl.fit(line, X, Y, draws=200, tune=150, chains=2, random_seed=1, progressbar=False)


def test_predicts_any_number_of_rows(post: Any) -> None:
    for rows in (1, 12, 30):
        assert post.predict(np.ones(rows))["y"].shape == (2, 200, rows)


def test_means_are_exact_and_draws_have_their_noise(post: Any) -> None:
    mean = post.predict(X, kind="mean")["y"]
    np.testing.assert_allclose(mean, post["slope"][..., None] * X, rtol=1e-12)
    z = (post.predict(X)["y"] - mean) / post["sigma"][..., None]
    # 4800 standard normal numbers: 5.2 standard errors, once in 5e6 tries.
    assert abs(z.mean()) < 5.2 / np.sqrt(z.size)
    assert abs(z.std() - 1.0) < 5.2 / np.sqrt(2 * z.size)


def test_prediction_noise_follows_its_seed(post: Any) -> None:
    one, same, other = (post.predict(X, random_seed=s)["y"] for s in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_log_likelihood_is_that_of_the_model(post: Any) -> None:
    expected = stats.norm(post["slope"][..., None] * X, post["sigma"][..., None]).logpdf(Y)
    np.testing.assert_allclose(post.log_likelihood()["y"], expected, rtol=1e-9)
    np.testing.assert_allclose(post.log_likelihood(X[:5], Y[:5])["y"], expected[..., :5], rtol=1e-9)


def test_observed_values(post: Any) -> None:
    np.testing.assert_array_equal(post.observed_values(X[:3], Y[:3])["y"], Y[:3])


def test_summary_has_a_row_for_each_scalar(post: Any) -> None:
    assert list(post.summary().names) == ["slope", "sigma"]


def test_unknown_sites_and_kinds_are_refused(post: Any) -> None:
    with pytest.raises(BayesdlError, match="slop"):
        post["slop"]
    with pytest.raises(BayesdlError, match="kind"):
        post.predict(X, kind="median")


def test_labels_and_data_survive_a_file(tmp_path: Path) -> None:
    @bdl.model(coords={"side": ["left", "right"]})
    def sides(x: Any, y: Any = None) -> None:
        w = bdl.sample("w", dist.Normal(0.0, 1.0).expand((2,)).to_event(1), dims=("side",))
        bdl.sample("y", dist.Normal(w[0] * x, 1.0), obs=y)

    fitted = bdl.fit(sides, X, Y, draws=5, tune=5, chains=1, random_seed=0, progressbar=False)
    fitted.save(tmp_path / "a.nc")
    loaded = bdl.load(tmp_path / "a.nc", model=sides)
    for tree in (fitted.to_xarray(), loaded.to_xarray()):
        assert tree["posterior"]["side"].values.tolist() == ["left", "right"]
        np.testing.assert_array_equal(tree["constant_data"]["x"].values, X)
        assert list(tree["constant_data"].data_vars) == ["x"]


def test_predictions_keep_the_dtype_of_the_fit() -> None:
    fitted = bdl.fit(
        line, X, Y, draws=5, tune=5, chains=1, random_seed=0, dtype=np.float32, progressbar=False
    )
    assert fitted["slope"].dtype == np.float32
    assert fitted.predict(X)["y"].dtype == np.float32
    assert fitted.log_likelihood()["y"].dtype == np.float32


def test_without_arguments_the_fitted_data_are_predicted(post: Any) -> None:
    np.testing.assert_array_equal(post.predict()["y"], post.predict(X)["y"])


def test_one_compilation_serves_all_data_of_the_same_types(post: Any) -> None:
    post.predict(X[:4])
    known = dict(post._compiled)
    post.predict(X[4:8])
    assert post._compiled == known


def test_thinning_keeps_every_third_draw(post: Any) -> None:
    thinned = post.thin(3)
    np.testing.assert_array_equal(thinned["slope"], post["slope"][:, ::3])
    assert thinned.draws.stats["lp"].shape == (2, 67)
    assert thinned.thin(2).draws.attrs["thin"] == 6
    assert thinned.predict(X)["y"].shape == (2, 67, 12)
    with pytest.raises(BayesdlError, match="whole number"):
        post.thin(0)


def test_a_thinned_run_is_the_run_thinned(post: Any) -> None:
    fitted = bdl.fit(
        line, X, Y, draws=200, tune=150, chains=2, thin=3, random_seed=1, progressbar=False
    )
    np.testing.assert_array_equal(fitted["slope"], post.thin(3)["slope"])


def test_khat_tells_a_good_approximation_from_a_bad_one() -> None:
    def gaussian() -> None:
        bdl.sample("x", dist.Normal(np.zeros(2), 1.0).to_event(1))

    def heavy_tails() -> None:
        bdl.sample("x", dist.Cauchy(np.zeros(2), 1.0).to_event(1))

    settings: dict[str, Any] = {"method": "advi", "random_seed": 0, "progressbar": False}
    good, bad = (bdl.fit(m, draws=2000, **settings) for m in (gaussian, heavy_tails))
    assert good.khat < 0.7 < bad.khat
    assert "above 0.7" in str(bad.summary())
    assert "good" in str(good.summary())


def test_chains_have_no_khat(post: Any) -> None:
    assert post.khat is None
    assert "khat" not in str(post.summary())


def test_the_fit_of_a_handled_model_predicts_under_its_handlers() -> None:
    with bdl.do({"slope": 3.0}):
        fitted = bdl.fit(line, X, Y, draws=5, tune=5, random_seed=0, progressbar=False)
    np.testing.assert_allclose(fitted.predict(X, kind="mean")["y"][0, 0], 3.0 * X)


def test_fit_is_documented_where_its_settings_are() -> None:
    assert "draws" in inspect.signature(bdl.fit).parameters
    assert "tune" in str(bdl.fit.__doc__)


def test_a_fit_that_needs_attention_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """Too few draws: a warning in the log, and the same as data."""

    @bdl.model
    def m(y: Any) -> None:
        mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
        bdl.sample("y", dist.Normal(mu, 1.0), obs=y)

    post = bdl.fit(m, 1.0, draws=30, tune=100, chains=2, random_seed=1, progressbar=False)
    assert "ess_min" in post.draws.attrs["attention"]
    assert "draw more" in caplog.text
    assert not post.verdict().fine
