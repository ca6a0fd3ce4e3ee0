"""A run that was killed goes on from its folder, to the same bits."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist
from bayesdl._base.errors import ArgumentError, RunError
from bayesdl.infer import checkpoint as folder
from bayesdl.infer.chain import Report, Snapshot
from bayesdl.infer.keep import Positions
from bayesdl.ir.types import ArrayType

SITE = ArrayType((500_000,), np.dtype(np.float64))
QUIET: dict[str, Any] = {"random_seed": 7, "progressbar": False}


def model(y: Any) -> None:
    mu = bdl.sample("mu", dist.Normal(0.0, 2.0))
    sigma = bdl.sample("sigma", dist.HalfNormal(1.0))
    bdl.observe("y", dist.Normal(mu, sigma).expand((y.shape[0],)), y)


Y = np.linspace(-1.0, 2.0, 9)


def digest(post: Any) -> str:
    groups = (post.draws.values, post.draws.stats)
    content = b"".join(group[name].tobytes() for group in groups for name in sorted(group))
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every block is written, as if two seconds had passed."""
    monkeypatch.setattr(folder.Checkpoint.__init__, "__defaults__", (0.0,))


def stop_after(count: int) -> Any:
    def interrupt(record: dict[str, Any]) -> None:
        if record["done"] > count:
            raise KeyboardInterrupt

    return interrupt


@pytest.mark.parametrize("settings", [{}, {"thin": 3}, {"cores": 1}])
def test_a_run_stopped_by_hand_goes_on_to_the_same_bits(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    asked = {"draws": 300, "tune": 100, "chains": 2, **settings}
    whole = bdl.fit(model, Y, **asked, **QUIET)
    path = tmp_path / "run"
    with pytest.warns(RuntimeWarning, match="stopped by hand"):
        bdl.fit(model, Y, **asked, random_seed=7, progressbar=stop_after(400), checkpoint=path)
    assert digest(bdl.fit(model, Y, **asked, **QUIET, checkpoint=path)) == digest(whole)


def test_a_finished_run_returns_without_a_step(tmp_path: Path) -> None:
    asked = {"draws": 30, "tune": 30, "chains": 2, "checkpoint": tmp_path / "run"}
    first = bdl.fit(model, Y, **asked, **QUIET)
    records: list[Any] = []
    again = bdl.fit(model, Y, **asked, random_seed=7, progressbar=records.append)
    assert digest(again) == digest(first)
    assert records == []


@pytest.mark.parametrize("stop", [500, 2_900])
def test_an_optimisation_goes_on_too(tmp_path: Path, stop: int) -> None:
    asked: dict[str, Any] = {"method": "advi", "draws": 50, "tune": 6000}
    whole = bdl.fit(model, Y, **asked, **QUIET)
    with pytest.warns(RuntimeWarning, match="stopped by hand"):
        bdl.fit(
            model,
            Y,
            **asked,
            random_seed=7,
            progressbar=stop_after(stop),
            checkpoint=tmp_path / "run",
        )
    again = bdl.fit(model, Y, **asked, **QUIET, checkpoint=tmp_path / "run")
    assert again.draws.attrs["optimisation_steps"] == whole.draws.attrs["optimisation_steps"]
    assert digest(again) == digest(whole)


def test_a_run_without_a_seed_goes_on_with_the_one_that_it_took(tmp_path: Path) -> None:
    asked = {"draws": 30, "tune": 30, "chains": 1, "checkpoint": tmp_path / "run"}
    first = bdl.fit(model, Y, **asked, progressbar=False)
    assert digest(bdl.fit(model, Y, **asked, progressbar=False)) == digest(first)


@pytest.mark.parametrize(
    ("change", "row"),
    [({"draws": 31}, "draws"), ({"target_accept": 0.9}, "target_accept"), ({"thin": 2}, "thin")],
)
def test_another_run_is_refused_with_what_differs(
    tmp_path: Path, change: dict[str, Any], row: str
) -> None:
    asked = {"draws": 30, "tune": 30, "chains": 1, "checkpoint": tmp_path / "run"}
    bdl.fit(model, Y, **asked, **QUIET)
    with pytest.raises(ArgumentError, match="is of another run") as caught:
        bdl.fit(model, Y, **{**asked, **change}, **QUIET)
    assert row in [fact[0] for fact in caught.value.facts]


def test_other_data_and_seeds_are_refused(tmp_path: Path) -> None:
    asked = {"draws": 30, "tune": 30, "chains": 1, "checkpoint": tmp_path / "run"}
    bdl.fit(model, Y, **asked, **QUIET)
    with pytest.raises(ArgumentError, match="is of another run") as caught:
        bdl.fit(model, Y + 1.0, **asked, **QUIET)
    assert "data" in [fact[0] for fact in caught.value.facts]
    with pytest.raises(ArgumentError, match="is of another run") as caught:
        bdl.fit(model, Y, **asked, random_seed=8, progressbar=False)
    assert "seed" in [fact[0] for fact in caught.value.facts]


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("all of it")
    with pytest.raises(ArgumentError, match="holds other files"):
        bdl.fit(model, Y, draws=10, tune=10, checkpoint=tmp_path, **QUIET)
    assert os.listdir(tmp_path) == ["thesis.tex"]


@pytest.mark.parametrize("fatal", [errno.ENOSPC, errno.EROFS, errno.ENOENT])
def test_a_disk_that_takes_no_more_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fatal: int
) -> None:
    asked = {"draws": 2000, "tune": 50, "chains": 2}
    whole = bdl.fit(model, Y, **asked, **QUIET)
    real, calls = folder.write_whole, []

    def full(path: str, content: bytes) -> None:
        if b".draw." in content:
            calls.append(path)
        if len(calls) > 2:
            raise OSError(fatal, os.strerror(fatal), path)
        real(path, content)

    monkeypatch.setattr(folder, "write_whole", full)
    with pytest.raises(RunError, match="could not go on") as caught:
        bdl.fit(model, Y, **asked, **QUIET, checkpoint=tmp_path / "run")
    assert os.strerror(fatal) in str(caught.value)
    kept: Any = caught.value.posterior
    count = kept["mu"].shape[1]
    assert count > 0
    assert any(np.array_equal(kept["mu"][0], chain[:count]) for chain in whole["mu"])
    monkeypatch.setattr(folder, "write_whole", real)
    assert digest(bdl.fit(model, Y, **asked, **QUIET, checkpoint=tmp_path / "run")) == digest(whole)


def test_a_disk_that_is_full_and_made_larger_loses_nothing(tiny: Path) -> None:
    asked = {"draws": 2000, "tune": 50, "chains": 2, **QUIET}
    whole = bdl.fit(model, Y, **asked)
    with pytest.raises(RunError, match="No space left on device") as caught:
        bdl.fit(model, Y, **asked, checkpoint=tiny / "run")
    kept: Any = caught.value.posterior
    count = kept["mu"].shape[1]
    assert count > 0
    assert all(any(np.array_equal(k, w[:count]) for w in whole["mu"]) for k in kept["mu"])
    assert not list((tiny / "run").glob("*.part"))
    subprocess.run(["mount", "-o", "remount,size=64m", str(tiny)], check=True)
    assert digest(bdl.fit(model, Y, **asked, checkpoint=tiny / "run")) == digest(whole)


def test_a_folder_that_is_removed_ends_the_run_with_its_draws(tmp_path: Path) -> None:
    asked = {"draws": 2000, "tune": 50, "chains": 2, "random_seed": 7}
    whole = bdl.fit(model, Y, **asked, progressbar=False)

    def remove(record: dict[str, Any]) -> None:
        if min(record["drawn"]) > 200:
            shutil.rmtree(tmp_path / "run", ignore_errors=True)

    with pytest.raises(RunError, match="No such file") as caught:
        bdl.fit(model, Y, **asked, progressbar=remove, checkpoint=tmp_path / "run")
    kept: Any = caught.value.posterior
    count = kept["mu"].shape[1]
    assert count > 200
    assert all(any(np.array_equal(k, w[:count]) for w in whole["mu"]) for k in kept["mu"])


def test_states_stand_in_one_file_and_reports_have_none(tmp_path: Path) -> None:
    bdl.fit(model, Y, draws=2000, tune=50, chains=2, **QUIET, checkpoint=tmp_path / "run")
    names = sorted(p.name for p in (tmp_path / "run").iterdir())
    numbers = [n for n in names if n[0] == "0"]
    assert len(numbers) > 3
    assert set(names) - set(numbers) == {folder.RUN, folder.STATE}
    for name in numbers:
        with np.load(tmp_path / "run" / name) as found:
            assert not [key for key in found.files if ".leaf." in key]


def test_large_states_are_written_less_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reports do not count: each is written once."""
    monkeypatch.setattr(folder.Checkpoint.__init__, "__defaults__", (2.0,))
    monkeypatch.setattr(folder, "PAUSE", 0.0)
    report = Report(0, np.zeros((10, 500_000)), {}, 1.0)
    for size, seconds in ((1000, 2.0), (5_000_000, 8.0)):
        found = folder.Checkpoint(tmp_path / str(size), {})
        found.note(0, [report], with_draws=True)
        chain: Any = SimpleNamespace(here=Snapshot((np.zeros(size),), 3, 2))
        found.write(
            [chain], Positions(SimpleNamespace(position_type=SITE, info_types={})), now=True
        )
        assert seconds - 0.5 < found._next - time.monotonic() <= seconds + 0.5


@pytest.mark.parametrize("name", ["00000002.npz", "state.npz", "00000001.npz"])
def test_a_file_that_is_missing_is_told_of(tmp_path: Path, name: str) -> None:
    asked = {"draws": 2000, "tune": 50, "chains": 2, **QUIET, "checkpoint": tmp_path / "run"}
    bdl.fit(model, Y, **asked)
    (tmp_path / "run" / name).unlink()
    with pytest.raises(ArgumentError, match=f"its file {name} is missing") as caught:
        bdl.fit(model, Y, **asked)
    assert caught.value.code == "E124"


@pytest.mark.parametrize("name", ["00000002.npz", "state.npz", "run.json"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short"])
def test_a_file_that_is_damaged_is_told_of(tmp_path: Path, name: str, content: bytes) -> None:
    asked = {"draws": 2000, "tune": 50, "chains": 1, **QUIET, "checkpoint": tmp_path / "run"}
    bdl.fit(model, Y, **asked)
    (tmp_path / "run" / name).write_bytes(content)
    with pytest.raises(ArgumentError, match=f"its file {name} is missing or damaged"):
        bdl.fit(model, Y, **asked)


@pytest.mark.parametrize("last", [0, 3])
@pytest.mark.parametrize("file", ["number", "state"])
def test_a_process_that_ends_between_two_files_leaves_a_whole_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: int, file: str
) -> None:
    """The first write, or a later one, ends before its numbered file has a name, or its state."""
    asked = {"draws": 2000, "tune": 50, "chains": 2, **QUIET}
    whole = digest(bdl.fit(model, Y, **asked))
    real, calls = folder.write_whole, []

    def dies(path: str, content: bytes) -> None:
        state = path.endswith(folder.STATE)
        calls.append(state)
        if calls.count(True) > last and state == (file == "state"):
            Path(f"{path}.1.part").write_bytes(content)
            raise SystemExit
        real(path, content)

    monkeypatch.setattr(folder, "write_whole", dies)
    with pytest.raises(SystemExit):
        bdl.fit(model, Y, **asked, checkpoint=tmp_path / "run")
    monkeypatch.setattr(folder, "write_whole", real)
    assert digest(bdl.fit(model, Y, **asked, checkpoint=tmp_path / "run")) == whole
    assert not list((tmp_path / "run").glob("*.part"))


def test_what_else_a_process_has_loaded_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {"draws": 20, "tune": 20, "chains": 1, "checkpoint": tmp_path / "run"}
    whole = digest(bdl.fit(model, Y, **asked, **QUIET))
    import_module("scipy")
    assert digest(bdl.fit(model, Y, **asked, **QUIET)) == whole
    monkeypatch.delitem(sys.modules, "scipy")
    assert digest(bdl.fit(model, Y, **asked, **QUIET)) == whole


SCRIPT = """
import sys, time, numpy as np
sys.path.insert(0, {tests!r})
import bayesdl as bdl
from bayesdl.infer import checkpoint
import kill_model
checkpoint.Checkpoint.__init__.__defaults__ = (0.0,)

def wait_for_death(record):
    while record["done"] > {part} * record["total"]:
        time.sleep(1.0)

bdl.fit(kill_model.model, kill_model.Y, **{asked!r}, progressbar=wait_for_death,
        checkpoint={path!r})
"""


def written(path: Path) -> int:
    """When the state was last written, in nanoseconds; 0 before the first time."""
    return (path / folder.STATE).stat().st_mtime_ns if (path / folder.STATE).is_file() else 0


def killed(tmp_path: Path, path: Path, seconds: float, part: float, asked: dict[str, Any]) -> int:
    """Start the run, kill it so many seconds after its first write; the iterations on the disk.

    Having done some part of them all, it waits to be killed.
    """
    before = written(path)
    text = Path(__file__).read_text().split("Y = np.linspace")[0].split("def model")[1]
    (tmp_path / "kill_model.py").write_text(
        "from typing import Any\nimport numpy as np\nimport bayesdl as bdl\n"
        f"from bayesdl import dist\ndef model{text}\nY = np.linspace(-1.0, 2.0, 9)\n"
    )
    script = SCRIPT.format(tests=str(tmp_path), path=str(path), part=part, asked=asked)
    process = subprocess.Popen([sys.executable, "-c", script])
    while process.poll() is None and written(path) == before:
        time.sleep(0.01)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    with np.load(path / folder.STATE) as state:
        return int(sum(state[f"{chain}.at"][0] for chain in range(asked["chains"])))


def _survives(tmp_path: Path, kills: int, draws: int, seed: int) -> None:
    """What happened is printed: pytest shows it with -s."""
    waits = np.random.default_rng(seed).uniform(0.0, 0.5, kills)
    asked = {"draws": draws, "tune": 200, "chains": 4, "random_seed": 7}
    whole = digest(bdl.fit(model, Y, **asked, progressbar=False))
    path = tmp_path / "run"
    print(f"\nwithout a kill: SHA-256 {whole}")
    for i, seconds in enumerate(waits):
        there = killed(tmp_path, path, seconds, (i + 1) / (kills + 1), asked)
        print(f"kill {i + 1:2d}, {seconds:.3f} s after a write: {there} iterations on the disk")
    again = digest(bdl.fit(model, Y, **asked, progressbar=False, checkpoint=path))
    print(f"after {kills} kills: SHA-256 {again}")
    assert again == whole
    assert json.loads((path / folder.RUN).read_text())["method"] == "'nuts'"


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of other systems")
def test_killed_twice_at_random_moments_the_draws_are_the_same(tmp_path: Path) -> None:
    """Moments from seed 1."""
    _survives(tmp_path, 2, 30_000, seed=1)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of other systems")
def test_killed_ten_times_at_random_moments_the_draws_are_the_same(tmp_path: Path) -> None:
    """Moments from seed 2."""
    _survives(tmp_path, 10, 80_000, seed=2)
