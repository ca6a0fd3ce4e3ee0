"""`bayesdl bench training`: ratios and agreement on made-up figures, and one real script."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from bayesdl.bench import process, training
from bayesdl.bench.peers.training_nets import NETS
from bayesdl.bench.training import Trained, agreement, different, ratio_to_fastest, table, verdicts
from bayesdl.cli import main

FAKE = """
import json, sys
asked = json.load(open(sys.argv[1]))
one = {{"steps_per_second": {rate}, "spread": 0.0, "ready_seconds": 1.0, "nll": {nll}}}
json.dump({{case: one for case in asked["cases"]}}, open(sys.argv[2], "w"))
"""


def trained(rates: dict[str, float], nlls: dict[str, float] | None = None) -> Trained:
    nlls = nlls or {}
    found = {
        name: {"plain/yacht": {"steps_per_second": rate, "nll": nlls.get(name, 2.0)}}
        for name, rate in rates.items()
    }
    return Trained("float64", 1, 3, ("plain/yacht",), found, {})


def test_ratio_is_to_the_fastest_peer() -> None:
    assert ratio_to_fastest(trained({"bayesdl": 9.0, "jax": 3.0, "torch": 1.0}), "plain/yacht") == 3
    assert ratio_to_fastest(trained({"bayesdl": 9.0}), "plain/yacht") is None


def test_another_net_is_seen() -> None:
    same = trained({"bayesdl": 1.0, "jax": 2.0})
    assert agreement(same, "plain/yacht") == 0.0
    other = trained({"bayesdl": 1.0, "jax": 2.0}, {"jax": 2.0 + 1e-6})
    assert agreement(other, "plain/yacht") == pytest.approx(5e-7)
    assert table(same).rows[0][-1] == "yes"
    assert table(other).rows[0][-1] != "yes"
    broken = trained({"bayesdl": 1.0, "jax": 2.0}, {"jax": math.nan})
    assert agreement(broken, "plain/yacht") == math.inf
    assert [different(t) for t in (same, other, broken)] == [[], ["plain/yacht"], ["plain/yacht"]]
    assert verdicts(other)[0] == "DIFFERENT nets: plain/yacht"


def test_verdict_names_the_smallest_ratio() -> None:
    assert verdicts(trained({"bayesdl": 5.0, "jax": 2.0}))[-1] == (
        "geometric mean of the ratios 2.50; smallest 2.50 (plain/yacht)"
    )


@pytest.mark.parametrize("name", NETS)
def test_parts_cover_a_position_once(name: str) -> None:
    net = NETS[name]
    flat = net.start()
    found = np.concatenate([part.ravel() for part in net.parts(flat)])
    np.testing.assert_array_equal(found, flat)
    x, y = net.data(np.dtype(np.float32))
    assert x.shape == (net.rows, *net.inputs)
    assert (y.dtype.kind == "f") == (net.classes == 1)


def test_command_prints_and_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fake peers: one that answers, one that fails, one that is not installed."""
    scripts = {
        "bayesdl": FAKE.format(rate=8.0, nll=1.0),
        "jax": FAKE.format(rate=2.0, nll=1.0),
        "torch": "raise SystemExit('torch is unwell')",
    }
    for name, text in scripts.items():
        (tmp_path / f"training_{name}.py").write_text(text)
    monkeypatch.setattr(process, "SCRIPTS", tmp_path)
    monkeypatch.setitem(process.NEEDS, "jax", ("json",))
    monkeypatch.setitem(process.NEEDS, "torch", ("json",))
    monkeypatch.setitem(process.NEEDS, "numpyro", ("no_such_library",))
    file = tmp_path / "figures.json"
    asked = ["bench", "training", "--nets", "yacht,conv", "--dtype", "both", "--json", str(file)]
    assert main(asked) == 0
    text = capsys.readouterr().out
    assert "torch failed: torch is unwell" in text
    assert "geometric mean of the ratios 4.00" in text
    assert "numpyro" not in text
    first, second = json.loads(file.read_text())["runs"]
    assert (first["dtype"], second["dtype"]) == ("float32", "float64")
    assert first["found"]["jax"]["mean_field/conv"]["steps_per_second"] == 2.0
    (tmp_path / "training_jax.py").write_text(FAKE.format(rate=2.0, nll=1.1))
    assert main(["bench", "training", "--nets", "yacht", "--peers", "jax"]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("method", training.METHODS)
def test_the_real_script_reports_the_net(method: str) -> None:
    """Its negative log likelihood is that of the net by NumPy."""
    case = f"{method}/yacht"
    asked = {"cases": [case], "dtype": "float64", "cores": 1, "repeats": 1, "seconds": 0.01}
    reply = process.run_script("training_bayesdl.py", asked, python=sys.executable)
    assert reply.error == ""
    net = NETS["yacht"]
    x, y = net.data(np.dtype(np.float64))
    w1, b1, w2, b2 = net.parts(net.start())
    f = (np.maximum(x @ w1 + b1, 0.0) @ w2 + b2)[:, 0]
    expected = 0.5 * np.mean((y - f) ** 2) + 0.5 * np.log(2.0 * np.pi)
    assert reply.found[case]["nll"] == pytest.approx(expected, rel=1e-12)
    assert reply.found[case]["steps_per_second"] > 0.0
