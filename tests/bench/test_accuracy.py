"""`bayesdl bench posteriors`: what is right passes, what is wrong without a warning does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import norm

import bayesdl as bdl
from bayesdl import dist
from bayesdl.bench import accuracy, reference
from bayesdl.bench.accuracy import Judged, verdict
from bayesdl.cli import main


@bdl.model
def standard() -> None:
    """A posterior that is known."""
    bdl.sample("x", dist.Normal(0.0, 1.0))


def known(shift: float) -> dict[str, float]:
    """Of a normal distribution with unit scale, as if from 10 000 draws."""
    quantiles = {f"q{100 * p:g}": shift + norm.ppf(p) for p in (0.05, 0.5, 0.95)}
    errors = {"mcse_mean": 0.01, "mcse_sd": 0.007, "ess_bulk": 1e4, "ess_tail": 1e4}
    return {"mean": shift, "sd": 1.0, **quantiles, **errors}


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_command_judges(
    shift: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Five |z| < 4 of right draws: false-alarm rate 3e-4 with fresh seeds; they are 1 and 2."""
    for module in (accuracy, reference):
        monkeypatch.setattr(module, "POSTERIORS", {"standard": lambda data: (standard, ())})
    folder = tmp_path / "posteriordb" / "standard"
    folder.mkdir(parents=True)
    (folder / "data.json").write_text("{}")
    (folder / "reference.json").write_text(json.dumps({"parameters": {"x": known(shift)}}))
    stan = {"standard": {"ess_bulk_min_per_1000_grad": 1.0}}
    (folder.parent / "stan_nuts.json").write_text(json.dumps(stan))
    file = tmp_path / "figures.json"
    asked = ["bench", "posteriors", "--data", str(tmp_path), "--draws", "500", "--tune", "300"]
    status = main([*asked, "--rounds", "2", "--json", str(file)])
    text = capsys.readouterr().out
    (found,) = json.loads(file.read_text())["runs"]
    assert status == (shift > 0.0)
    assert ("WRONG without a warning: standard" in text) == (shift > 0.0)
    assert "geometric mean" in text
    assert found["ratio"] == found["efficiency"] > 1.0
    assert list(found["z"]) == [f"x {word}" for word in ("mean", "sd", "q5", "q50", "q95")]
    assert abs(found["z"][found["at"]]) == found["worst"]
    assert ("|z| >= 3: standard: x " in text) == (shift > 0.0)


def one(
    worst: float, warned: bool, stan: float | None = None, z: dict[str, float] | None = None
) -> Any:
    return Judged("x", worst, "mu mean", 1.0, 0, warned, 1.0, 1e3, 10.0, stan, z or {})


def test_every_quantity_that_is_far_off_is_named() -> None:
    """The farthest first, whatever its sign; NaN is far."""
    z = {"a mean": 1.0, "a sd": 3.1, "b mean": -4.2, "b q5": float("nan"), "c q95": 2.9}
    lines = verdict([one(4.2, False, z=z), one(1.0, False, z={"a mean": 0.1})])
    assert lines[0].startswith("|z| >= 3: x: ")
    assert {"a sd +3.1", "b mean -4.2", "b q5 +nan"} == set(lines[0][13:].split(", "))
    assert lines[0].index("b mean") < lines[0].index("a sd")
    assert lines[1] == "|z| >= 3: 3 of 6 statistics, 0.27 % by chance alone"


def test_a_warning_excuses_and_nan_does_not() -> None:
    assert not one(5.0, warned=True).wrong
    assert one(5.0, warned=False).wrong
    assert one(float("nan"), warned=False).wrong


def test_ratios_are_of_those_that_stan_has() -> None:
    assert one(1.0, False).ratio is None
    lines = verdict([one(1.0, False, 5.0), one(1.0, False, 20.0), one(1.0, False)])
    assert lines[-1].endswith("geometric mean 1.00, at least 1 on 1 of 2")
