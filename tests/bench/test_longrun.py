"""`bayesdl bench longrun`: rates from made-up points, and both runs in small."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bayesdl.bench import process
from bayesdl.bench.longrun import measured, tenths
from bayesdl.cli import main

REST = {"whole_seconds": 1.0, "peak_mb": 2.0, "draws_mb": 3.0}


def test_a_steady_run_is_steady_whatever_else_the_machine_does() -> None:
    """A hundred draws for each second of work, of which there are two a second, later one."""
    seen = [(0.0, 0.0, 0), (10.0, 15.0, 0), (30.0, 50.0, 4)]
    seen += [(30.0 + i, 50.0 + 2.0 * i, 4 + 200 * i) for i in range(1, 26)]
    seen += [(55.0 + i, 100.0 + i, 5004 + 100 * i) for i in range(1, 51)]
    found = measured("schools", 10_004, {"seen": seen, **REST})
    assert found.rates == pytest.approx([200.0] * 5 + [100.0] * 5)
    assert found.work_rates == pytest.approx([100.0] * 10)
    assert found.steadiness == pytest.approx(1.0)
    assert tenths([found])[1] == f"schools, by work, by tenths: {', '.join(['100'] * 10)}"


def test_a_run_that_slows_down_is_not() -> None:
    """Its last tenth at a quarter of the rate."""
    seen = [(0.0, 0.0, 0), (1.0, 2.0, 100), (10.0, 20.0, 1000), (14.0, 28.0, 1100)]
    found = measured("schools", 1100, {"seen": seen, **REST})
    assert found.rates[:9] == pytest.approx([100.0] * 9)
    assert found.steadiness == pytest.approx(0.25)


def test_a_run_of_one_block_has_the_rate_of_that_block() -> None:
    seen = [(0.0, 0.0, 0), (1.0, 1.0, 0), (3.0, 5.0, 400)]
    found = measured("schools", 400, {"seen": seen, **REST})
    assert found.rates == pytest.approx([200.0] * 10)
    assert found.work_rates == pytest.approx([100.0] * 10)


@pytest.mark.slow
def test_command_runs_in_small(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.json"
    asked = ["bench", "longrun", "--part", "0.01", "--folder", str(tmp_path), "--json", str(file)]
    assert main(asked) == 0
    text = capsys.readouterr().out
    schools, network = json.loads(file.read_text())["runs"]
    assert (schools["draws"], network["draws"]) == (10_000, 1_000)
    assert network["draws_mb"] == pytest.approx(1_000 * 10_193 * 4 / 1e6)
    assert all(len(one["work_rates"]) == 10 for one in (schools, network))
    assert "network, by work, by tenths: " in text
    assert list(tmp_path.iterdir()) == [file]


def test_a_run_that_fails_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "longrun_bayesdl.py").write_text("raise MemoryError('full')")
    monkeypatch.setattr(process, "SCRIPTS", tmp_path)
    assert main(["bench", "longrun", "--runs", "schools"]) == 1
    assert "schools failed: MemoryError: full" in capsys.readouterr().out
