"""One process a competitor: requests go in, replies and failures come back."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from bayesdl._base.errors import ArgumentError
from bayesdl.bench import process
from bayesdl.bench.process import installed, run_script

ECHO = """
import json, os, sys
import numpy as np
asked = json.load(open(sys.argv[1]))
with np.load(asked["arrays"]) as stored:
    total = float(stored["x"].sum())
found = {"asked": asked["word"], "total": total, "told": os.environ["TOLD"]}
json.dump(found, open(sys.argv[2], "w"))
"""


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(process, "SCRIPTS", tmp_path)
    return tmp_path


def test_request_arrays_and_environment_arrive(scripts: Path) -> None:
    (scripts / "echo.py").write_text(ECHO)
    reply = run_script(
        "echo.py", {"word": "hi"}, arrays={"x": np.arange(4.0)}, environment={"TOLD": "so"}
    )
    assert reply.found == {"asked": "hi", "total": 6.0, "told": "so"}
    assert reply.error == ""
    assert reply.seconds > 0.0


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("raise SystemExit('out of luck')", "out of luck"),
        ("import no_such_library", "No module named 'no_such_library'"),
        ("pass", "no reply"),
    ],
)
def test_a_failure_is_told_by_its_last_line(scripts: Path, text: str, error: str) -> None:
    (scripts / "bad.py").write_text(text)
    reply = run_script("bad.py", {})
    assert error in reply.error
    assert reply.found == {}


def test_a_process_that_takes_too_long_is_ended(scripts: Path) -> None:
    (scripts / "slow.py").write_text("import time; time.sleep(60)")
    reply = run_script("slow.py", {}, timeout=0.5)
    assert reply.error == "took more than 0 s"
    assert reply.seconds < 30.0


def test_installed_asks_the_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(process.NEEDS, "jax", ("json",))
    monkeypatch.setitem(process.NEEDS, "torch", ("no_such_library",))
    assert installed(sys.executable, ["torch", "jax"]) == ["jax"]


def test_an_interpreter_that_is_not_there() -> None:
    with pytest.raises(ArgumentError) as caught:
        installed("/nowhere/python", ["jax"])
    assert str(caught.value).splitlines()[:3] == [
        "the interpreter for the peers does not run.",
        "    --peers-python  /nowhere/python",
        "  Fix: give the path of a Python with the peers: pip install 'bayesdl[bench]'.",
    ]
    assert caught.value.code == "A109"
