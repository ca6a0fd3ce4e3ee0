"""The tests mirror the package: who knows a module's name knows where its tests are."""

from __future__ import annotations

from pathlib import Path

# Folders that are organised by question rather than by room.
BY_QUESTION = {
    "architecture": "the repository itself",
    "docs": "what the documentation claims",
    "errors": "the text of each message, whichever room raises it",
    "golden": "Programs before and after a pass",
    "laws": "what every member of a registry obeys",
    "posterior": "statistical truth of whole runs",
    "programs": "random Programs through the whole compiler",
}

# Test files whose name is not that of a module, each with its reason.
ALLOWED: dict[str, str] = {
    "tests/infer/test_dtype.py": "one setting of `fit`, through every method",
}


def test_each_test_file_names_its_module(root: Path) -> None:
    """`tests/<room>/test_<module>.py` tests a module or a package of that name in that room."""
    strays = [
        place
        for place in _test_files(root)
        if Path(place).parts[1] not in BY_QUESTION
        and place not in ALLOWED
        and not _has_module(root, Path(place))
    ]
    assert not strays, "no module of that name in that room: " + ", ".join(strays)


def test_allow_list_has_no_dead_lines(root: Path) -> None:
    """Each line of the allow-list is still needed."""
    needed = {p for p in _test_files(root) if not _has_module(root, Path(p))}
    assert set(ALLOWED) <= needed


def _test_files(root: Path) -> list[str]:
    return sorted(p.relative_to(root).as_posix() for p in (root / "tests").rglob("test_*.py"))


def _has_module(root: Path, test: Path) -> bool:
    name = test.stem.removeprefix("test_")
    room = root / "bayesdl" / Path(*test.parts[1:-1])
    return any(
        (folder / f"{prefix}{name}.py").exists() or (folder / f"{prefix}{name}").is_dir()
        for folder in [room, *(p for p in room.rglob("*") if p.is_dir())]
        for prefix in ("", "_")
    )
