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
