"""Measure how large modules, functions and classes are, and print it as a table.

Numbers start a conversation; only the last column, *stop*, fails (in tests/architecture). A
docstring does not count towards the length of its function: to explain is never too long.
"""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Limit:
    """From which size on a thing deserves another look, and from which on it fails."""

    unit: str
    look: int
    stop: int


LIMITS = {
    "module": Limit("lines", 400, 600),
    "function": Limit("lines", 50, 80),
    "class": Limit("public methods", 10, 15),
    "signature": Limit("parameters", 8, 12),
}

# Aims for groups of modules, in lines; they are printed and never fail.
GROUPS = {
    "the language and its calculus": (
        ("_base", "ir", "ops", "tracing.py", "transform", "lower/interpret.py"),
        3000,
    ),
    "lower/llvm": (("lower/llvm",), 2000),
    "whole package": (("",), 15000),
}


@dataclass(frozen=True)
class Size:
    """How large one thing is."""

    kind: str
    name: str
    size: int

    def __str__(self) -> str:
        limit = LIMITS[self.kind]
        return f"{self.kind:10s} {self.size:5d} {limit.unit:15s} (stop {limit.stop})  {self.name}"


def measure(root: Path = ROOT) -> list[Size]:
    """Sizes of everything in the package, named by path and qualified name."""
    sizes: list[Size] = []
    for path in sorted((root / "bayesdl").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        name = path.relative_to(root).as_posix()
        sizes.append(Size("module", name, len(text.splitlines())))
        sizes += _inside(ast.parse(text), f"{name}:")
    return sizes


def excesses(sizes: list[Size]) -> list[Size]:
    """The sizes beyond their stop."""
    return [size for size in sizes if size.size > LIMITS[size.kind].stop]


def report(sizes: list[Size], root: Path = ROOT) -> str:
    """The table."""
    lines = [
        f"{'':10s} {'count':>6s} {'median':>7s} {'p90':>5s} {'max':>5s} {'look':>5s} {'stop':>5s}"
    ]
    for kind, limit in LIMITS.items():
        values = [s.size for s in sizes if s.kind == kind] or [0]
        p90 = sorted(values)[int(0.9 * (len(values) - 1))]
        row = f"{len(values):6d} {statistics.median(values):7.0f} {p90:5d} {max(values):5d}"
        lines.append(f"{kind:10s} {row} {limit.look:5d} {limit.stop:5d}  {limit.unit}")
    lines.append("")
    for title, (places, aim) in GROUPS.items():
        total = sum(_lines(root / "bayesdl" / place) for place in places)
        lines.append(f"{title:32s} {total:6d} lines, aim {aim}")
    look = [s for s in sizes if s.size > LIMITS[s.kind].look]
    lines += ["", "Look again:", *(f"  {s}" for s in sorted(look, key=lambda s: (s.kind, -s.size)))]
    return "\n".join(lines if look else [*lines[:-1], "Nothing to look at again."])


def _inside(parent: ast.AST, prefix: str) -> Iterator[Size]:
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield Size("function", prefix + node.name, _code_lines(node))
            yield Size("signature", prefix + node.name, _parameters(node))
            yield from _inside(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.ClassDef):
            methods = [m for m in node.body if isinstance(m, ast.FunctionDef)]
            public = sum(not m.name.startswith("_") for m in methods)
            yield Size("class", prefix + node.name, public)
            yield from _inside(node, f"{prefix}{node.name}.")
        else:
            yield from _inside(node, prefix)


def _code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first, last = node.lineno, node.end_lineno or node.lineno
    if ast.get_docstring(node) is None:
        return last - first + 1
    text = node.body[0]
    return last - first + 1 - ((text.end_lineno or text.lineno) - text.lineno + 1)


def _parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    arguments = node.args
    return len([*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs])


def _lines(path: Path) -> int:
    files = path.rglob("*.py") if path.is_dir() else [path] if path.exists() else []
    return sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)


if __name__ == "__main__":
    print(report(measure()))
