"""``bayesdl dump`` prints a Program that can be parsed back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bayesdl.cli import main
from bayesdl.ir.text import from_text, to_text


@pytest.mark.parametrize("stage", ["trace", "simplify"])
def test_dump_prints_a_program(
    stage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data.json"
    data.write_text(json.dumps({"y": [1.0] * 8, "sigma": [2.0] * 8}))
    assert (
        main(["dump", "eight_schools-eight_schools_noncentered", str(data), "--stage", stage]) == 0
    )
    text = capsys.readouterr().out.strip()
    assert to_text(from_text(text)) == text


SCRIPT = """
import numpy as np
import bayesdl as bdl
from bayesdl import dist

@bdl.model
def line(x, y):
    slope = bdl.sample("slope", dist.Normal(0.0, 1.0))
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(slope * x, 1.0), obs=y)

def double(x):
    return 2.0 * x

x, y, word = np.arange(3.0), np.ones(3), "no"
assert __name__ != "__main__"
"""


@pytest.fixture
def script(tmp_path: Path) -> str:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    return str(path)


def test_all_stages_of_a_script(script: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dump", f"{script}:line", "x", "y"]) == 0
    printed = capsys.readouterr().out
    titles = ["trace", "simplify", "fuse", "plan", "llvm", "optimised", "asm"]
    places = [printed.index(f"--- {title}\n") for title in titles]
    assert places == sorted(places)
    assert "program line(%a: f64[1], %b: f64[3], %c: f64[3])" in printed
    assert "define void @bdl_entry" in printed
    assert ".globl\tbdl_entry" in printed


def test_a_function_of_a_script(script: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dump", f"{script}:double", "x", "--stage", "trace"]) == 0
    assert capsys.readouterr().out.startswith("program double(%a: f64[3]):")


SCHOOLS = "eight_schools-eight_schools_noncentered"


@pytest.mark.parametrize(
    ("target", "data", "message"),
    [
        ("{}:square", ["x"], "does not define 'square'"),
        ("{}:line", ["x", "z"], "does not define 'z'"),
        ("{}:", [], "does not define ''"),
        ("nothing", ["x.json"], "there is nothing to dump"),
        ("garch-garch", ["x.json"], "bayesdl dump garch-garch11 data.json"),
        (SCHOOLS, [], "there is nothing to dump"),
        ("nowhere.py:line", ["x"], "there is no script 'nowhere.py'"),
        ("{}:x", [], "'x' is no model, and no function of no arguments"),
        ("{}:double", ["x", "y"], "'double' is no model, and no function of x, y"),
        ("{}:double", ["word"], "dtype <U2 is not one of"),
        (SCHOOLS, ["nowhere.json"], "cause  FileNotFoundError: "),
    ],
)
def test_what_cannot_be_dumped(
    script: str, target: str, data: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dump", target.format(script), *data]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.endswith("[A121]\n")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ('{"y": [1.0]', "JSONDecodeError: "),
        ('{"sigma": [1.0]}', "KeyError: 'y'"),
        ("[1.0]", "TypeError: "),
        ('{"y": ["one"], "sigma": [1.0]}', "ValueError: "),
    ],
)
def test_data_of_another_kind(
    text: str, cause: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "data.json"
    path.write_text(text)
    assert main(["dump", SCHOOLS, str(path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"ArgumentError: {path} does not hold the data of '{SCHOOLS}'.")
    assert f"    cause  {cause}" in error
