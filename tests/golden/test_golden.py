"""The golden files say what the passes do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.golden import bless, expected, files


@pytest.mark.parametrize("path", files(), ids=lambda path: path.stem)
def test_passes_do_what_the_file_says(path: Path) -> None:
    """After a wanted change: `make golden`, then read the difference."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# "), "the first line says what the file shows"
    assert "--- pass: " in text
    assert expected(text) == text


def test_there_are_golden_files() -> None:
    assert len(files()) >= 10


def test_a_changed_result_is_noticed_and_blessed(tmp_path: Path) -> None:
    program = "program f(%a: f64[]):\n  %b: f64[] = neg %a\n  %c: f64[] = neg %b\n  return "
    stale = f"# Stale.\n{program}%c\n--- pass: simplify\n{program}%c\n"
    path = tmp_path / "stale.ir"
    path.write_text(stale, encoding="utf-8")
    assert expected(stale) != stale
    assert bless(tmp_path) == [path]
    assert path.read_text(encoding="utf-8").endswith("program f(%a: f64[]):\n  return %a\n")
    assert bless(tmp_path) == []


def test_unknown_passes() -> None:
    with pytest.raises(KeyError, match="complicate"):
        expected("program f(%a: f64[]):\n  return %a\n--- pass: complicate\n")
