"""`bayesdl bench gradients`: ratios, floors and agreement are what they say, on made-up figures."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from bayesdl.bench import process, scaling
from bayesdl.bench.floor import floor
from bayesdl.bench.gradients import (
    Measured,
    agreement,
    different,
    median_of,
    ratio_to_fastest,
    table,
    verdicts,
)
from bayesdl.bench.models import CASES
from bayesdl.bench.scaling import gradients_of
from bayesdl.cli import main
from bayesdl.infer.log_density import log_density

PEAK = {"float64": 2e10, "float32": 4e10, "cache": 4e10, "memory": 1e10}
FAKE = """
import json, sys
asked = json.load(open(sys.argv[1]))
one = {{"microseconds": {cost}, "spread": 0.0, "ready_seconds": 1.0, "difference": {difference},
       "gradient": [1.0, 2.0], "memory_mb": 3.0 if asked["memory"] else None}}
json.dump({{case: one for case in asked["cases"]}}, open(sys.argv[2], "w"))
"""


def measured(costs: dict[str, float], gradients: dict[str, list[float]] | None = None) -> Measured:
    gradients = gradients or {}
    found = {
        name: {
            "logistic": {
                "microseconds": cost,
                "difference": 3.0,
                "gradient": gradients.get(name, [1.0, 2.0]),
            }
        }
        for name, cost in costs.items()
    }
    return Measured("float64", ("logistic",), found, {}, PEAK, 3)


def test_ratio_is_to_the_fastest_peer() -> None:
    assert (
        ratio_to_fastest(measured({"bayesdl": 2.0, "jax": 5.0, "torch": 50.0}), "logistic") == 2.5
    )
    assert ratio_to_fastest(measured({"bayesdl": 2.0}), "logistic") is None


def test_floor_is_the_larger_of_arithmetic_and_traffic() -> None:
    work = CASES["gaussian"].work(100)
    assert floor("gaussian", "float64", PEAK) == pytest.approx(1e6 * work.numbers * 8 / 4e10)
    work = CASES["network_two"].work(455)
    assert floor("network_two", "float32", PEAK) == pytest.approx(1e6 * work.flops / 4e10)
    large = CASES["logistic"].work(10**6)
    assert floor("logistic", "float64", PEAK, 10**6) == pytest.approx(
        1e6 * large.numbers * 8 / 1e10
    )


def test_scaling_shows_bytes_and_bandwidth_of_the_floor() -> None:
    """Of a row of 26 numbers: 5.2 ns of a cache's 40 GB/s, or 20.8 of a memory's 10."""
    points = [
        scaling.Point("logistic", "bayesdl", n, cost, 1.0)
        for n, cost in ((1000, 18.0), (10**6, 4e4))
    ]
    near, far = scaling.scaling_table(points, "float64", PEAK).rows
    assert near[5:9] == pytest.approx([2.0, 9.0, 208.0, 40.0])
    assert far[5:9] == pytest.approx([4e4 / 20800.0, 20.8, 208.0, 10.0])


def test_another_gradient_is_seen() -> None:
    same = measured({"bayesdl": 1.0, "jax": 2.0})
    assert agreement(same, "logistic") == 0.0
    other = measured({"bayesdl": 1.0, "jax": 2.0}, {"jax": [1.0, 2.0 + 1e-6]})
    assert agreement(other, "logistic") == pytest.approx(1e-6 / math.sqrt(5.0))
    assert str(table(same)).splitlines()[3].endswith("yes")
    assert not str(table(other)).splitlines()[3].endswith("yes")
    broken = measured({"bayesdl": 1.0, "jax": 2.0}, {"jax": [1.0, math.nan]})
    assert agreement(broken, "logistic") == math.inf
    assert [different(m) for m in (same, other, broken)] == [[], ["logistic"], ["logistic"]]
    assert verdicts(other)[0] == "DIFFERENT results: logistic"
    assert different(measured({})) == []


def test_verdict_names_the_smallest_ratio() -> None:
    assert verdicts(measured({"bayesdl": 2.0, "jax": 5.0}))[-1] == (
        "geometric mean of the ratios 2.50; smallest 2.50 (logistic)"
    )


def test_median_is_over_rounds_and_a_failure_in_one_counts() -> None:
    rounds = [measured({"bayesdl": c, "jax": 9.0}) for c in (1.0, 5.0, 2.0)]
    assert ratio_to_fastest(median_of(rounds), "logistic") == 4.5
    failed = dataclasses.replace(measured({"bayesdl": 1.0}), failed={"jax": "no luck"})
    assert list(median_of([failed, *rounds]).found) == ["bayesdl"]


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.parametrize("name", ["bayesdl", "autograd"])
def test_real_scripts_report_what_the_model_computes(name: str) -> None:
    """The scripts of two libraries that the tests need anyway, in processes of their own."""
    case = CASES["eight_schools"]
    ours = log_density(case.model, *case.arguments())
    reply = gradients_of(name, ["eight_schools"], "float64", sys.executable, repeats=1)
    assert reply.error == ""
    found = reply.found["eight_schools"]
    value, gradient = ours.value_and_grad(case.position())
    np.testing.assert_allclose(found["gradient"], gradient, rtol=1e-9)
    assert found["difference"] == pytest.approx(value - ours(0.5 * case.position()), rel=1e-9)
    assert found["microseconds"] > 0.0


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Competitors of known cost instead of the libraries."""
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (scripts / "peak.py").write_text(
        f"import json, sys; json.dump({PEAK!r}, open(sys.argv[2], 'w'))"
    )
    (scripts / "gradients_bayesdl.py").write_text(FAKE.format(cost=2.0, difference=1.0))
    (scripts / "gradients_jax.py").write_text(FAKE.format(cost=8.0, difference=1.0))
    (scripts / "gradients_torch.py").write_text("raise SystemExit('torch is unwell')")
    monkeypatch.setattr(process, "SCRIPTS", scripts)
    monkeypatch.setitem(process.NEEDS, "jax", ("json",))
    monkeypatch.setitem(process.NEEDS, "torch", ("json",))
    monkeypatch.setitem(process.NEEDS, "autograd", ("no_such_library",))
    return tmp_path


def test_command_prints_and_writes(fakes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Fake peers: one that answers, one that fails, one that is not installed."""
    file = fakes / "figures.json"
    asked = ["bench", "gradients", "--models", "logistic,eight_schools", "--json", str(file)]
    assert main(asked) == 0
    text = capsys.readouterr().out
    assert "torch failed: torch is unwell" in text
    assert "geometric mean of the ratios 4.00" in text
    assert "autograd" not in text
    (run,) = json.loads(file.read_text())["runs"]
    assert run["found"]["jax"]["logistic"]["microseconds"] == 8.0


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("jax", FAKE.format(cost=8.0, difference=1.1)),
        ("bayesdl", "raise SystemExit('bayesdl is unwell')"),
    ],
)
def test_what_must_not_fail_is_the_exit_status(fakes: Path, name: str, text: str) -> None:
    (fakes / "scripts" / f"gradients_{name}.py").write_text(text)
    assert main(["bench", "gradients", "--models", "logistic", "--peers", "jax"]) == 1
    scaled = main(["bench", "gradients", "--scaling", "--models", "logistic", "--peers", "none"])
    assert scaled == int(name == "bayesdl")


def test_scaling_prints_and_draws(
    fakes: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(scaling.ROWS, "logistic", (100, 2000))
    file = fakes / "scaling.png"
    # 180 operations a row at 2e10 a second take longer than 208 bytes at 4e10: 18 µs in all.
    row = ["9.000", "208.0", "40.00"]
    near, far = f"{2.0 / 18.0:.3f}", f"{8.0 / 18.0:.3f}"
    asked = ["bench", "gradients", "--models", "logistic", "--plot", str(file), "--cores", "2"]
    assert main(asked) == 0
    text = capsys.readouterr().out
    assert "network_one" not in text
    assert "torch failed on logistic of 100 rows: torch is unwell" in text
    assert "torch failed on logistic of 2000 rows: torch is unwell" in text
    assert "against rows, float64, 2 core(s)" in text
    assert [line.split() for line in text.splitlines() if line.startswith("logistic  2000")] == [
        ["logistic", "2000", "bayesdl", "2.000", "1.00", near, *row, "1.000", "3.000"],
        ["logistic", "2000", "jax", "8.000", "4.00", far, *row, "4.000", "3.000"],
        ["logistic", "2000", "torch", "-", "-", "-", *row, "-", "-"],
    ]
    assert file.read_bytes().startswith(b"\x89PNG")


def test_an_unknown_model_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "gradients", "--models", "eight_schols"]) == 2
    error = capsys.readouterr().err
    assert "there is no bench model 'eight_schols'." in error
    assert "did you mean 'eight_schools'?" in error
