"""A run that was killed goes on from its folder, to the same bits."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist
from bayesdl._base.errors import ArgumentError, RunError
from bayesdl.infer import checkpoint as folder

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


def killed(tmp_path: Path, path: Path, seconds: float, part: float, asked: dict[str, Any]) -> int:
    """Start the run, kill it so many seconds after its first write; the iterations on the disk.

    Having done some part of them all, it waits to be killed.
    """
    before = len(list(path.glob("0*.npz")))
    text = Path(__file__).read_text().split("Y = np.linspace")[0].split("def model")[1]
    (tmp_path / "kill_model.py").write_text(
        "from typing import Any\nimport numpy as np\nimport bayesdl as bdl\n"
        f"from bayesdl import dist\ndef model{text}\nY = np.linspace(-1.0, 2.0, 9)\n"
    )
    script = SCRIPT.format(tests=str(tmp_path), path=str(path), part=part, asked=asked)
    process = subprocess.Popen([sys.executable, "-c", script])
    while process.poll() is None and len(list(path.glob("0*.npz"))) == before:
        time.sleep(0.01)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    with np.load(max(path.glob("0*.npz"))) as last:
        return int(sum(last[f"{chain}.at"][0] for chain in range(asked["chains"])))


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
