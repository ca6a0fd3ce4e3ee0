"""Programs before and after a pass, as text: read the golden files, run them, write them anew.

A golden file holds a Program, then for each pass a line ``--- pass: name`` and what the pass
makes of the Program above it. Lines that begin with ``#`` in front of the first Program say what
it shows.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bayesdl.ir.check import check
from bayesdl.ir.text import from_text, to_text
from bayesdl.lower.executable import VOCABULARY
from bayesdl.pipeline import PASSES

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "golden"
MARK = "--- pass: "


def files(folder: Path = FOLDER) -> list[Path]:
    """The golden files, in order of their names."""
    return sorted(folder.glob("*.ir"))


def expected(text: str) -> str:
    """What a golden file should say: its first Program, and what its passes make of it today.

    Raises
    ------
    KeyError
        If a pass does not exist.
    """
    assert VOCABULARY, "the Programs find their primitives in the registry"
    passes = dict(PASSES)
    head, *stages = text.split(MARK)
    comments = "".join(f"{line}\n" for line in head.splitlines() if line.startswith("#"))
    source = "\n".join(line for line in head.splitlines() if not line.startswith("#"))
    program = check(from_text(source))
    parts = [comments + to_text(program)]
    for stage in stages:
        name = stage.partition("\n")[0].strip()
        program = check(passes[name](program))
        parts.append(f"{MARK}{name}\n{to_text(program)}")
    return "\n".join(parts) + "\n"


def bless(folder: Path = FOLDER) -> list[Path]:
    """Write what the passes give today into the golden files; return those that changed."""
    changed = []
    for path in files(folder):
        text = path.read_text(encoding="utf-8")
        wanted = expected(text)
        if wanted != text:
            path.write_text(wanted, encoding="utf-8")
            changed.append(path)
    return changed


if __name__ == "__main__":
    for blessed in bless():
        print(f"blessed {blessed.name}: read the difference before you commit it", file=sys.stderr)
