"""Keepers give back what they took, in order, chain by chain."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist
from bayesdl._base.errors import ArgumentError, SiteError
from bayesdl.infer import keep
from bayesdl.infer.keep import Positions, chosen_names
from bayesdl.infer.kept import kept_of
from bayesdl.ir.types import ArrayType
from bayesdl.model.density import build_density

Y = np.linspace(-1.0, 2.0, 9)
ASKED: dict[str, Any] = {"draws": 90, "tune": 60, "random_seed": 4, "progressbar": False}


class OneSite:
    """As much of a Block as a keeper looks at."""

    position_type = ArrayType((3,), np.dtype(np.float32))
    info_types: ClassVar = {"lp": ArrayType((), np.dtype(np.float64))}


def test_positions_are_stacked_in_order_and_cut(rng: np.random.Generator) -> None:
    block: Any = OneSite()
    keeper = Positions(block)
    x = rng.normal(size=(2, 10, 3)).astype(np.float32)
    for first, stop in ((0, 4), (4, 10)):
        for chain in (1, 0):
            part = x[chain, first:stop]
            keeper.append(chain, first, part, {"lp": part[:, 0].astype(np.float64)})
    values, stats = keeper.collect([0, 1], 7)
    np.testing.assert_array_equal(values["position"], x[:, :7])
    np.testing.assert_array_equal(stats["lp"], x[:, :7, 0])


def test_a_chain_without_draws_has_arrays_of_length_zero() -> None:
    block: Any = OneSite()
    values, stats = Positions(block).collect([0, 2], 0)
    assert values["position"].shape == (2, 0, 3)
    assert values["position"].dtype == np.float32
    assert stats["lp"].shape == (2, 0)


class Model:
    """Values of one site, the square of the first coordinate, and how many were asked for."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def __call__(self, positions: Any) -> dict[str, Any]:
        self.calls.append(len(positions))
        return {"square": positions[:, 0] ** 2}


def test_columns_hold_few_positions_and_give_the_same_whatever_the_blocks(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keep, "LEAST_BUFFER", 5)
    monkeypatch.setattr(keep, "BUFFER_BYTES", 0)
    scalar = ArrayType((), np.dtype(np.float64))
    values = Model()
    keeper = keep.Columns(values, {"square": scalar}, {"lp": scalar}, (2, 40), 8)
    x = rng.normal(size=(2, 40, 3))
    for first, stop in ((0, 4), (4, 11), (11, 12), (12, 30)):
        for chain in (1, 0):
            keeper.append(chain, first, x[chain, first:stop], {"lp": x[chain, first:stop, 1]})
            assert keeper._waiting[chain] < 5
    assert keeper.count(0) == 30
    found, stats = keeper.collect([0, 1], 29)
    np.testing.assert_array_equal(found["square"], x[:, :29, 0] ** 2)
    np.testing.assert_array_equal(stats["lp"], x[:, :29, 1])
    assert found["square"].base is not None
    np.testing.assert_array_equal(keeper.collect([1], 3)[0]["square"], x[1:, :3, 0] ** 2)
    assert values.calls == [11, 11, 19, 19]


def test_names_come_in_the_order_of_the_model() -> None:
    names = ["a", "b", "c"]
    assert chosen_names("all", names) == names
    assert chosen_names("b", names) == ["b"]
    assert chosen_names(("c", "a", "c"), names) == ["a", "c"]


def test_an_unknown_name_and_no_name_are_refused() -> None:
    with pytest.raises(SiteError, match="keep names 'sigm'") as caught:
        chosen_names(["sigm"], ["mu", "sigma"])
    assert 'did you mean "sigma"?' in str(caught.value)
    for nothing in ([], None, 3):
        with pytest.raises(ArgumentError, match="at least one site"):
            chosen_names(nothing, ["mu"])


def scaled(y: Any = None) -> None:
    mu = bdl.sample("mu", dist.Normal(0.0, 2.0))
    sigma = bdl.sample("sigma", dist.HalfNormal(1.0))
    bdl.deterministic("ratio", mu / sigma)
    with bdl.plate("rows", 9):
        bdl.sample("y", dist.Normal(mu, sigma), obs=y)


@pytest.fixture(scope="module")
def whole() -> Any:
    return bdl.fit(scaled, Y, **ASKED)


@pytest.mark.parametrize("names", [["mu"], ["ratio"], ["ratio", "sigma"]])
def test_kept_sites_have_the_same_draws_and_the_rest_is_named(
    names: list[str], whole: Any, tmp_path: Path
) -> None:
    post = bdl.fit(scaled, Y, **ASKED, keep=names)
    post.save(tmp_path / "a.nc")
    for found in (post, bdl.load(tmp_path / "a.nc"), bdl.load(tmp_path / "a.nc", scaled).thin(1)):
        assert sorted(found.draws.values) == sorted(names)
        for name in names:
            np.testing.assert_array_equal(found[name], whole[name])
        with pytest.raises(SiteError, match="needs all latent sites") as caught:
            found.predict()
        missing = [name for name in ("mu", "sigma") if name not in names]
        assert f"not kept  {', '.join(missing)}" in str(caught.value)
        found.summary()
        found.verdict()


def test_predictions_do_without_what_the_model_computes(whole: Any) -> None:
    post = bdl.fit(scaled, Y, **ASKED, keep=["mu", "sigma"])
    np.testing.assert_array_equal(post.predict()["y"], whole.predict()["y"])


def test_kept_sites_on_disk(whole: Any, tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    bdl.fit(scaled, Y, **ASKED, keep=["sigma"], save_warmup=True, store=tmp_path / "a")
    again = bdl.load(tmp_path / "a")
    assert list(again.draws.values) == ["sigma"]
    np.testing.assert_array_equal(again["sigma"], whole["sigma"])
    assert again.draws.warmup["sigma"].shape == (4, 60)


def test_what_is_not_kept_is_not_computed() -> None:
    density = build_density(scaled, (Y,))
    sizes = []
    for kept in (["mu"], ["mu", "sigma", "ratio"]):
        each = kept_of(density, kept).each(5)
        each(np.zeros((5, 2)), density.data)
        (executable,) = each.compiled.values()
        sizes.append(len(executable.program.equations[0].params["body"].equations))
    assert sizes[0] < sizes[1]


def test_the_warmup_is_kept_when_asked_for(whole: Any, tmp_path: Path) -> None:
    post = bdl.fit(scaled, Y, **ASKED, thin=3, save_warmup=True, checkpoint=tmp_path / "run")
    resumed = bdl.fit(scaled, Y, **ASKED, thin=3, save_warmup=True, checkpoint=tmp_path / "run")
    post.save(tmp_path / "a.nc")
    np.testing.assert_array_equal(post["mu"], whole["mu"][:, ::3])
    for found in (post, resumed, bdl.load(tmp_path / "a.nc"), post.thin(2)):
        tree = found.to_xarray()
        np.testing.assert_array_equal(tree["warmup_posterior"]["mu"], post.draws.warmup["mu"])
        assert tree["warmup_posterior"]["sigma"].shape == (4, 60)
        assert tree["warmup_sample_stats"]["lp"].shape == (4, 60)
    assert "warmup_posterior" not in whole.to_xarray()
    warm, stats = post.draws.warmup, post.draws.warmup_stats
    sigma, mu = warm["sigma"], warm["mu"]
    square = ((Y - mu[..., None]) ** 2).sum(-1)
    # The density up to a constant, of mu and log sigma: the values belong to their statistics.
    expected = -(mu**2) / 8.0 - sigma**2 / 2.0 - square / (2.0 * sigma**2) - 8.0 * np.log(sigma)
    difference = stats["lp"] - expected
    np.testing.assert_allclose(difference, difference[0, 0], rtol=1e-9)


def test_an_optimisation_has_no_warmup_to_save() -> None:
    with pytest.raises(ArgumentError, match="no warm-up to save"):
        bdl.fit(scaled, Y, method="advi", save_warmup=True, progressbar=False)


def test_the_warmup_comes_back_from_elsewhere() -> None:
    asked = {**ASKED, "draws": 30, "chains": 2, "save_warmup": True}
    here = bdl.fit(scaled, Y, **asked).draws
    with ThreadPoolExecutor(2) as pool:
        there = bdl.fit(scaled, Y, **asked, executor=pool).draws
    assert here.warmup["mu"].shape == (2, 60)
    np.testing.assert_array_equal(here.warmup["mu"], there.warmup["mu"])
    np.testing.assert_array_equal(here.values["mu"], there.values["mu"])
