"""What a run shows while it runs."""

from __future__ import annotations

import io
import logging
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist
from bayesdl._base.errors import ArgumentError
from bayesdl.infer import progress as module
from bayesdl.infer.progress import block, columns, progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def gaussian() -> None:
    bdl.sample("x", dist.Normal(0.0, 1.0))


def funnel() -> None:
    v = bdl.sample("v", dist.Normal(0.0, 3.0))
    bdl.sample("x", dist.Normal(0.0, bdl.numpy.exp(v / 2.0)).expand((9,)).to_event(1))


def record(done: int, each: int, chains: int = 1) -> dict[str, Any]:
    """Of a run of `each` draws by chain, where chain c has c divergences and c + 1 gradients/s."""
    chain = range(chains)
    return {
        "done": done * chains,
        "total": each * chains,
        "iterations": [done] * chains,
        "totals": [each] * chains,
        "drawn": [done] * chains,
        "seconds": [2.0] * chains,
        "gradients": [2.0 * (c + 1) for c in chain],
        "latest": [{"step_size": np.array([0.25, 0.75])} for _ in chain],
        "sums": [{"diverging": float(c)} for c in chain],
    }


def records(count: int) -> list[dict[str, Any]]:
    return [record(i, count) for i in range(1, count + 1)]


class FakeIPython:
    """What of IPython a notebook's block needs: a shell with a kernel, and displays by handle."""

    def __init__(self, kernel: Any) -> None:
        self.shown: list[Any] = []
        self.updates: list[Any] = []
        self.shell = SimpleNamespace(kernel=kernel)

    def get_ipython(self) -> Any:
        return self.shell

    def display(self, data: Any, *, raw: bool, display_id: bool) -> Any:
        assert raw
        assert display_id
        self.shown.append(data)
        return SimpleNamespace(update=lambda data, *, raw: self.updates.append((data, raw)))

    def put_in_place(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "IPython", self)
        monkeypatch.setitem(sys.modules, "IPython.display", self)


def test_plain_lines_one_a_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    show = progress(True, "nuts")
    for record in records(1000):
        show(record)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 11
    assert "\r" not in "".join(lines)
    assert lines[-1].startswith(
        "nuts  1000/1000  1000 draws  0 divergences  step size 0.5  1 gradients/s a chain  "
    )


def test_a_bar_in_a_terminal_without_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(module, "find_spec", lambda name: None)
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


def test_a_row_a_chain_by_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich")
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    show = progress(True, "nuts")
    monkeypatch.setattr(show, "pause", 0.0)
    for done in (5, 10):
        show(record(done, 10, chains=3))
    text = stream.getvalue()
    # The second table is written over the first: a title, the names and three rows.
    assert text.count("\x1b[5A") == 1
    assert text.count("\n") == 10
    assert "\x1b[?25l" not in text
    last = text.split("\x1b[5A")[1].splitlines()
    for name in ("chain", "draws", "divergences", "step size", "gradients/s"):
        assert name in last[1]
    assert ["\x1b[31m" in row for row in last[2:5]] == [False, True, True]
    assert [word in last[4] for word in ("10", "2", "0.5", "3")] == [True] * 4


def test_a_block_of_text() -> None:
    lines = block("nuts", record(5, 10, chains=2), 1.0).splitlines()
    assert lines[0] == "nuts  1.0 s"
    assert lines[1].split() == ["chain", "draws", "divergences", "step", "size", "gradients/s"]
    assert lines[3].split() == ["1", "█" * 8 + "░" * 8, "5", "1", "0.5", "2"]
    assert len({len(line) for line in lines[1:]}) == 1


def test_one_row_for_many_chains() -> None:
    many = record(5, 10, chains=9)
    assert columns(many) == {
        "draws": ["45"],
        "divergences": ["36"],
        "step size": ["0.5"],
        "gradients/s": ["5"],
    }
    assert len(block("nuts", many, 1.0).splitlines()) == 3


def test_a_chain_that_has_not_reported_leaves_its_columns_out() -> None:
    early = record(0, 10, chains=2) | {"latest": [{"step_size": np.ones(1)}, {}]}
    early["gradients"] = [3.0, 0.0]
    assert list(columns(early)) == ["draws", "divergences"]


def test_one_block_in_a_notebook(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = FakeIPython(kernel=object())
    fake.put_in_place(monkeypatch)
    show = progress(True, "a < b")
    monkeypatch.setattr(show, "pause", 0.0)
    for done in (5, 10):
        show(record(done, 10, chains=2))
    assert len(fake.shown) == len(fake.updates) == 1
    (data, raw), first = fake.updates[0], fake.shown[0]
    assert raw
    assert "░" in first["text/plain"]
    assert "░" not in data["text/plain"]
    assert data["text/html"].startswith("<pre>a &lt; b  ")
    assert "\x1b" not in data["text/html"]
    assert "".join(capsys.readouterr()) == ""


def test_ipython_without_a_kernel_is_a_terminal_or_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = FakeIPython(kernel=None)
    fake.put_in_place(monkeypatch)
    progress(True, "nuts")(record(10, 10))
    assert fake.shown == []
    assert capsys.readouterr().err.startswith("nuts  10/10")


def test_text_is_lines_even_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    show = progress("text", "nuts")
    for record in records(10):
        show(record)
    assert "\r" not in stream.getvalue()
    assert stream.getvalue().count("\n") == 10


def test_divergences_and_step_size_of_a_real_run(capsys: pytest.CaptureFixture[str]) -> None:
    """Between the line before the run and the block of what needs attention."""
    post = bdl.fit(funnel, draws=300, tune=300, random_seed=1)
    first, *lines = capsys.readouterr().err.splitlines()
    end = next(i for i, line in enumerate(lines) if line.startswith("Posterior of funnel"))
    count = int(post.draws.stats["diverging"].sum())
    assert count > 0
    assert first.startswith("4 chains on ")
    assert f"1200 draws  {count} divergences  step size 0." in lines[end - 1]
    assert lines[end].endswith(" needs attention:")
    assert f"!!  {count} of 1200 draws diverged" in lines[end:]
    assert "      more: bayesdl explain divergences" in lines[end:]


def test_elbo_of_an_optimisation(capsys: pytest.CaptureFixture[str]) -> None:
    bdl.fit(gaussian, method="advi", tune=200, draws=10, random_seed=1)
    first, *lines = capsys.readouterr().err.splitlines()
    lines = [line for line in lines if line.startswith("advi: ")]
    assert (
        first == "1 chain on 1 thread, up to 200 steps, 10 draws of 1 number: 240 bytes in memory"
    )
    assert "warm-up  ELBO" in lines[0]
    assert "10 draws  ELBO" in lines[-1]
    assert "divergences" not in lines[-1]


def test_a_fine_run_has_a_line_before_it_and_its_verdict_after(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """And in the log too, where somebody listens."""
    caplog.set_level(logging.INFO, "bayesdl")
    bdl.fit(gaussian, draws=1000, tune=500, cores=2, random_seed=1, progressbar="text")
    lines = capsys.readouterr().err.splitlines()
    assert re.fullmatch(
        r"4 chains on 2 threads, 500 \+ 1000 draws of 1 number: \d+ kB in memory", lines[0]
    )
    assert lines[1].startswith("nuts: 4 × (500 + 1000)  ")
    assert lines[-2].startswith("nuts: 4 × (500 + 1000)  6000/6000")
    assert lines[-1].startswith("ok  R-hat at most 1.0")
    assert [r.message for r in caplog.records] == [lines[0], lines[-1]]


def test_retries_of_starts_and_what_is_kept_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    def half() -> None:
        x = bdl.sample("x", dist.Normal(0.0, 1.0).expand((3,)).to_event(1))
        bdl.factor("only above", bdl.numpy.log(x[0] - 0.2))

    asked: dict[str, Any] = {"draws": 20, "tune": 20, "chains": 2, "random_seed": 1}
    post = bdl.fit(half, **asked, thin=2)
    again = sum(post.draws.attrs["init_retries"])
    first = capsys.readouterr().err.splitlines()[0]
    assert again > 1
    assert ", 20 + 20 draws, 1 of 2 kept, of 3 numbers: " in first
    assert first.endswith(f"; {again} starts without a finite density, tried again")
    bdl.fit(gaussian, **asked, keep="moments", executor=ThreadPoolExecutor)
    first = capsys.readouterr().err.splitlines()[0]
    assert first.startswith("2 chains on an executor, 20 + 20 draws, moments of 1 number: ")


def test_a_function_gets_the_records_and_false_is_silent(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """What is said goes to the log alone."""
    caplog.set_level(logging.INFO, "bayesdl")
    seen: list[dict[str, Any]] = []
    bdl.fit(gaussian, draws=20, tune=20, chains=2, random_seed=1, progressbar=seen.append)
    bdl.fit(gaussian, draws=20, tune=20, chains=2, random_seed=1, progressbar=False)
    assert capsys.readouterr().err == ""
    assert seen[-1]["drawn"] == [20, 20]
    assert [r.levelname for r in caplog.records] == ["INFO", "WARNING"] * 2
    assert "needs attention" in caplog.records[1].message


def test_a_handle_says_its_verdict_once(capsys: pytest.CaptureFixture[str]) -> None:
    """When it is waited for; a look at a run under way is not a verdict."""
    run = bdl.fit(gaussian, draws=1000, tune=500, random_seed=1, blocking=False)
    while run.running:
        run.inspect()
    run.inspect()
    run.wait()
    assert sum(line.startswith("ok  ") for line in capsys.readouterr().err.splitlines()) == 1


SPEAKING = """if True:
    import logging, sys
    {setup}
    from bayesdl.infer.progress import say
    say("a line", shown={shown})
    say("a block", logging.WARNING, shown={shown})
    """


@pytest.mark.parametrize(
    ("setup", "shown", "printed"),
    [
        ("", True, ["a line", "a block"]),
        ("", False, ["a block"]),
        ("logging.basicConfig()", True, ["a line", "WARNING:bayesdl:a block"]),
        (
            "logging.basicConfig(level='INFO')",
            True,
            ["INFO:bayesdl:a line", "WARNING:bayesdl:a block"],
        ),
        ("logging.basicConfig(filename=FILE)", True, ["a line", "a block"]),
        ("logging.getLogger('bayesdl').setLevel('ERROR')", False, []),
    ],
)
def test_nothing_is_printed_twice(
    setup: str, shown: bool, printed: list[str], tmp_path: Path
) -> None:
    """Whatever logging is told to do; without a word Python prints warnings."""
    setup = setup.replace("FILE", repr(str(tmp_path / "log"))) or "pass"
    code = SPEAKING.format(setup=setup, shown=shown)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == printed
    if "filename" in setup:
        assert (tmp_path / "log").read_text() == "WARNING:bayesdl:a block\n"


def test_anything_else_is_refused() -> None:
    with pytest.raises(ArgumentError, match="progressbar='loud'"):
        progress("loud", "nuts")
