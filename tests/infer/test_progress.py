"""What a run shows while it runs."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

import bayesdl as bdl
from bayesdl import dist
from bayesdl._base.errors import ArgumentError
from bayesdl.infer.progress import progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def gaussian() -> None:
    bdl.sample("x", dist.Normal(0.0, 1.0))


def funnel() -> None:
    v = bdl.sample("v", dist.Normal(0.0, 3.0))
    bdl.sample("x", dist.Normal(0.0, bdl.numpy.exp(v / 2.0)).expand((9,)).to_event(1))


def records(count: int) -> list[dict[str, Any]]:
    return [
        {"done": i, "total": count, "drawn": [i], "latest": [], "sums": [{"diverging": 2.0}]}
        for i in range(1, count + 1)
    ]


def test_plain_lines_one_a_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    show = progress(True, "nuts")
    for record in records(1000):
        show(record)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 11
    assert "\r" not in "".join(lines)
    assert lines[-1].startswith("nuts  1000/1000  1000 draws  2 divergences  ")


def test_a_bar_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("COLUMNS", "60")
    show = progress(True, "a label that is longer than it should be, for a terminal of 60")
    for record in records(10):
        show(record)
    text = stream.getvalue()
    assert text.startswith("\r")
    assert text.endswith("\n")
    assert text.count("\n") == 1
    shown = text.rstrip("\n").split("\r")[1:]
    assert all(len(line) == 59 for line in shown)
    assert shown[-1].startswith("█" * 24)


def test_text_is_lines_even_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    show = progress("text", "nuts")
    for record in records(10):
        show(record)
    assert "\r" not in stream.getvalue()
    assert stream.getvalue().count("\n") == 10


def test_divergences_and_step_size_of_a_real_run(capsys: pytest.CaptureFixture[str]) -> None:
    post = bdl.fit(funnel, draws=300, tune=300, random_seed=1)
    last = capsys.readouterr().err.splitlines()[-1]
    count = int(post.draws.stats["diverging"].sum())
    assert count > 0
    assert f"1200 draws  {count} divergences  step size 0." in last


def test_elbo_of_an_optimisation(capsys: pytest.CaptureFixture[str]) -> None:
    bdl.fit(gaussian, method="advi", tune=200, draws=10, random_seed=1)
    lines = capsys.readouterr().err.splitlines()
    assert "warm-up  ELBO" in lines[0]
    assert "10 draws  ELBO" in lines[-1]
    assert "divergences" not in lines[-1]


def test_a_function_gets_the_records_and_false_is_silent(
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen: list[dict[str, Any]] = []
    bdl.fit(gaussian, draws=20, tune=20, chains=2, random_seed=1, progressbar=seen.append)
    bdl.fit(gaussian, draws=20, tune=20, chains=2, random_seed=1, progressbar=False)
    assert capsys.readouterr().err == ""
    assert seen[-1]["drawn"] == [20, 20]


def test_anything_else_is_refused() -> None:
    with pytest.raises(ArgumentError, match="progressbar='loud'"):
        progress("loud", "nuts")
