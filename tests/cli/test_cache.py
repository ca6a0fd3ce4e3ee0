"""``bayesdl cache`` lists, empties and names the folder of compiled code."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bayesdl import pipeline
from bayesdl._base.config import config
from bayesdl._base.memory import size_text
from bayesdl._base.store import Store
from bayesdl.cli import main
from bayesdl.lower.llvm import cache
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


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store of one Program."""
    monkeypatch.setattr(config, "cache", str(tmp_path))
    pipeline.compile(trace(lambda x: x + 1.0, np.zeros(3), name="kept").program)
    return cache.store()


def earlier(content: bytes) -> bytes:
    """An entry as it was before it said what it took to make."""
    start = 8 + int.from_bytes(content[:8], "little")
    head = json.loads(content[8:start])
    del head["seconds"]
    text = json.dumps(head).encode()
    return len(text).to_bytes(8, "little") + text + content[start:]


def test_what_cannot_be_read_is_removed_and_not_counted(
    kept: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    (entry,) = kept.entries()
    kept.put("earlier", earlier(kept.get(entry.key)))
    Path(kept.folder, "damaged.bdl").write_bytes(b"no entry")
    assert main(["cache", "list"]) == 0
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith(entry.key[:12])
    assert last.startswith(f"1 compiled Programs, {size_text(entry.size)} of ")
    assert [e.key for e in kept.entries()] == [entry.key]


def test_what_cannot_be_removed_is_told(kept: Store, capsys: pytest.CaptureFixture[str]) -> None:
    Path(kept.folder, "stuck.bdl").mkdir()
    assert main(["cache", "clear"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"1 compiled Programs removed from {kept.folder}",
        "1 could not be removed",
    ]
