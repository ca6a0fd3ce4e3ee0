"""Moments are those of the draws that were not kept, whatever the blocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl._base.errors import CapacityError, SiteError
from bayesdl._base.memory import size_text
from bayesdl.infer import moments as room
from bayesdl.infer.keep import Columns
from bayesdl.infer.moments import BATCHES, Moments
from bayesdl.ir.types import ArrayType

X = np.linspace(-1.0, 2.0, 9)
ASKED: dict[str, Any] = {"draws": 640, "tune": 100, "random_seed": 4, "progressbar": False}


def scaled(y: Any = None) -> None:
    mu = bdl.sample("mu", dist.Normal(np.zeros(2), 2.0).to_event(1))
    sigma = bdl.sample("sigma", dist.HalfNormal(1.0))
    bdl.deterministic("ratio", mu / sigma)
    with bdl.plate("rows", 9):
        bdl.sample("y", dist.Normal(mu[0] + mu[1], sigma), obs=y)


def network(x: Any, y: Any = None) -> None:
    f = nn.MLP((4,), 1, activation="tanh")(x[:, None])[:, 0]
    sigma = bdl.sample("sigma", dist.HalfNormal(1.0))
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(f, sigma), obs=y)


def keeper_of(draws: Any) -> Moments:
    """A keeper of one site that is the position."""
    chains, count, size = draws.shape
    columns = Columns(lambda p: {}, {}, {}, (chains, count), 8)
    types = {"x": ArrayType((size,), np.dtype(np.float64))}
    return Moments(columns, lambda p: {"x": p}, types, ["x"], (chains, count))


def moment_of(draws: Any, blocks: list[int]) -> Any:
    keeper = keeper_of(draws)
    for chain, positions in enumerate(draws):
        for part in np.split(positions, blocks):
            keeper.append(chain, 0, part, {})
    assert [keeper.count(chain) for chain in range(len(draws))] == [draws.shape[1]] * len(draws)
    return keeper.collect(range(len(draws)), draws.shape[1])[0]["x"]


def test_means_and_sds_are_those_of_the_draws(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "BUFFER_BYTES", 0)
    monkeypatch.setattr(room, "LEAST_BUFFER", 7)
    draws = 1e3 + rng.normal(size=(4, 640, 3)) * [1.0, 0.1, 0.0] + np.arange(4)[:, None, None]
    found = moment_of(draws, [1, 5, 100, 101, 400])
    np.testing.assert_allclose(found.mean, draws.mean((0, 1)), rtol=1e-13)
    np.testing.assert_allclose(found.sd, draws.std((0, 1), ddof=1), rtol=1e-9)


def test_rhat_is_that_of_split_chains(rng: np.random.Generator) -> None:
    draws = rng.normal(size=(4, 640, 2)) + np.array([[[0.0, 0.0]]] * 3 + [[[1.0, 0.0]]])
    found = moment_of(draws, [333])
    halves = draws.reshape(8, 320, 2)
    within = halves.var(axis=1, ddof=1).mean(axis=0)
    between = 320 * halves.mean(axis=1).var(axis=0, ddof=1)
    np.testing.assert_allclose(found.r_hat, np.sqrt((between / within + 319) / 320), rtol=1e-10)
    assert found.r_hat[0] > 1.05


@pytest.mark.parametrize("correlation", [-0.5, 0.0, 0.9])
def test_ess_is_that_of_a_known_chain(rng: np.random.Generator, correlation: float) -> None:
    """Of 128 batch means: their variance is off by less than a factor 1.9, once in 1e6 tries."""
    draws = np.zeros((4, 9600, 1))
    for i in range(1, 9600):
        draws[:, i] = correlation * draws[:, i - 1] + rng.normal(size=(4, 1))
    expected = 4 * 9600 * (1 - correlation) / (1 + correlation)
    assert 1 / 1.9 < moment_of(draws, [5000]).ess[0] / expected < 1.9


def test_what_does_not_vary_has_no_rhat(rng: np.random.Generator) -> None:
    draws = rng.normal(size=(2, 640, 2)) * [1.0, 0.0]
    found = moment_of(draws, [])
    assert np.isfinite(found.r_hat).tolist() == [True, False]
    assert np.isfinite(found.ess).tolist() == [True, False]
    assert np.isnan(moment_of(draws[:1], []).r_hat).all()


@pytest.fixture(scope="module")
def whole() -> Any:
    return bdl.fit(scaled, X, **ASKED)


def close(post: Any, whole: Any) -> None:
    for name, draws in whole.draws.values.items():
        np.testing.assert_allclose(post.moments[name].mean, draws.mean((0, 1)), rtol=1e-9)
        np.testing.assert_allclose(post.moments[name].sd, draws.std((0, 1), ddof=1), rtol=1e-9)
    for name, column in whole.draws.stats.items():
        np.testing.assert_array_equal(post.draws.stats[name], column)


def test_a_fit_has_moments_a_summary_and_a_verdict(whole: Any, tmp_path: Path) -> None:
    post = bdl.fit(scaled, X, **ASKED, keep="moments")
    post.save(tmp_path / "a.nc")
    for found in (post, bdl.load(tmp_path / "a.nc")):
        close(found, whole)
        assert found.draws.values == {}
        table, expected = found.summary(), whole.summary()
        assert table.names == expected.names
        np.testing.assert_allclose(table.columns["mean"], expected.columns["mean"], rtol=1e-9)
        assert "r_hat" in str(table)
        verdict = found.verdict().attrs()
        assert 0.99 < verdict["rhat_max"] < 1.1
        assert verdict["divergences"] == whole.verdict().attrs()["divergences"]
        assert found.to_xarray()["moments"]["mu.mean"].shape == (2,)
        with pytest.raises(SiteError, match="only their moments"):
            found["mu"]
        with pytest.raises(SiteError, match="needs all latent sites"):
            found.predict()
    assert "moments of mu, sigma, ratio" in repr(post)
    post.to_arviz()


def test_thinned_moments_are_those_of_the_thinned_draws(whole: Any) -> None:
    post = bdl.fit(scaled, X, **ASKED, keep="moments", thin=3)
    np.testing.assert_allclose(post.moments["mu"].mean, whole["mu"][:, ::3].mean((0, 1)), rtol=1e-9)


def test_a_network_is_judged_by_its_predictions() -> None:
    asked = {**ASKED, "draws": 160}
    post = bdl.fit(network, X, X**2, **asked, keep="moments")
    weights = [name for name in post.moments if name.endswith("weight")]
    assert weights
    assert all(np.isnan(post.moments[name].r_hat).all() for name in weights)
    assert np.isfinite(post.moments["y.loc"].r_hat).all()
    assert "y.loc" in str(post.verdict()) or "sigma" in str(post.verdict())
    means = bdl.fit(network, X, X**2, **asked).predict(kind="mean")["y"]
    np.testing.assert_allclose(post.moments["y.loc"].mean, means.mean((0, 1)), rtol=1e-9)


@pytest.mark.parametrize("stored", [False, True])
def test_a_run_that_was_stopped_goes_on_to_the_same_moments(
    tmp_path: Path, whole: Any, stored: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("zarr" if stored else "numpy")
    monkeypatch.setattr(bdl.infer.checkpoint.Checkpoint.__init__, "__defaults__", (0.0,))

    def stop(record: dict[str, Any]) -> None:
        if min(record["drawn"]) > 200:
            raise KeyboardInterrupt

    asked = {**ASKED, "keep": "moments", "checkpoint": tmp_path / "run"}
    asked.update({"store": tmp_path / "store"} if stored else {})
    with pytest.warns(RuntimeWarning, match="stopped by hand"):
        bdl.fit(scaled, X, **{**asked, "progressbar": stop})
    close(bdl.fit(scaled, X, **asked), whole)
    files = [dict(np.load(p)) for p in (tmp_path / "run").glob("0*.npz")]
    assert not any(len(f[n]) for f in files for n in f if n.endswith("draw.positions"))
    if stored:
        close(bdl.load(tmp_path / "store"), whole)


def test_the_estimate_of_bytes_knows_that_there_are_no_draws() -> None:
    with pytest.raises(CapacityError) as caught:
        bdl.fit(scaled, X, **ASKED, keep="moments", max_memory=1000)
    # mu and ratio have two elements each.
    assert ("a chain's moments", size_text(5 * 8 * (2 + BATCHES))) in caught.value.facts
