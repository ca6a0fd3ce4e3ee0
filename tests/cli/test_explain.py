"""``bayesdl explain`` prints the sections that messages and verdicts name, from a wheel too."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bayesdl.cli import CLOSED_PIPE, main
from bayesdl.cli.explain import topics

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("topic", ["r-hat", "rhat", "R-hat", "rhat_max"])
def test_a_check_goes_by_all_its_names(topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", topic]) == 0
    assert capsys.readouterr().out.startswith("R-hat\n\nAt most 1.01 ")


def test_a_code_has_its_entry(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "s101"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("S101: no finite start\n")
    assert printed.count("```python") == 2
    assert "S103" not in printed


def test_every_code_and_every_check_is_a_topic() -> None:
    pages = [*(ROOT / "docs" / "errors").glob("*.md"), ROOT / "docs" / "guide" / "verdict.md"]
    headings = [
        heading
        for page in pages
        for heading in re.findall(r"^## (.*)$", page.read_text(encoding="utf-8"), re.M)
    ]
    assert len(topics()) == len(headings) > 90


@pytest.mark.parametrize("name", ["ess_min", "bfmi_min", "reached_max_steps", "non_finite"])
def test_attributes_name_a_topic(name: str) -> None:
    assert main(["explain", name]) == 0


def test_without_a_topic_there_is_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "S101: no finite start" in lines
    assert "Tree depth" in lines


def test_what_is_unknown_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "S999"]) == 2
    assert "there is nothing on 'S999'" in capsys.readouterr().err
    assert main(["explain", "divergence"]) == 2
    assert "did you mean 'divergences'?" in capsys.readouterr().err


def test_a_wheel_has_the_pages(tmp_path: Path) -> None:
    """The files that pyproject.toml puts into one, without the checkout beside them."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = told["tool"]["hatch"]["build"]["targets"]["wheel"]
    for package in wheel["packages"]:
        skip = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=skip)
    for source, place in wheel["force-include"].items():
        target = tmp_path / place
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copyfile
        copy(ROOT / source, target)
    for topic, first in (("r-hat", "R-hat\n"), ("S101", "S101: no finite start\n")):
        done = subprocess.run(
            [sys.executable, "-m", "bayesdl", "explain", topic],
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
            env={"PYTHONPATH": str(tmp_path), "BAYESDL_CACHE": "off"},
        )
        assert done.stdout.startswith(first)


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    command = [sys.executable, "-m", "bayesdl", "explain", "r-hat"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == CLOSED_PIPE
