"""What a bench cannot do is refused before anything is measured, with no line of ours."""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

import pytest

from bayesdl._base.errors import ArgumentError
from bayesdl.bench.asked import chosen_peers, require_picture, require_writable
from bayesdl.bench.uci_sets import SETS
from bayesdl.cli import main


@pytest.fixture
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on whoever starts a process fails."""

    def fail(*args: object, **settings: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "run", fail)


@pytest.mark.usefixtures("nothing_runs")
@pytest.mark.parametrize(
    ("asked", "headline", "code"),
    [
        ("gradients --peers pymc", "there is no peer of this bench 'pymc'.", "A110"),
        ("coldstart --peers jax", "there is no peer of this bench 'jax'.", "A110"),
        ("sampling --peers nutpy", "there is no peer of this bench 'nutpy'.", "A110"),
        ("training --peers torchy", "there is no peer of this bench 'torchy'.", "A110"),
        ("gradients --dtype float16", "there is no dtype 'float16'.", "A110"),
        ("training --dtype float16", "there is no dtype 'float16'.", "A110"),
        ("gradients --models nope", "there is no bench model 'nope'.", "A110"),
        ("sampling --models nope", "there is no bench model 'nope'.", "A110"),
        (
            "gradients --scaling --models gaussian",
            "there is no bench model that scales 'gaussian'.",
            "A110",
        ),
        ("training --nets nope", "there is no net of this bench 'nope'.", "A110"),
        ("training --methods nope", "there is no method of this bench 'nope'.", "A110"),
        ("posteriors --data . --names nope", "there is no posterior 'nope'.", "A110"),
        (
            "posteriors --data . --names arK-arK",
            "there are no reference draws",
            "A113",
        ),
        ("uci --data . --sets nope", "there is no set 'nope'.", "A110"),
        ("uci --data . --methods nope", "there is no method 'nope'.", "A110"),
        ("uci --data . --cores 0", "--cores must be at least 1.", "A122"),
        ("gradients --rounds 0", "--rounds must be at least 1.", "A122"),
        ("gradients --repeats 0", "--repeats must be at least 1.", "A122"),
        ("gradients --scaling --cores 0", "--cores must be at least 1.", "A122"),
        ("coldstart --rounds 0", "--rounds must be at least 1.", "A122"),
        ("compile --rounds -1", "--rounds must be at least 1.", "A122"),
        ("sampling --rounds 0", "--rounds must be at least 1.", "A122"),
        ("sampling --draws 3", "--draws must be at least 4.", "A122"),
        ("sampling --tune -1", "--tune must be at least 0.", "A122"),
        ("posteriors --data . --rounds 0", "--rounds must be at least 1.", "A122"),
        ("training --repeats 0", "--repeats must be at least 1.", "A122"),
        ("training --seconds 0", "--seconds must be at least 0.001.", "A122"),
        ("training --seconds nan", "--seconds must be at least 0.001.", "A122"),
        *(
            (f"{bench} --json /nowhere/x.json", "the file of --json cannot be written.", "A122")
            for bench in ("gradients", "coldstart", "compile", "sampling", "training")
        ),
        ("posteriors --data . --json /nowhere/x", "the file of --json cannot be written.", "A122"),
        ("uci --data . --json /nowhere/x", "the file of --json cannot be written.", "A122"),
        ("gradients --plot /nowhere/x.png", "the file of --plot cannot be written.", "A122"),
        ("gradients --plot x.nope", "there is no kind of picture 'nope'.", "A110"),
    ],
)
def test_refused_at_once(
    asked: str, headline: str, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *asked.split()]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"ArgumentError: {headline}")
    assert printed.err.endswith(f"  [{code}]\n")
    assert "\n  At " not in printed.err


@pytest.mark.usefixtures("nothing_runs")
@pytest.mark.parametrize("peers", ["none", ""])
def test_no_peers_can_be_asked_for(peers: str) -> None:
    assert chosen_peers(argparse.Namespace(peers=peers, peers_python="python"), ["jax"]) == []


def test_what_can_be_written_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.json").write_text("[]")
    for path in (None, "new.json", "old.json", str(tmp_path / "new.json")):
        require_writable(argparse.Namespace(json=path), "json")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["old.json"]
    with pytest.raises(ArgumentError, match="cannot be written"):
        require_writable(argparse.Namespace(json=str(tmp_path)), "json")


def test_pictures_that_matplotlib_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (None, "x.png", "x.PDF", "without_ending"):
        require_picture(path)
    monkeypatch.setattr("bayesdl.bench.asked.find_spec", lambda name: None)
    with pytest.raises(ArgumentError, match="--plot needs matplotlib") as caught:
        require_picture("x.png")
    assert caught.value.code == "A103"


def test_a_set_is_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    known = next(iter(SETS))
    assert main(["bench", "uci", "--data", ".", "--sets", known + "x"]) == 2
    assert f"Fix: did you mean {known!r}?" in capsys.readouterr().err
