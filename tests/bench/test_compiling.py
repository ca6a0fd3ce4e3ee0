"""`bayesdl bench compile`: what it compiles is as large as it says, and its stages add up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bayesdl.bench import compiling, process
from bayesdl.bench.compiling import by_stage
from bayesdl.cli import main
from bayesdl.model.density import build_density


def test_stages_add_up_to_the_whole() -> None:
    timings = {"simplify": 1.0, "tile": 0.5, "emit": 2.0, "optimise": 3.0, "link": 0.25}
    found = by_stage({**timings, "trace": 99.0, "derive": 99.0}, 8.0)
    assert found == {"whole": 8.0, "trace": 1.25, "passes": 1.5, "emit": 2.0, "LLVM": 3.25}


def test_scalar_sites_are_as_many_as_asked_for() -> None:
    assert build_density(compiling.scalar_sites, (7,), {}).dim == 7


def test_command_prints_each_size(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    small = {name: (made, 8) for name, (made, _) in compiling.CASES.items()}
    monkeypatch.setattr(compiling, "CASES", small)
    file = tmp_path / "figures.json"
    assert main(["bench", "compile", "--json", str(file)]) == 0
    text = capsys.readouterr().out
    assert "compilation of a log density and its gradient" in text
    runs = json.loads(file.read_text())["runs"]
    assert [(r["case"], r["size"]) for r in runs] == [
        (case, size) for case in ("scalar_sites", "recursion") for size in (2, 4, 8)
    ]
    for case in ("scalar_sites", "recursion"):
        sizes = [r["equations"] for r in runs if r["case"] == case]
        assert sizes[0] < sizes[1] < sizes[2]
    for r in runs:
        stages = sum(v for k, v in r["seconds"].items() if k != "whole")
        assert stages == pytest.approx(r["seconds"]["whole"])


def test_a_failure_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "compile_bayesdl.py").write_text("raise SystemExit('no compiler today')")
    monkeypatch.setattr(process, "SCRIPTS", tmp_path)
    assert main(["bench", "compile"]) == 2
    assert "no compiler today" in capsys.readouterr().err
