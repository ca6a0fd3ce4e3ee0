"""Draws on disk are the draws in memory, and are read a part at a time."""

from __future__ import annotations

import errno
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist
from bayesdl._base.errors import ArgumentError, CapacityError, RunError
from bayesdl.infer import run as loop
from bayesdl.infer import store as disk
from bayesdl.infer.lazy import Joined, Lazy
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
    assert isinstance(post["mu"], Lazy)
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


def test_predictions_read_a_piece_of_the_draws_at_a_time(
    tmp_path: Path, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And are those of the draws in memory, to the last bit."""
    post = bdl.fit(model, Y, **ASKED, store=tmp_path / "a")
    lengths: list[int] = []
    read = Lazy._read

    def watched(self: Any, chain: int, draws: slice, rest: Any) -> Any:
        lengths.append(draws.stop - draws.start)
        return read(self, chain, draws, rest)

    monkeypatch.setattr(Lazy, "_read", watched)
    np.testing.assert_array_equal(post.predict()["y"], whole.predict()["y"])
    found, expected = post.uncertainty()["y"], whole.uncertainty()["y"]
    np.testing.assert_array_equal(found.total, expected.total)
    assert 0 < max(lengths) <= 256


@pytest.mark.parametrize(
    "key",
    [
        slice(None),
        slice(5, 9),
        slice(1190, 1210),
        slice(1199, 3601),
        slice(7, 7),
        slice(4000, 9000),
        slice(None, None, 3),
        -1,
    ],
)
def test_chains_in_one_row_are_those_of_the_array(tmp_path: Path, whole: Any, key: Any) -> None:
    joined = bdl.fit(model, Y, **ASKED, store=tmp_path / "a").draws.flat()["mu"]
    assert isinstance(joined, Joined)
    np.testing.assert_array_equal(joined[key], whole.draws.flat()["mu"][key])


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
    with np.load(tmp_path / "b" / "state.npz") as state:
        assert "keeper.stored" in state


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


def _write_model(folder: Path) -> None:
    """The model of these tests as a module."""
    text = Path(__file__).read_text().split("@pytest.fixture")[0].split("def model")[1]
    (folder / "killed_model.py").write_text(
        "from typing import Any\nimport numpy as np\nimport bayesdl as bdl\n"
        f"from bayesdl import dist\ndef model{text}\n"
    )


def killed(tmp_path: Path, word: str, after: int, chunk: int) -> Path:
    """The store of a process, killed when min or max of its chains' draws was so many."""
    _write_model(tmp_path)
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
    assert f"{count} draws each of 4 of its 4 chains" in str(caught[0].message)
    np.testing.assert_array_equal(post["mu"], whole["mu"][:, :count])
    np.testing.assert_array_equal(post.draws.stats["lp"], whole.draws.stats["lp"][:, :count])
    assert post.latent == ("mu", "sigma")
    np.testing.assert_array_equal(post.predict(Y)["y"][0, :9], whole.thin(1).predict(Y)["y"][0, :9])
    post.summary()
    post.verdict()


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of other systems")
def test_a_store_without_whole_chunks_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="before any of its chains had written draws"):
        bdl.load(killed(tmp_path, "max", 1, 1200))


BOTH = """
import os, sys, time, numpy as np
sys.path.insert(0, sys.argv[2])
import bayesdl as bdl
from bayesdl.infer import checkpoint, run, store
import killed_model
store.CHUNK_DRAWS, store.FLUSH_SECONDS, run.CAPACITY = 200, 0.2, 100
checkpoint.Checkpoint.__init__.__defaults__ = (0.1,)
def wait_for_death(record):
    while record["done"] > float(sys.argv[3]) * record["total"]:
        time.sleep(1.0)
bdl.fit(killed_model.model, np.linspace(-1.0, 2.0, 9), draws=8000, tune=50, random_seed=4,
        progressbar=wait_for_death, store=sys.argv[1], checkpoint=sys.argv[2] + "/run")
"""


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of other systems")
def test_killed_with_a_store_and_a_checkpoint_the_draws_are_the_same(tmp_path: Path) -> None:
    """Five times, at moments from seed 3; what the store has is the beginning, each time."""
    _write_model(tmp_path)
    asked = {**ASKED, "draws": 8000}
    whole = bdl.fit(model, Y, **asked)
    paths = [str(tmp_path / "a"), str(tmp_path)]
    state, counts = tmp_path / "run" / "state.npz", []
    for i, seconds in enumerate(np.random.default_rng(3).uniform(0.0, 0.8, 5)):
        before = state.stat().st_mtime_ns if state.is_file() else 0
        process = subprocess.Popen([sys.executable, "-c", BOTH, *paths, str((i + 1) / 6)])
        while process.poll() is None and (
            not state.is_file() or state.stat().st_mtime_ns == before
        ):
            time.sleep(0.01)
        time.sleep(seconds)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        # The first may come in the warm-up.
        with warnings.catch_warnings(action="ignore"), suppress(ArgumentError):
            there = bdl.load(tmp_path / "a")
            among(there["mu"], whole["mu"])
            counts.append(there.draws.count)
    assert len(counts) >= 2
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]
    same(bdl.fit(model, Y, **asked, store=tmp_path / "a", checkpoint=tmp_path / "run"), whole)
    same(bdl.load(tmp_path / "a"), whole)


def test_a_folder_that_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="holds no run"):
        bdl.load(tmp_path)


def test_another_run_does_not_write_over_it(tmp_path: Path) -> None:
    bdl.fit(model, Y, **ASKED, store=tmp_path / "a")
    with pytest.raises(ArgumentError, match="exists already"):
        bdl.fit(model, Y, **ASKED, store=tmp_path / "a")


def among(found: Any, whole: Any) -> None:
    """Each chain is the beginning of one of the whole run's."""
    count = found.shape[1]
    assert count > 0
    assert all(any(np.array_equal(f, w[:count]) for w in whole) for f in np.asarray(found))


def seen(at: int, act: Any) -> Any:
    """A progress function that does something once, when all chains have so many draws."""
    done = []

    def look(record: dict[str, Any]) -> None:
        if min(record["drawn"]) >= at and not done:
            done.append(act())

    return look


def pieces(found: Any, whole: Any) -> None:
    """Each chain is a part of one of the whole run's chains, with the statistics of that part."""
    count = found["mu"].shape[1]
    assert count > 0
    for mu, lp in zip(np.asarray(found["mu"]), np.asarray(found.draws.stats["lp"]), strict=True):
        c, at = np.argwhere((whole["mu"] == mu[0]).all(-1))[0]
        np.testing.assert_array_equal(mu, whole["mu"][c, at : at + count])
        np.testing.assert_array_equal(lp, whole.draws.stats["lp"][c, at : at + count])


def test_a_folder_that_is_removed_ends_the_run_with_what_memory_has(
    tmp_path: Path, whole: Any
) -> None:
    remove = seen(410, lambda: shutil.rmtree(tmp_path / "a"))
    with pytest.raises(RunError, match="the folder of the store is gone") as caught:
        bdl.fit(model, Y, **{**ASKED, "progressbar": remove}, store=tmp_path / "a", cores=1)
    assert caught.value.code == "S120"
    assert not (tmp_path / "a").exists()
    kept: Any = caught.value.posterior
    assert isinstance(kept["mu"], np.ndarray)
    pieces(kept, whole)
    kept.summary()


def test_a_folder_that_lost_a_site_is_not_made_anew(tmp_path: Path, whole: Any) -> None:
    site = tmp_path / "a" / "posterior" / "mu"
    remove = seen(410, lambda: shutil.rmtree(site))
    with pytest.raises(RunError, match="the folder of the store is gone") as caught:
        bdl.fit(model, Y, **{**ASKED, "progressbar": remove}, store=tmp_path / "a", cores=1)
    assert not site.exists()
    pieces(caught.value.posterior, whole)


def test_draws_of_a_folder_that_is_gone_are_no_fill_values(tmp_path: Path) -> None:
    post = bdl.fit(model, Y, **ASKED, store=tmp_path / "a")
    shutil.rmtree(tmp_path / "a")
    with pytest.raises(ArgumentError, match="the folder of these draws is gone"):
        post["mu"][:, 0]


def test_a_full_disk_keeps_what_is_written_and_what_is_not(tiny: Path, whole: Any) -> None:
    asked = {**ASKED, "draws": 4000}
    with pytest.raises(RunError, match="could not go on") as caught:
        bdl.fit(model, Y, **asked, store=tiny / "a", cores=1, max_disk=1e9)
    assert "No space left" in str(caught.value)
    kept: Any = caught.value.posterior
    count = kept["mu"].shape[1]
    assert 0 < count < 4000
    everything = bdl.fit(model, Y, **asked)
    np.testing.assert_array_equal(kept["mu"], everything["mu"][:, :count])
    np.testing.assert_array_equal(kept.draws.stats["lp"], everything.draws.stats["lp"][:, :count])
    # What memory had besides is more than the disk has.
    with pytest.warns(RuntimeWarning, match="did not end"):
        there = bdl.load(tiny / "a", model)
    assert 0 < there.draws.count < count
    pieces(there, everything)


def full_after(chunks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full when so many chunks have been written."""
    real, written = disk.Store._put, []

    def full(self: disk.Store, *args: Any) -> None:
        if len(written) >= chunks:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(args[0])
        real(self, *args)

    monkeypatch.setattr(disk.Store, "_put", full)


def test_whole_chunks_of_some_chains_are_opened(
    tmp_path: Path, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_after(2, monkeypatch)
    with pytest.raises(RunError, match="No space left") as caught:
        bdl.fit(model, Y, **ASKED, store=tmp_path / "a", cores=1)
    kept: Any = caught.value.posterior
    # Two chains have a chunk on disk, and each has its last draws in memory.
    assert kept["mu"].shape[1] >= 200
    pieces(kept, whole)
    part = slice(150, None, 7)
    np.testing.assert_array_equal(kept["mu"][:, part], np.asarray(kept["mu"])[:, part])
    np.testing.assert_array_equal(kept["mu"].columns(1, 2), np.asarray(kept["mu"])[:, :, 1:])
    with pytest.warns(RuntimeWarning, match="200 draws each of 2 of its 4 chains"):
        there = bdl.load(tmp_path / "a")
    assert there["mu"].shape == (2, 200, 2)
    pieces(there, whole)


def test_the_last_draws_that_the_disk_does_not_take_end_the_run(
    tmp_path: Path, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All whole chunks fit, 5 of each chain, and what follows them does not."""
    full_after(20, monkeypatch)
    with pytest.raises(RunError, match="No space left") as caught:
        bdl.fit(model, Y, **{**ASKED, "draws": 1100}, store=tmp_path / "a")
    kept: Any = caught.value.posterior
    assert kept["mu"].shape == (4, 1100, 2)
    for name in ("mu", "sigma"):
        np.testing.assert_array_equal(kept[name], whole[name][:, :1100])


def test_a_disk_that_is_full_behind_the_last_draw_says_so(
    tmp_path: Path, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Any, path: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(bdl.Posterior, "complete", full)
    with pytest.raises(RunError, match="what belongs to them") as caught:
        bdl.fit(model, Y, **ASKED, store=tmp_path / "a")
    same(caught.value.posterior, whole)
    with pytest.warns(RuntimeWarning, match="1200 draws each of 4 of its 4 chains"):
        same(bdl.load(tmp_path / "a"), whole)


def test_looking_on_leaves_no_mark_of_an_end(tmp_path: Path, whole: Any) -> None:
    looks: list[Any] = []
    go = threading.Event()

    def look() -> None:
        looks.append(True)
        assert go.wait(60.0)

    asked = {**ASKED, "progressbar": seen(500, look)}
    run: Any = bdl.fit(model, Y, **asked, store=tmp_path / "a", blocking=False, cores=1)
    while not looks:
        time.sleep(0.01)
    so_far = run.inspect()
    shutil.copytree(tmp_path / "a", tmp_path / "as-if-killed")
    go.set()
    same(run.wait(), whole)
    count = so_far["mu"].shape[1]
    assert count >= 500
    np.testing.assert_array_equal(so_far["mu"], whole["mu"][:, :count])
    with pytest.warns(RuntimeWarning, match="did not end: 400 draws"):
        bdl.load(tmp_path / "as-if-killed")
    same(bdl.load(tmp_path / "a"), whole)


def test_a_run_that_goes_on_is_no_ended_one(tmp_path: Path, whole: Any) -> None:
    """Stopped by hand, taken up, and killed: the marks of its first end are gone."""

    def stop() -> None:
        raise KeyboardInterrupt

    paths = {"store": tmp_path / "a", "checkpoint": tmp_path / "b"}
    with pytest.warns(RuntimeWarning, match="stopped by hand"):
        bdl.fit(model, Y, **{**ASKED, "progressbar": seen(250, stop)}, **paths, cores=1)
    bdl.load(tmp_path / "a")
    copy = seen(650, lambda: shutil.copytree(tmp_path / "a", tmp_path / "as-if-killed"))
    same(bdl.fit(model, Y, **{**ASKED, "progressbar": copy}, **paths, cores=1), whole)
    with pytest.warns(RuntimeWarning, match="did not end: 600 draws"):
        there = bdl.load(tmp_path / "as-if-killed")
    np.testing.assert_array_equal(there["mu"], whole["mu"][:, :600])


def test_draws_go_to_the_disk_after_some_seconds_too(
    tmp_path: Path, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if ten seconds passed between any two blocks: a chunk of all draws is written in parts."""
    monkeypatch.setattr(disk, "CHUNK_DRAWS", 1200)
    monkeypatch.setattr(disk, "FLUSH_SECONDS", 0.0)
    copy = seen(300, lambda: shutil.copytree(tmp_path / "a", tmp_path / "as-if-killed"))
    same(bdl.fit(model, Y, **{**ASKED, "progressbar": copy}, store=tmp_path / "a", cores=1), whole)
    same(bdl.load(tmp_path / "a"), whole)
    with pytest.warns(RuntimeWarning, match="did not end"):
        there = bdl.load(tmp_path / "as-if-killed")
    assert there.draws.count >= 300
    np.testing.assert_array_equal(there["mu"], whole["mu"][:, : there.draws.count])


def test_a_byte_of_a_large_chunk_is_written_ten_times_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "CHUNK_DRAWS", 1000)
    monkeypatch.setattr(disk, "FLUSH_SECONDS", 0.0)
    monkeypatch.setattr(disk, "PART_BYTES", 0)
    real, written = disk.Store._put, []

    def put(self: disk.Store, chain: int, at: int, positions: Any, stats: Any) -> None:
        written.append(len(positions))
        real(self, chain, at, positions, stats)

    monkeypatch.setattr(disk.Store, "_put", put)
    types = {"x": ArrayType((2,), np.dtype(np.float64))}
    lag, asked = [], (tmp_path / "a", lambda p: {"x": p}, types, {}, (1, 2000), "a run", {})
    store = disk.Store(*asked)
    draws = np.arange(4000.0).reshape(2000, 2)
    for at in range(2000):
        store.append(0, at, draws[at : at + 1], {})
        part = at + 1 - store._stored[0]
        lag.append((at + 1 - store._told[0]) / max(part, 1))
    assert sum(written) < 10 * 2000
    assert max(lag) <= 1 / 9
    store.end([0], 2000, broken=False)
    np.testing.assert_array_equal(store.collect([0], 2000)[0]["x"][0], draws)


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
