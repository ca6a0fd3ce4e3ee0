"""`bayesdl bench coldstart` on made-up libraries."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bayesdl.bench import process
from bayesdl.bench.coldstart import Start, starts
from bayesdl.bench.process import Reply
from bayesdl.cli import main

# Says how often the folder of compiled objects was seen before.
FAKE = """
import json, os, sys
from pathlib import Path
asked = json.load(open(sys.argv[1]))
cache = Path(os.environ["BAYESDL_CACHE"]) / asked["case"]
seen = cache.exists()
cache.touch()
found = {"before_seconds": 1.0 if seen else 2.0, "sampling_seconds": 0.5, "gradients": 10,
         "largest_rhat": 1.001, "smallest_ess": 1234.0}
json.dump(found, open(sys.argv[2], "w"))
"""


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (scripts / "sampling_bayesdl.py").write_text(FAKE)
    (scripts / "sampling_numpyro.py").write_text("raise ValueError('no luck')")
    monkeypatch.setattr(process, "SCRIPTS", scripts)
    monkeypatch.setitem(process.NEEDS, "numpyro", ("json",))
    return tmp_path


def test_cold_is_an_empty_cache_and_warm_the_same_one_again(fakes: Path) -> None:
    cold, warm = starts("eight_schools", [], "python", 2, draws=1, tune=1)
    assert [r.found["before_seconds"] for r in cold.replies] == [2.0, 2.0]
    assert [r.found["before_seconds"] for r in warm.replies] == [1.0, 1.0]


def test_median_is_over_rounds_and_a_failure_leaves_none() -> None:
    rounds = [Reply(s, {"sampling_seconds": s / 2}) for s in (3.0, 1.0, 2.0)]
    start = Start("bayesdl, cold", "eight_schools", tuple(rounds))
    assert (start.median("whole"), start.median("sampling_seconds")) == (2.0, 1.0)
    assert start.phases() == ""
    failed = Start("x", "eight_schools", (*rounds, Reply(9.0, {}, "no luck")))
    assert failed.median("whole") is None
    assert failed.error == "no luck"


def test_phases_are_medians_in_the_order_they_were_told() -> None:
    rounds = [Reply(1.0, {"phases": {"load": s, "compile": 2 * s}}) for s in (0.3, 0.1, 0.2)]
    start = Start("bayesdl, warm", "eight_schools", tuple(rounds))
    assert start.phases() == "bayesdl, warm: load 0.20, compile 0.40 s"


def test_command_prints_and_writes(fakes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = fakes / "figures.json"
    asked = ["bench", "coldstart", "--rounds", "1", "--peers", "numpyro", "--json", str(file)]
    assert main(asked) == 0
    text = capsys.readouterr().out
    assert "bayesdl, warm" in text
    assert "numpyro failed: ValueError: no luck" in text
    runs = json.loads(file.read_text())["runs"]
    assert [r["case"] for r in runs] == ["eight_schools"] * 3 + ["network_two"] * 3
