"""Draws on disk are the draws in memory, and are read a part at a time."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist
from bayesdl._base.errors import ArgumentError, CapacityError, RunError
from bayesdl.infer import run as loop
from bayesdl.infer import store as disk
from bayesdl.ir.types import ArrayType

pytest.importorskip("zarr")
Y = np.linspace(-1.0, 2.0, 9)
ASKED: dict[str, Any] = {"draws": 1200, "tune": 50, "random_seed": 4, "progressbar": False}


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
    monkeypatch.setattr(disk, "CHUNK_DRAWS", 200)
    monkeypatch.setattr(loop, "CAPACITY", 100)


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


def test_long_runs_have_longer_chunks(tmp_path: Path) -> None:
    scalar = ArrayType((), np.dtype(np.float64))
    for draws, chunk in ((100, 100), (1600, 200), (8000, 500), (10**6, 20_000)):
        types = {"x": scalar}
        store = disk.Store(tmp_path / str(draws), dict, types, {}, (2, draws), "a run", {})
        assert store.chunk == chunk


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
        if max(record["drawn"]) > 60:
            raise KeyboardInterrupt

    paths = {"store": tmp_path / "a", "checkpoint": tmp_path / "b"}
    with pytest.warns(RuntimeWarning, match="stopped by hand"):
        short = bdl.fit(model, Y, **{**ASKED, "progressbar": stop}, **paths)
    assert short["mu"].shape[1] < 1200
    same(bdl.fit(model, Y, **ASKED, **paths), whole)


def test_the_checkpoint_of_a_store_has_no_positions_of_draws(tmp_path: Path, whole: Any) -> None:
    paths = {"store": tmp_path / "a", "checkpoint": tmp_path / "b"}
    same(bdl.fit(model, Y, **ASKED, **paths), whole)
    files = [dict(np.load(p)) for p in sorted((tmp_path / "b").glob("0*.npz"))]
    drawn = [file[name] for file in files for name in file if name.endswith("draw.positions")]
    assert drawn
    assert sum(map(len, drawn)) == 0
    assert len(list((tmp_path / "b").glob("kept-*.npz"))) == 1


def test_a_store_that_is_gone_is_told_of(tmp_path: Path) -> None:
    paths = {"store": tmp_path / "a", "checkpoint": tmp_path / "b"}
    bdl.fit(model, Y, **ASKED, **paths)
    with pytest.raises(ArgumentError, match="not in the store") as caught:
        bdl.fit(model, Y, **ASKED, **{**paths, "store": tmp_path / "c"})
    assert ("draws", "1200, 1200, 1200, 1200") in caught.value.facts
    with pytest.raises(ArgumentError, match="is of another run") as caught:
        bdl.fit(model, Y, **ASKED, checkpoint=tmp_path / "b")
    assert "store" in [fact[0] for fact in caught.value.facts]


KILLED = """
import os, sys, numpy as np
sys.path.insert(0, sys.argv[2])
import bayesdl as bdl
from bayesdl.infer import store
import killed_model
store.CHUNK_DRAWS = {chunk}
def kill(record):
    if {word}(record["drawn"]) >= {after}:
        os.kill(os.getpid(), 9)
bdl.fit(killed_model.model, np.linspace(-1.0, 2.0, 9), draws=1200, tune=50, random_seed=4,
        cores=1, progressbar=kill, store=sys.argv[1])
"""


def killed(tmp_path: Path, word: str, after: int, chunk: int) -> Path:
    """The store of a process, killed when min or max of its chains' draws was so many."""
    text = Path(__file__).read_text().split("@pytest.fixture")[0].split("def model")[1]
    (tmp_path / "killed_model.py").write_text(
        "from typing import Any\nimport numpy as np\nimport bayesdl as bdl\n"
        f"from bayesdl import dist\ndef model{text}\n"
    )
    script = KILLED.format(word=word, after=after, chunk=chunk)
    paths = [str(tmp_path / "a"), str(tmp_path)]
    done = subprocess.run([sys.executable, "-c", script, *paths], check=False)
    assert done.returncode == -signal.SIGKILL
    return tmp_path / "a"


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of other systems")
def test_the_store_of_a_killed_process_has_what_was_written(tmp_path: Path, whole: Any) -> None:
    path = killed(tmp_path, "min", 600, 200)
    with pytest.warns(RuntimeWarning, match="did not end") as caught:
        post = bdl.load(path, model)
    count = post.draws.count
    assert count in (600, 800, 1000, 1200)
    assert f"{count} draws of each of its 4 chains" in str(caught[0].message)
    np.testing.assert_array_equal(post["mu"], whole["mu"][:, :count])
    np.testing.assert_array_equal(post.draws.stats["lp"], whole.draws.stats["lp"][:, :count])
    assert post.latent == ("mu", "sigma")
    np.testing.assert_array_equal(post.predict(Y)["y"][0, :9], whole.thin(1).predict(Y)["y"][0, :9])
    post.summary()
    post.verdict()


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of other systems")
def test_a_store_without_whole_chunks_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="before all its chains had written draws"):
        bdl.load(killed(tmp_path, "max", 1, 1200))


def test_a_folder_that_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="holds no run"):
        bdl.load(tmp_path)


def test_another_run_does_not_write_over_it(tmp_path: Path) -> None:
    bdl.fit(model, Y, **ASKED, store=tmp_path / "a")
    with pytest.raises(ArgumentError, match="exists already"):
        bdl.fit(model, Y, **ASKED, store=tmp_path / "a")


def test_a_full_disk_keeps_what_is_written(
    tmp_path: Path, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = disk.Store._flush

    def full(self: disk.Store, chain: int, whole_chunks: bool = True) -> None:
        if self._stored[chain] >= 400:
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
    assert ("chains × draws", "4 × 1200") in caught.value.facts


NETWORK = """
import sys, numpy as np
import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl.infer.machine import peak_megabytes

@bdl.model
def net(x, y=None):
    f = nn.MLP((98, 98), 1, activation="tanh")(x)[:, 0]
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(f, 0.3), obs=y)

x = np.random.default_rng(0).normal(size=(4, 3))
post = bdl.fit(net, x, np.sin(x[:, 0]), draws=int(sys.argv[2]), tune=100, max_treedepth=2,
               dtype=np.float32, random_seed=1, progressbar=False, store=sys.argv[1])
print(peak_megabytes(), sum(v.size * v.dtype.itemsize for v in post.draws.values.values()) / 1e6)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the peak of memory is not told there")
def test_a_network_of_ten_thousand_weights_takes_less_memory_than_its_draws(tmp_path: Path) -> None:
    """Ten times as many draws, 4 GB of them, take 570 MB: the same script with 25000."""
    told = subprocess.run(
        [sys.executable, "-c", NETWORK, str(tmp_path / "a"), "6000"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    peak, draws = map(float, told.split())
    assert draws > 950
    assert peak < 700


def test_a_store_without_zarr_is_refused_before_the_model_is_traced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def untraced(y: Any = None) -> None:
        raise AssertionError("traced")

    monkeypatch.setattr(disk, "find_spec", lambda name: None)
    with pytest.raises(ArgumentError, match="zarr") as caught:
        bdl.fit(untraced, Y, **ASKED, store=tmp_path / "a")
    assert caught.value.code == "A103"
    assert not (tmp_path / "a").exists()
