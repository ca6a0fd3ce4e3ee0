"""`bayesdl bench sampling`: rates and agreement, on made-up libraries and on bayesdl itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bayesdl.bench import process
from bayesdl.bench.models import CASES
from bayesdl.bench.process import installed
from bayesdl.bench.samplers import SAMPLERS
from bayesdl.bench.sampling import (
    COLD,
    NUTPIE_LOW_RANK,
    RATIOS,
    WARM,
    WARM_LOW_RANK,
    Sampled,
    apart,
    judged_by,
    middle,
    over_peers,
    sampled,
    verdict,
)
from bayesdl.cli import main

# Independent normal draws with a shift, of seed 1.
FAKE = """
import json, sys
import numpy as np
asked = json.load(open(sys.argv[1]))
shape = asked["chains"], asked["draws"], asked["dim"]
draws = {shift} + np.random.default_rng(1).standard_normal(shape)
found = {{"before_seconds": 1.0, "sampling_seconds": {seconds}, "gradients": 5000,
         "all_gradients": 9000,
         "positions": draws.tolist()}}
json.dump(found, open(sys.argv[2], "w"))
"""


def one(library: str, mean: float, ess: float = 100.0, **changed: Any) -> Sampled:
    found: dict[str, Any] = {
        "case": "logistic",
        "library": library,
        "before": 3.0,
        "seconds": 1.0,
        "gradients": 10.0,
        "all_gradients": 20.0,
        "smallest_ess": ess,
        "median_ess": ess,
        "largest_rhat": 1.0,
        "mean": np.array([mean]),
        "error": np.array([0.1]),
    }
    return Sampled(**{**found, **changed})


def test_apart_is_in_standard_errors_of_both() -> None:
    assert apart(one(COLD, 0.0), one("jax", 0.3)) == pytest.approx(0.3 / np.sqrt(0.02))


def test_ratios_are_over_the_best_peer_of_each_figure() -> None:
    """Sampling and the warm process by the warm run, the cold process by the cold one."""
    ours = [one(COLD, 0.0, 300.0, before=9.0), one(WARM, 0.0, 400.0, before=1.0)]
    theirs = [one("pymc", 0.0, 100.0, all_gradients=None), one("nutpie", 0.0, 200.0)]
    found = {what: over_peers([*ours, *theirs], what) for what in RATIOS}
    assert {what: ratio for what, ratio in found.items() if ratio is not None} == {
        "sampling, diag": 2.0,
        "whole cold, diag": 0.6,
        "whole warm, diag": 4.0,
        "gradients/s, diag": 1.0,
    }


def test_best_is_the_better_metric_against_the_best_of_all_peers() -> None:
    theirs = [one("nutpie", 0.0, 50.0), one(NUTPIE_LOW_RANK, 0.0, 300.0)]
    ours = [one(WARM, 0.0, 100.0), one(WARM_LOW_RANK, 0.0, 900.0)]
    ratios = [over_peers([*ours, *theirs], f"sampling, {m}") for m in ("diag", "low_rank", "best")]
    assert ratios == pytest.approx([1.0 / 3.0, 3.0, 3.0])
    ours = [one(WARM, 0.0, 900.0), one(WARM_LOW_RANK, 0.0, 100.0)]
    ratios = [over_peers([*ours, *theirs], f"sampling, {m}") for m in ("diag", "low_rank", "best")]
    assert ratios == pytest.approx([3.0, 1.0 / 3.0, 3.0])


def test_verdict_has_geometric_means_of_models_and_of_networks() -> None:
    found = [
        one(WARM, 0.0, 400.0),
        one("nutpie", 0.0, 100.0),
        one(WARM, 0.0, 900.0, case="gaussian"),
        one("nutpie", 0.0, 100.0, case="gaussian"),
        one(WARM, 0.0, 50.0, case="network_one", all_gradients=60.0),
        one("numpyro", 0.0, 100.0, case="network_one"),
    ]
    text = verdict(found)[-1]
    row = next(line for line in text.splitlines() if line.startswith("sampling, diag"))
    figures = [float(figure) for figure in row.removeprefix("sampling, diag").split()]
    assert figures == [4.0, 9.0, 0.5, 6.0, 0.5]
    assert "sampling, low_rank" not in text
    assert verdict([one(WARM, 0.0)]) == []


def test_rounds_count_by_their_medians() -> None:
    found = middle([one(COLD, m, e) for m, e in ((0.0, 1.0), (1.0, 9.0), (5.0, 5.0))])
    assert found.smallest_ess == 5.0
    assert found.mean == pytest.approx([2.0])
    assert found.error == pytest.approx([0.1 / np.sqrt(3.0)])
    assert middle([one("pymc", 0.0, all_gradients=None)]).gradient_rate is None


def test_networks_are_judged_by_their_predictions() -> None:
    """Permuted units are the same network."""
    case = CASES["network_one"]
    q = np.random.default_rng(2).standard_normal((1, 2, case.dim))
    order = np.random.default_rng(3).permutation(50)
    first = q[0, 0, :300].reshape(6, 50)[:, order].ravel()
    q[0, 1] = np.concatenate(
        [first, q[0, 0, 300:350][order], q[0, 0, 350:400][order], q[0, 0, 400:]]
    )
    found = judged_by("network_one", q)
    assert found.shape == (1, 2, case.rows)
    np.testing.assert_allclose(found[0, 0], found[0, 1])
    assert judged_by("logistic", q) is q


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
    asked = ["bench", "sampling", "--models", "eight_schools", "--draws", "200", "--rounds", "2"]
    assert main([*asked, "--peers", "numpyro,pymc", "--json", str(file)]) == 0
    text = capsys.readouterr().out
    assert "pymc failed: ValueError: no luck" in text
    for what, ratio in (("sampling, best", 4.0), ("whole cold, best", 2.5)):
        row = next(line for line in text.splitlines() if line.startswith(what))
        assert float(row.removeprefix(what).split()[0]) == ratio
    assert "s in all" in text
    cold, warm, *_, theirs = json.loads(file.read_text())["runs"]
    assert cold["largest_rhat"] == warm["largest_rhat"] == theirs["largest_rhat"]
    gap = abs(np.array(cold["mean"]) - np.array(theirs["mean"]))
    np.testing.assert_allclose(gap, 1.0)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLERS)
def test_real_peers_agree(name: str) -> None:
    """Means of eight schools, |z| < 6 in ten coordinates: false-alarm rate 2e-8; seed 1."""
    if not installed(sys.executable, [name]):
        pytest.skip(f"{name} is not installed")
    ours, theirs = (
        sampled(n, "eight_schools", sys.executable, {}, draws=500, tune=500)
        for n in ("bayesdl", name)
    )
    assert isinstance(ours, Sampled), ours
    assert isinstance(theirs, Sampled), theirs
    assert apart(ours, theirs) < 6.0


@pytest.mark.slow
@pytest.mark.ci
def test_bayesdl_hands_back_unconstrained_positions() -> None:
    """The real script: log tau, the second coordinate, is the log of a positive number; seed 1."""
    found = sampled("bayesdl", "eight_schools", "python", {}, draws=200, tune=200)
    assert isinstance(found, Sampled), found
    assert found.mean.shape == (10,)
    assert found.smallest_ess > 50.0
    assert found.gradients is not None
    assert found.gradients > 800
    assert found.all_gradients is not None
    assert found.all_gradients > found.gradients + 800
