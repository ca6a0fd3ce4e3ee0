"""The source of the package, read once for all tests of its architecture."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Module:
    """One file of the package."""

    path: str
    name: str
    text: str
    tree: ast.Module


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    """Every module of the package."""
    return [_read(path) for path in sorted((ROOT / "bayesdl").rglob("*.py"))]


def _read(path: Path) -> Module:
    place = path.relative_to(ROOT)
    parts = place.with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    text = path.read_text(encoding="utf-8")
    return Module(place.as_posix(), name, text, ast.parse(text, str(path)))
