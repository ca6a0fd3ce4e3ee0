"""``bayesdl cache`` lists, empties and names the folder of compiled code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bayesdl import pipeline
from bayesdl._base.config import config
from bayesdl.cli import main
from bayesdl.tracing import trace


def test_list_clear_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(config, "cache", str(tmp_path))
    pipeline.compile(trace(lambda x: x + 1.0, np.zeros(3), name="kept").program)

    def printed(action: str) -> str:
        assert main(["cache", action]) == 0
        return capsys.readouterr().out

    assert printed("path") == f"{tmp_path}\n"
    assert "kept" in printed("list")
    assert "1 compiled Programs" in printed("list")
    assert printed("clear").startswith("1 compiled Programs removed")
    assert "0 compiled Programs, 0 bytes of 1 GB" in printed("list")
    monkeypatch.setattr(config, "cache", "off")
    assert "the cache is off" in printed("list")
