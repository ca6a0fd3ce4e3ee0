"""Files: what is saved comes back, and nothing is overwritten unasked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray

import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl._base.errors import ArgumentError, ModelError


@bdl.model
def line(x: Any, y: Any = None) -> None:
    slope = bdl.sample("slope", dist.Normal(0.0, 1.0))
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(slope * x, 0.5), obs=y)


@pytest.fixture(scope="module")
def post() -> Any:
    x = np.linspace(0.0, 1.0, 6)
    return bdl.fit(line, x, 2.0 * x, draws=40, tune=40, random_seed=0, progressbar=False)


def test_a_loaded_posterior_predicts_for_any_number_of_rows(post: Any, tmp_path: Path) -> None:
    post.save(tmp_path / "fit.nc")
    loaded = bdl.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(loaded["slope"], post["slope"])
    new = np.linspace(0.0, 2.0, 11)
    np.testing.assert_array_equal(loaded.predict(new)["y"], post.predict(new)["y"])
    assert post.predict(new)["y"].shape == (4, 40, 11)


def test_an_existing_file_is_not_overwritten(post: Any, tmp_path: Path) -> None:
    post.save(tmp_path / "fit.nc")
    with pytest.raises(ArgumentError, match="exists already"):
        post.save(tmp_path / "fit.nc")
    post.save(tmp_path / "fit.nc", overwrite=True)


def test_a_missing_file_and_one_of_another_kind_say_so(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="no such file"):
        bdl.load(tmp_path / "none.nc")
    xarray.DataTree.from_dict({"posterior": xarray.Dataset({"a": ("draw", [1.0])})}).to_netcdf(
        tmp_path / "other.nc", engine="h5netcdf"
    )
    with pytest.raises(ArgumentError, match="was not saved by this version of bayesdl"):
        bdl.load(tmp_path / "other.nc")


def test_an_interrupted_save_leaves_nothing(
    post: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    post.save(tmp_path / "fit.nc")
    before = (tmp_path / "fit.nc").read_bytes()

    def interrupted(self: Any, path: Path, **_: Any) -> None:
        path.write_bytes(b"half a file")
        raise KeyboardInterrupt

    monkeypatch.setattr(xarray.DataTree, "to_netcdf", interrupted)
    for name, overwrite in (("fit.nc", True), ("new.nc", False)):
        with pytest.raises(KeyboardInterrupt):
            post.save(tmp_path / name, overwrite=overwrite)
    assert [p.name for p in tmp_path.iterdir()] == ["fit.nc"]
    assert (tmp_path / "fit.nc").read_bytes() == before


def test_what_needs_the_source_finds_it_or_asks_for_it(tmp_path: Path) -> None:
    def by_size(x: Any, y: Any = None) -> None:
        mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
        bdl.sample("y", dist.Normal(mu * x * float(len(x) ** 2), 1.0), obs=y)

    x = np.linspace(0.0, 0.1, 4)
    found = bdl.fit(by_size, x, x, draws=10, tune=10, random_seed=0, progressbar=False)
    with pytest.warns(UserWarning, match="need the source of model by_size") as warned:
        found.save(tmp_path / "local.nc")
    assert warned[0].filename == __file__
    loaded = bdl.load(tmp_path / "local.nc")
    np.testing.assert_array_equal(loaded["mu"], found["mu"])
    with pytest.raises(ModelError, match="was not found"):
        loaded.predict(x)
    again = bdl.load(tmp_path / "local.nc", model=by_size)
    np.testing.assert_array_equal(again.predict(x)["y"], found.predict(x)["y"])
    np.testing.assert_array_equal(again.log_likelihood()["y"], found.log_likelihood()["y"])


def network(x: Any, y: Any = None) -> None:
    f = nn.MLP(hidden=(6,), out=1)(x)[:, 0]
    sigma = bdl.sample("sigma", dist.HalfNormal(1.0))
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(f, sigma), obs=y)


@pytest.mark.parametrize(
    "settings",
    [
        {"method": "advi", "tune": 200, "dtype": np.float32},
        {"method": "mc_dropout", "tune": 200, "rate": 0.2},
    ],
    ids=lambda s: s["method"],
)
def test_the_file_predicts_bit_for_bit_what_the_source_does(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    x = np.linspace(-1.0, 1.0, 20).reshape(10, 2)
    post = bdl.fit(network, x, x[:, 0], draws=30, random_seed=0, progressbar=False, **settings)
    post.save(tmp_path / "fit.nc")
    from_file = bdl.load(tmp_path / "fit.nc")
    from_source = bdl.load(tmp_path / "fit.nc", model=network)
    assert from_file.draws.attrs["settings"] == post.draws.attrs["settings"]
    for rows in (1, 3, 40):
        new = np.sin(np.arange(2.0 * rows)).reshape(rows, 2)
        for kind in ("y", "mean"):
            expected = post.predict(new, kind=kind)["y"]
            for other in (from_file, from_source):
                found = other.predict(new, kind=kind)["y"]
                assert found.dtype == expected.dtype
                np.testing.assert_array_equal(found, expected)
    for found in (from_file.log_likelihood(), from_file.log_likelihood(x, x[:, 0])):
        np.testing.assert_array_equal(found["y"], post.log_likelihood()["y"])


def test_arrays_of_any_dtype_that_a_model_captures(tmp_path: Path) -> None:
    keep, index, at = np.array([True, False, True]), np.array([2, 0], np.int32), np.arange(3.0)

    def process(x: Any, y: Any = None) -> None:
        n = x.shape[0]
        scale = bdl.sample("scale", dist.HalfNormal(1.0))
        cov = np.eye(n) + scale * bdl.numpy.exp(-((x[:, None] - x[None, :]) ** 2))
        shift = bdl.numpy.where(keep, at, -1.0)[index].sum() + np.arange(n)
        law = dist.MultivariateNormal(shift, covariance=cov)
        bdl.sample("y", law, obs=y)

    x = np.linspace(0.0, 1.0, 5)
    post = bdl.fit(process, x, x, draws=10, tune=20, chains=1, random_seed=0, progressbar=False)
    post.save(tmp_path / "fit.nc")
    loaded = bdl.load(tmp_path / "fit.nc")
    for new in (x, np.linspace(0.0, 2.0, 9)):
        np.testing.assert_array_equal(loaded.predict(new)["y"], post.predict(new)["y"])


def test_a_loaded_posterior_is_saved_again_and_compared(post: Any, tmp_path: Path) -> None:
    post.save(tmp_path / "one.nc")
    bdl.load(tmp_path / "one.nc").thin(2).save(tmp_path / "two.nc")
    again = bdl.load(tmp_path / "two.nc")
    assert again.draws.attrs["thin"] == 2
    new = np.linspace(0.0, 2.0, 11)
    np.testing.assert_array_equal(
        again.predict(new, kind="mean")["y"], post.thin(2).predict(new, kind="mean")["y"]
    )
    both = str(bdl.compare({"fit": post.thin(2), "file": again}, new, 2.0 * new)).splitlines()
    assert both[2].split()[1:] == both[3].split()[1:]


FIT = """
import sys
import numpy as np
import bayesdl as bdl
from bayesdl import dist, nn

center = np.array([0.25, -0.5])
def anywhere(x, y=None):
    f = nn.MLP(hidden=(4,), out=1)(x - center)[:, 0]
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(f, 0.3), obs=y)

x = np.linspace(-1.0, 1.0, 20).reshape(10, 2)
post = bdl.fit(lambda x, y=None: anywhere(x, y), x, np.sin(x[:, 0]), draws=20, tune=20,
               chains=2, random_seed=1, progressbar=False)
post.save(sys.argv[1])
np.savez(sys.argv[2], *[post.predict(np.cos(np.arange(2.0 * n)).reshape(n, 2), kind=kind)["y"]
                        for n in (3, 25) for kind in ("y", "mean")])
"""
PREDICT = """
import sys
import numpy as np
import bayesdl as bdl

post = bdl.load(sys.argv[1])
np.savez(sys.argv[2], *[post.predict(np.cos(np.arange(2.0 * n)).reshape(n, 2), kind=kind)["y"]
                        for n in (3, 25) for kind in ("y", "mean")])
"""


def test_a_process_without_the_source_predicts_the_same_numbers(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("fit.nc", "fitted.npz", "loaded.npz")]
    for code, out in ((FIT, files[1]), (PREDICT, files[2])):
        subprocess.run([sys.executable, "-c", code, str(files[0]), str(out)], check=True)
    fitted, loaded = (np.load(f) for f in files[1:])
    assert len(fitted.files) == 4
    for name in fitted.files:
        np.testing.assert_array_equal(loaded[name], fitted[name])
