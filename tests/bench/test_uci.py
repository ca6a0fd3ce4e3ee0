"""``bayesdl bench uci``: what it runs, keeps and prints."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bayesdl._base.errors import ArgumentError
from bayesdl.bench import uci
from bayesdl.bench.uci_sets import SETS


@pytest.fixture
def options(tmp_path: Path) -> argparse.Namespace:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2))
    order = np.stack([rng.permutation(60) for _ in range(3)])
    y = x[:, 0] + 0.1 * rng.normal(size=60)
    np.savez(tmp_path / "yacht.npz", X=x, y=y, train=order[:, :50], test=order[:, 50:])
    parser = argparse.ArgumentParser()
    uci.add_arguments(parser)
    file = str(tmp_path / "found.jsonl")
    words = ["--data", str(tmp_path), "--sets", "yacht", "--epochs", "2", "--json", file]
    return parser.parse_args([*words, "--protocol", "learned", "--cores", "1"])


def test_finished_splits_are_not_run_again(
    options: argparse.Namespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[int] = []
    score = uci.Protocol.score

    def counted(self: Any, split: Any, seed: int) -> Any:
        asked.append(seed)
        return score(self, split, seed)

    monkeypatch.setattr(uci.Protocol, "score", counted)
    options.splits = "0:1"
    uci.run(options)
    options.splits = ":"
    uci.run(options)
    assert asked == [0, 1, 2]
    assert [r["split"] for r in uci.read(options.json)] == [0, 1, 2]
    uci.run(options)
    assert asked == [0, 1, 2]
    assert "bayesdl mc_dropout learned" in capsys.readouterr().out


def test_a_line_that_was_half_written_is_run_again(options: argparse.Namespace) -> None:
    """What is appended to the file afterwards stands on a line of its own."""
    options.splits = "0:2"
    uci.run(options)
    file = Path(options.json)
    first, second = file.read_text().splitlines()
    file.write_text(f"{first}\n{second[:-7]}")
    uci.run(options)
    assert [r["split"] for r in uci.read(options.json)] == [0, 1]
    assert file.read_text().startswith(first + "\n")


def test_a_line_that_is_wrong_but_ended_is_an_error(options: argparse.Namespace) -> None:
    Path(options.json).write_text('{"set": "yac\n{}\n')
    with pytest.raises(json.JSONDecodeError):
        uci.read(options.json)


def test_tables_set_our_rows_beside_the_published_ones() -> None:
    about = {"set": "boston", "method": "mc_dropout", "protocol": "2018", "seconds": 1.0}
    records = [{**about, "rmse": 2.0 + k, "ll": -2.0} for k in (0, 2)]
    rows = uci.table("boston", records).rows
    assert rows[0] == ["bayesdl mc_dropout 2018", 2, 3.0, 1.0 / np.sqrt(2.0), -2.0, 0.0, 2.0]
    assert rows[1][2:6] == [*SETS["boston"].rmse["mc_dropout"], *SETS["boston"].ll["mc_dropout"]]


def test_splits_are_a_range() -> None:
    assert list(uci._range("2:4", 20)) == [2, 3]
    assert uci._range(":", 3) == range(3)
    with pytest.raises(ArgumentError, match="colon"):
        uci._range("3", 20)


def test_a_picture_is_drawn() -> None:
    pytest.importorskip("matplotlib")
    about = {"set": "boston", "method": "mc_dropout", "protocol": "2018", "seconds": 1.0}
    figure = uci.plot([{**about, "rmse": 2.0, "ll": -2.0}, {**about, "method": "vi", "ll": -2.5}])
    axes = figure.axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["boston"]
    base = SETS["boston"].ll["mc_dropout"][0]
    first, second = (line[0].get_xdata()[0] for line in axes.containers[:2])
    assert (first, second) == (-2.0 - base, -2.5 - base)
    labels = [t.get_text() for t in axes.get_legend().get_texts()]
    assert labels == ["bayesdl mc_dropout", "bayesdl vi", *uci.SHOWN]


def test_methods_share_a_file_and_a_table(
    options: argparse.Namespace, capsys: pytest.CaptureFixture[str]
) -> None:
    options.methods, options.splits = "mc_dropout,vi", "0:1"
    uci.run(options)
    uci.run(options)
    found = uci.read(options.json)
    assert [(r["method"], r["protocol"]) for r in found] == [("mc_dropout", "learned"), ("vi", "")]
    assert "\nbayesdl vi " in capsys.readouterr().out
