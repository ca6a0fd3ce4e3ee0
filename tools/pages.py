"""The documentation is run: each Python block of a page, and what it prints or raises, is written.

A page is Markdown. Its ``python`` blocks run from top to bottom as one module. A ``text`` block
right behind one of them holds what it prints, and the error that it raises if it raises one. On a
page of errors each heading with a code, ``## M101``, starts a new module; the blocks above the
first such heading are run again at the beginning of each.

``python -m tools.pages`` writes what the blocks print today into the pages that are given, or into
all of them.
"""

from __future__ import annotations

import contextlib
import io
import linecache
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from bayesdl._base.errors import BayesdlError

ROOT = Path(__file__).resolve().parents[1]
# What messages call the user's file, and the name under which a saved model is found again.
FILE, MODULE = "model.py", "model"
PARTS = re.compile(
    r"^## (?P<code>[A-Z]\d{3})\b|^```(?P<language>\w+)\n(?P<body>.*?)^```$", re.M | re.S
)


@dataclass
class Session:
    """One module that grows block by block, with its lines where tracebacks look for them."""

    module: ModuleType = field(default_factory=lambda: ModuleType(MODULE))
    lines: list[str] = field(default_factory=list)

    def run(self, code: str, file: str = FILE) -> str:
        """What a block prints, and the text of the error of ours that it raises."""
        offset = len(self.lines) if file == FILE else 0
        if file == FILE:
            self.lines += [f"{line}\n" for line in [*code.splitlines(), ""]]
            linecache.cache[FILE] = (1, None, self.lines, FILE)
        compiled = compile("\n" * offset + code, file, "exec")
        sys.modules[MODULE] = self.module
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                exec(compiled, self.module.__dict__)
        except BayesdlError as error:
            return f"{printed.getvalue()}{type(error).__name__}: {error}\n"
        finally:
            del sys.modules[MODULE]
        return printed.getvalue()


def pages() -> list[Path]:
    """The pages with Python blocks."""
    docs = ROOT / "docs"
    found = [page for folder in ("", "errors", "guide") for page in (docs / folder).glob("*.md")]
    return [page for page in sorted(found) if "```python\n" in page.read_text(encoding="utf-8")]


def expected(text: str) -> str:
    """A page as it should be: each ``text`` block behind a ``python`` block as that prints today.

    Raises
    ------
    ValueError
        If a block prints or raises something that the page does not show.
    """
    written, end, shown = [], 0, None
    for part, output in _run(text):
        if shown is not None and _gap(text, end, part) and part["language"] == "text":
            written += [text[end : part.start("body")], shown]
            end, shown = part.end("body"), None
        elif shown:
            raise ValueError(f"a block prints or raises what the page does not show:\n{shown}")
        if part["language"] == "python":
            written.append(text[end : part.end()])
            end, shown = part.end(), output
    if shown:
        raise ValueError(f"a block prints or raises what the page does not show:\n{shown}")
    return "".join([*written, text[end:]])


def _gap(text: str, end: int, part: re.Match[str]) -> bool:
    """Whether nothing but white space stands between the last block and this one."""
    return not text[end : part.start()].strip()


def _run(text: str) -> Iterator[tuple[re.Match[str], str]]:
    """Each heading and block of a page, with what it prints."""
    session, setup, coded = Session(), "", False
    for part in PARTS.finditer(text):
        output = ""
        if part["code"]:
            session, coded = Session(), True
            session.run(setup, "setup.py")
        elif part["language"] == "python":
            setup += "" if coded else part["body"]
            output = session.run(part["body"])
        yield part, output


def write(paths: list[Path]) -> list[Path]:
    """Write what the blocks print today into the pages; return those that changed."""
    changed = []
    for path in paths:
        text = path.read_text(encoding="utf-8")
        wanted = expected(text)
        if wanted != text:
            path.write_text(wanted, encoding="utf-8")
            changed.append(path)
    return changed


if __name__ == "__main__":
    chosen = [Path(name).resolve() for name in sys.argv[1:]] or pages()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for page in write(chosen):
            print(f"{page.relative_to(ROOT)}: read the difference before you commit it")
