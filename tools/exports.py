"""Write the export block of each room whose members are declared by a decorator.

`make exports` rewrites the blocks, `--check` only says which are stale. A member is a public class
with the room's decorator; it is found by reading the files, so nothing is imported. What the rest
of an `__init__.py` imports from its room by hand is kept and joins `__all__`.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "bayesdl"
ROOMS = {"bijectors": "bijector", "dist": "distribution", "nn": "layer"}
START = "# --- exports: written by `make exports`, do not edit ---"
END = "# --- end of exports ---"
BLOCK = re.compile(rf"(?:# isort: split\n)?{re.escape(START)}\n.*?{re.escape(END)}\n?", re.DOTALL)


def declared(room: Path, decorator: str) -> dict[str, str]:
    """Class name → module, for each public class in the room that carries the decorator."""
    found: dict[str, str] = {}
    for path in sorted(room.glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8"), str(path)).body:
            if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
                continue
            if decorator in map(_decorator_name, node.decorator_list):
                if node.name in found:
                    message = f"{node.name} is declared in {found[node.name]}.py and in {path.name}"
                    raise SystemExit(f"{room.name}: {message}")
                found[node.name] = path.stem
    return found


def refreshed(text: str, members: dict[str, str]) -> str:
    """The text of an `__init__.py` with a fresh export block at the place of the old one."""
    by_hand = BLOCK.sub("", text)
    block = _block(members, sorted({*members, *_imported(by_hand)}, key=_export_order))
    if BLOCK.search(text):
        return BLOCK.sub(lambda _: block, text, count=1)
    return f"{text.rstrip()}\n\n{block}"


def stale_rooms(package: Path, *, write: bool = False) -> list[Path]:
    """The `__init__.py` files whose block is stale; with `write`, they are mended."""
    stale = []
    for room, decorator in ROOMS.items():
        members = declared(package / room, decorator)
        init = package / room / "__init__.py"
        if members and not init.exists():
            raise SystemExit(f"{init} is missing: write its docstring first, then run this again.")
        text = init.read_text(encoding="utf-8") if init.exists() else ""
        if not members and START not in text:
            continue
        fresh = refreshed(text, members)
        if fresh != text:
            stale.append(init)
            if write:
                init.write_text(fresh, encoding="utf-8")
    return stale


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; the exit status is 1 when `--check` finds a stale block."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="report stale blocks, write nothing")
    parser.add_argument("--package", type=Path, default=PACKAGE, help="folder of the package")
    options = parser.parse_args(arguments)
    stale = stale_rooms(options.package, write=not options.check)
    for init in stale:
        print(f"{init}: {'stale; run `make exports`' if options.check else 'written'}")
    return int(bool(stale) and options.check)


def _block(members: dict[str, str], public: list[str]) -> str:
    """Type checkers see imports; a process loads what it uses."""
    ordered = sorted(members.items(), key=_import_order)
    lines = ["# isort: split", START, "from typing import TYPE_CHECKING", ""]
    lines += ["from bayesdl._base.lazy import lazily", "", "if TYPE_CHECKING:"]
    lines += [f"    from .{m} import {c} as {c}" for c, m in ordered]
    lines += ["else:", "    __getattr__, __dir__ = lazily(", "        __name__,", "        {"]
    lines += [f'            "{c}": "{m}",' for c, m in ordered]
    lines += ["        },", "    )", ""]
    lines += ["__all__ = [", *(f'    "{name}",' for name in public), "]", END, ""]
    return "\n".join(lines)


def _imported(text: str) -> Iterator[str]:
    for node in ast.parse(text).body:
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            names = (alias.asname or alias.name for alias in node.names)
            yield from (name for name in names if not name.startswith("_"))


def _decorator_name(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        return _decorator_name(node.func)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _import_order(item: tuple[str, str]) -> tuple[str, str]:
    return item[1], item[0]


def _export_order(name: str) -> tuple[int, str]:
    # The linter's own order for `__all__`: constants, then classes, then functions.
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


if __name__ == "__main__":
    sys.exit(main())
