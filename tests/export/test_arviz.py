"""Results in ArviZ's schema, for the ArviZ that is installed."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import arviz
import numpy as np
import pytest
import xarray
from scipy import stats

import bayesdl as bdl
from bayesdl import dist
from bayesdl.export.arviz import attributes, to_datatree


@bdl.model(coords={"school": ["a", "b", "c"]})
def schools(y: Any) -> None:
    mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
    with bdl.plate("school", 3):
        theta = bdl.sample("theta", dist.Normal(mu, 1.0))
        bdl.sample("y", dist.Normal(theta, 1.0), obs=y)


def flat(y: Any) -> None:
    mu = bdl.sample("mu", dist.Normal(0.0, 10.0))
    with bdl.plate("rows", 30):
        bdl.sample("y", dist.Normal(mu, 1.0), obs=y)


@pytest.fixture(scope="module")
def post() -> Any:
    return bdl.fit(schools, np.arange(3.0), draws=50, tune=50, random_seed=0, progressbar=False)


def test_groups_dims_coords_and_names(post: Any) -> None:
    tree = post.to_xarray()
    posterior, stats = tree["posterior"], tree["sample_stats"]
    assert posterior["theta"].dims == ("chain", "draw", "school")
    assert posterior["theta"].coords["school"].values.tolist() == ["a", "b", "c"]
    for name in ("lp", "diverging", "energy", "tree_depth", "reached_max_treedepth", "step_size"):
        assert stats[name].dims == ("chain", "draw")
    assert tree["observed_data"]["y"].dims == ("school",)
    assert all(isinstance(v, str | int | float | list) for v in tree.attrs.values())
    assert json.loads(tree.attrs["versions"])["numpy"] == np.__version__


def test_groups_on_request(post: Any) -> None:
    asked = {"posterior_predictive": True, "log_likelihood": True}
    tree = post.to_xarray(**asked)
    assert set(tree.children) - set(post.to_xarray().children) == set(asked)
    for group in asked:
        assert tree[group]["y"].dims == ("chain", "draw", "school")
    expected = stats.norm(post["theta"], 1.0).logpdf(np.arange(3.0))
    np.testing.assert_allclose(tree["log_likelihood"]["y"].values, expected, rtol=1e-9)


def test_leave_one_out_of_arviz() -> None:
    post = bdl.fit(flat, np.sin(np.arange(30.0)), draws=400, random_seed=0, progressbar=False)
    found = arviz.loo(post.to_arviz(log_likelihood=True))
    elpd = float(getattr(found, "elpd_loo", getattr(found, "elpd", np.nan)))
    # One mean, thirty values: near the log likelihood at their mean.
    y = np.sin(np.arange(30.0))
    assert elpd == pytest.approx(stats.norm(y.mean(), 1.0).logpdf(y).sum(), abs=2.0)


ATTRIBUTES: dict[str, Any] = {
    "whole": 3,
    "number": np.float32(0.5),
    "text": "µ",
    "wholes": [1, 2],
    "words": ["a", "b"],
    "one": [3],
    "mixed": [1, "a", None],
    "nothing": None,
    "flag": True,
    "huge": 2**80,
    "nested": {"a": {"b": 1.5}},
    "array": np.arange(3),
    "zero byte": "a\x00b",
    "NAME": "reserved",
    "": "unnamed",
    "key": {(1, 2): 3},
    "long": "x" * 100_000,
}


def test_attributes_of_any_kind_are_saved_and_come_back(tmp_path: Path) -> None:
    tree = to_datatree({"posterior": {"a": np.zeros((1, 2))}}, dims={}, coords={}, attrs=ATTRIBUTES)
    tree.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with xarray.open_datatree(tmp_path / "a.nc", engine="h5netcdf") as loaded:
        found = attributes(loaded.load())
    expected = {
        **ATTRIBUTES,
        "array": [0, 1, 2],
        "NAME_": "reserved",
        "unnamed": "unnamed",
        "zero byte": '"a\\u0000b"',
        "key": '"{(1, 2): 3}"',
        "huge": str(2**80),
    }
    for name in set(expected) - {"NAME", ""}:
        assert found[name] == expected[name], name


def test_arviz_takes_it(post: Any) -> None:
    table = arviz.summary(post.to_arviz(), var_names=["mu", "theta"])
    assert table.shape[0] == 4


def test_labels_of_any_kind_are_saved(tmp_path: Path) -> None:
    days = [date(2024, 1, 1), date(2024, 1, 2)]
    coords = {"day": days, "mixed": ["a", 1], "year": list(np.array([1990, 2000]))}
    values = {name: np.zeros((1, 3, 2)) for name in ("a", "b", "c")}
    dims = {"a": ("day",), "b": ("mixed",), "c": ("year",)}
    tree = to_datatree({"posterior": values}, dims=dims, coords=coords, attrs={})
    tree.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with xarray.open_datatree(tmp_path / "a.nc", engine="h5netcdf") as loaded:
        found = loaded.load()["posterior"]
    assert found["day"].values.tolist() == ["2024-01-01", "2024-01-02"]
    assert found["mixed"].values.tolist() == ["a", "1"]
    assert found["year"].values.tolist() == [1990, 2000]
