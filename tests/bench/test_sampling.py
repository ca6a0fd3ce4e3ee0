"""`bayesdl bench sampling`: rates and agreement, on made-up libraries and on bayesdl itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from bayesdl.bench import process
from bayesdl.bench.process import installed
from bayesdl.bench.samplers import SAMPLERS
from bayesdl.bench.sampling import Sampled, apart, sampled, verdict
from bayesdl.cli import main

# Independent normal draws with a shift, of seed 1.
FAKE = """
import json, sys
import numpy as np
asked = json.load(open(sys.argv[1]))
shape = asked["chains"], asked["draws"], asked["dim"]
draws = {shift} + np.random.default_rng(1).standard_normal(shape)
found = {{"before_seconds": 1.0, "sampling_seconds": {seconds}, "gradients": 5000,
         "positions": draws.tolist()}}
json.dump(found, open(sys.argv[2], "w"))
"""


def one(library: str, mean: float, ess: float = 100.0) -> Sampled:
    error = np.array([0.1])
    return Sampled("logistic", library, 3.0, 1.0, 10, ess, ess, 1.0, np.array([mean]), error)


def test_apart_is_in_standard_errors_of_both() -> None:
    assert apart(one("bayesdl", 0.0), one("jax", 0.3)) == pytest.approx(0.3 / np.sqrt(0.02))


def test_verdict_is_over_the_fastest_peer() -> None:
    found = [one("bayesdl", 0.0, 400.0), one("pymc", 0.0, 100.0), one("nutpie", 0.0, 200.0)]
    lines = verdict(found)
    assert "of sampling, over the fastest peer: geometric mean 2.00" in lines[0]
    assert "of the whole process" in lines[1]
    assert found[0].rate() == 400.0
    assert found[0].rate(whole=True) == 100.0
    assert verdict(found[:1]) == []


def test_command_compares_and_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A peer whose means are shifted by 1 is far away in |z|; one that fails is named."""
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (scripts / "sampling_bayesdl.py").write_text(FAKE.format(shift=0.0, seconds=1.0))
    (scripts / "sampling_numpyro.py").write_text(FAKE.format(shift=1.0, seconds=4.0))
    (scripts / "sampling_pymc.py").write_text("raise ValueError('no luck')")
    monkeypatch.setattr(process, "SCRIPTS", scripts)
    for name in ("numpyro", "pymc"):
        monkeypatch.setitem(process.NEEDS, name, ("json",))
    file = tmp_path / "figures.json"
    asked = ["bench", "sampling", "--models", "eight_schools", "--draws", "200"]
    assert main([*asked, "--peers", "numpyro,pymc", "--json", str(file)]) == 0
    text = capsys.readouterr().out
    assert "pymc failed: ValueError: no luck" in text
    assert "geometric mean 4.00, smallest 4.00 (eight_schools)" in text
    ours, theirs = json.loads(file.read_text())["runs"]
    assert ours["largest_rhat"] == theirs["largest_rhat"]
    gap = abs(np.array(ours["mean"]) - np.array(theirs["mean"]))
    np.testing.assert_allclose(gap, 1.0)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLERS)
def test_real_peers_agree(name: str) -> None:
    """Means of eight schools, |z| < 6 in ten coordinates: false-alarm rate 2e-8; seed 1."""
    if not installed(sys.executable, [name]):
        pytest.skip(f"{name} is not installed")
    ours, theirs = (
        sampled(n, "eight_schools", sys.executable, draws=500, tune=500) for n in ("bayesdl", name)
    )
    assert isinstance(ours, Sampled), ours
    assert isinstance(theirs, Sampled), theirs
    assert apart(ours, theirs) < 6.0


@pytest.mark.slow
@pytest.mark.ci
def test_bayesdl_hands_back_unconstrained_positions() -> None:
    """The real script: log tau, the second coordinate, is the log of a positive number; seed 1."""
    found = sampled("bayesdl", "eight_schools", "python", draws=200, tune=200)
    assert isinstance(found, Sampled), found
    assert found.mean.shape == (10,)
    assert found.smallest_ess > 50.0
    assert found.gradients is not None
    assert found.gradients > 800
