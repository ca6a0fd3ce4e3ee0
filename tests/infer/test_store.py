"""Draws on disk are the draws in memory, and are read a part at a time."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist
from bayesdl._base.errors import ArgumentError, CapacityError, RunError
from bayesdl.infer import store as disk

pytest.importorskip("zarr")
Y = np.linspace(-1.0, 2.0, 9)
ASKED: dict[str, Any] = {"draws": 250, "tune": 50, "random_seed": 4, "progressbar": False}


def model(y: Any = None) -> None:
    mu = bdl.sample("mu", dist.Normal(np.zeros(2), 2.0).to_event(1))
    sigma = bdl.sample("sigma", dist.HalfNormal(1.0))
    with bdl.plate("rows", 9):
        bdl.sample("y", dist.Normal(mu[0] + mu[1], sigma), obs=y)


@pytest.fixture(scope="module")
def whole() -> Any:
    return bdl.fit(model, Y, **ASKED)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "CHUNK_DRAWS", 40)


def same(a: Any, b: Any) -> None:
    for name in ("mu", "sigma"):
        np.testing.assert_array_equal(a[name], b[name])
    for name, column in b.draws.stats.items():
        np.testing.assert_array_equal(a.draws.stats[name], column)


def test_the_draws_are_those_in_memory_and_come_back(tmp_path: Path, whole: Any) -> None:
    post = bdl.fit(model, Y, **ASKED, store=tmp_path / "a")
    assert isinstance(post["mu"], disk.Lazy)
    same(post, whole)
    again = bdl.load(tmp_path / "a")
    same(again, whole)
    np.testing.assert_array_equal(again.predict()["y"], whole.predict()["y"])
    assert str(post.summary()) == str(whole.summary())


def test_xarray_opens_it(tmp_path: Path, whole: Any) -> None:
    xarray = pytest.importorskip("xarray")
    bdl.fit(model, Y, **ASKED, store=tmp_path / "a")
    tree = xarray.open_datatree(tmp_path / "a", engine="zarr")
    np.testing.assert_array_equal(tree["posterior"]["mu"].values, whole["mu"])
    assert tree["sample_stats"]["lp"].dims == ("chain", "draw")


@pytest.mark.parametrize(
    "key",
    [
        slice(None),
        (slice(None), slice(None, None, 7)),
        (1, slice(3, 200, 3)),
        (slice(1, 3), slice(39, 41), 1),
        (0, 5),
        (slice(None), slice(None, None, -1)),
        (Ellipsis, 0),
        (slice(None), slice(10, 5)),
    ],
)
def test_parts_are_those_of_the_array(tmp_path: Path, whole: Any, key: Any) -> None:
    post = bdl.fit(model, Y, **ASKED, store=tmp_path / "a")
    np.testing.assert_array_equal(post["mu"][key], whole["mu"][key])


def test_a_run_that_was_stopped_goes_on_in_the_same_folder(tmp_path: Path, whole: Any) -> None:
    def stop(record: dict[str, Any]) -> None:
        if min(record["drawn"]) > 60:
            raise KeyboardInterrupt

    paths = {"store": tmp_path / "a", "checkpoint": tmp_path / "b"}
    with pytest.warns(RuntimeWarning, match="stopped by hand"):
        short = bdl.fit(model, Y, **{**ASKED, "progressbar": stop}, **paths)
    assert short["mu"].shape[1] < 250
    same(bdl.fit(model, Y, **ASKED, **paths), whole)


def test_another_run_does_not_write_over_it(tmp_path: Path) -> None:
    bdl.fit(model, Y, **ASKED, store=tmp_path / "a")
    with pytest.raises(ArgumentError, match="exists already"):
        bdl.fit(model, Y, **ASKED, store=tmp_path / "a")


def test_a_full_disk_keeps_what_is_written(
    tmp_path: Path, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = disk.Store._flush

    def full(self: disk.Store, chain: int, whole_chunks: bool = True) -> None:
        if self._stored[chain] >= 80:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(self, chain, whole_chunks)

    monkeypatch.setattr(disk.Store, "_flush", full)
    with pytest.raises(RunError, match="could not go on") as caught:
        bdl.fit(model, Y, **ASKED, store=tmp_path / "a", cores=1)
    kept: Any = caught.value.posterior
    assert "No space left" in str(caught.value)
    count = kept["mu"].shape[1]
    assert count > 0
    assert all(any(np.array_equal(k, w[:count]) for w in whole["mu"]) for k in kept["mu"])


def test_draws_that_memory_does_not_hold_are_refused_with_the_numbers() -> None:
    with pytest.raises(CapacityError, match="would not fit") as caught:
        bdl.fit(model, Y, **ASKED, max_memory=1000)
    assert ("chains × draws", "4 × 250") in caught.value.facts
