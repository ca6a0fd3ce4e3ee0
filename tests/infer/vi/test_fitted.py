"""Guides that are fitted, on rows that they have not seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist
from bayesdl._base.errors import ArgumentError, ModelError, SiteError

QUIET: dict[str, Any] = {"random_seed": 1, "progressbar": False}
RNG = np.random.default_rng(0)
Y = RNG.normal(size=100) * np.sqrt(1.25)
NEW = np.array([0.5, -2.0, 3.0])


def rows(y: Any) -> None:
    with bdl.plate("rows", y.shape[0]):
        z = bdl.sample("z", dist.Normal(0.0, 1.0))
        bdl.sample("y", dist.Normal(z, 0.5), obs=y)


def encoder(y: Any) -> None:
    slope = bdl.sample("slope", dist.Flat())
    spread = bdl.sample("spread", dist.HalfNormal(1.0))
    with bdl.plate("rows", y.shape[0]):
        bdl.sample("z", dist.Normal(slope * y, spread))


@pytest.fixture(scope="module")
def post() -> Any:
    return bdl.fit(
        rows, Y, method="vi", guide=encoder, batch_size=20, draws=5, objective="iwae", **QUIET
    )


def test_bounds_of_new_rows_meet_their_evidence(post: Any) -> None:
    """y ~ N(0, 1.25); the guide holds the posterior, so that few samples do."""
    exact = -0.5 * NEW * NEW / 1.25 - 0.5 * np.log(2.0 * np.pi * 1.25)
    np.testing.assert_allclose(post.guide.bounds(NEW), exact, atol=0.02)
    elbo = post.guide.bounds(NEW, objective="elbo", samples=2000)
    assert (elbo < post.guide.bounds(NEW, samples=2000) + 1e-12).all()


def test_unknowns_of_new_rows_are_drawn(post: Any) -> None:
    """N(0.8 y, 0.2): 4000 draws, 5 standard errors of a mean are 0.036; 0.03 for the fit."""
    z = post.guide.sample(NEW, draws=4000)["z"]
    assert z.shape == (4000, 3)
    np.testing.assert_allclose(z.mean(axis=0), 0.8 * NEW, atol=0.036 + 0.03 * 3.0)
    assert post.thin(2).guide is post.guide


def test_a_family_has_no_guide_for_other_rows() -> None:
    assert bdl.fit(rows, Y[:3], method="advi", tune=10, draws=5, **QUIET).guide is None


def test_rows_need_bounds_of_their_own() -> None:
    def common(y: Any) -> None:
        m = bdl.sample("m", dist.Normal(0.0, 1.0))
        with bdl.plate("rows", y.shape[0]):
            bdl.sample("y", dist.Normal(m, 0.5), obs=y)

    def guide(y: Any) -> None:
        bdl.sample("m", dist.Normal(bdl.sample("loc", dist.Flat()), 0.1))

    post = bdl.fit(common, Y[:3], method="vi", guide=guide, tune=10, draws=5, **QUIET)
    with pytest.raises(ArgumentError, match="no bounds of their own"):
        post.guide.bounds(Y[:2])


def test_a_saved_guide_comes_back_with_its_functions(post: Any, tmp_path: Path) -> None:
    """Its parameters are in the file, and once more in a file of what was loaded."""
    post.save(tmp_path / "once.nc")
    again = bdl.load(tmp_path / "once.nc")
    again.save(tmp_path / "twice.nc")
    for name in ("once.nc", "twice.nc"):
        guide = bdl.load(tmp_path / name, model=rows, guide=encoder).guide
        np.testing.assert_array_equal(guide.bounds(NEW), post.guide.bounds(NEW))
        np.testing.assert_array_equal(guide.sample(NEW)["z"], post.guide.sample(NEW)["z"])


def test_a_guide_without_its_functions_says_so(post: Any, tmp_path: Path) -> None:
    post.save(tmp_path / "fit.nc")
    loaded = bdl.load(tmp_path / "fit.nc")
    with pytest.raises(ModelError, match="not the functions that read them") as caught:
        loaded.guide  # noqa: B018
    assert caught.value.code == "E104"
    assert caught.value.fix == "pass them: bayesdl.load(path, model=my_model, guide=my_guide)."
    with pytest.raises(ArgumentError, match="a guide needs its model"):
        bdl.load(tmp_path / "fit.nc", guide=encoder)


def test_another_guide_is_refused(post: Any, tmp_path: Path) -> None:
    def another(y: Any) -> None:
        slope = bdl.sample("slope", dist.Flat())
        with bdl.plate("rows", y.shape[0]):
            bdl.sample("z", dist.Normal(slope * y, 1.0))

    post.save(tmp_path / "fit.nc")
    guide = bdl.load(tmp_path / "fit.nc", model=rows, guide=another).guide
    with pytest.raises(SiteError, match="not those that were fitted") as caught:
        guide.sample(NEW)
    assert caught.value.code == "M124"


def test_a_file_without_a_guide_has_none(tmp_path: Path) -> None:
    bdl.fit(rows, Y[:3], method="advi", tune=10, draws=5, **QUIET).save(tmp_path / "fit.nc")
    assert bdl.load(tmp_path / "fit.nc").guide is None
    with pytest.raises(ArgumentError, match="does not go with a guide"):
        bdl.load(tmp_path / "fit.nc", model=rows, guide=encoder)
