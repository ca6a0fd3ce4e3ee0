"""The generated export blocks are fresh, and the generator does what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.exports import PACKAGE, main, refreshed, stale_rooms

NORMAL = "@distribution\nclass Normal(Distribution):\n    pass\n\n\nclass Helper:\n    pass\n"
INIT = '"""A room."""\n\nfrom ._base import Distribution as Distribution\n'


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package with one room of one member."""
    for room in ("bijectors", "dist", "nn"):
        (tmp_path / room).mkdir()
    (tmp_path / "dist" / "normal.py").write_text(NORMAL, encoding="utf-8")
    (tmp_path / "dist" / "__init__.py").write_text(INIT, encoding="utf-8")
    return tmp_path


def test_exports_are_fresh() -> None:
    """Every declared member is exported."""
    assert not stale_rooms(PACKAGE), "run `make exports`"


def test_a_new_member_makes_its_room_stale(package: Path) -> None:
    """Writing mends what checking found, and is then at rest."""
    assert main(["--check", "--package", str(package)]) == 1
    assert main(["--package", str(package)]) == 0
    assert main(["--check", "--package", str(package)]) == 0
    text = (package / "dist" / "__init__.py").read_text(encoding="utf-8")
    assert text.startswith(INIT)
    assert "    from .normal import Normal as Normal\n" in text
    assert '"Normal": "normal",\n' in text
    assert '__all__ = [\n    "Distribution",\n    "Normal",\n]' in text
    assert "Helper" not in text


def test_a_member_that_went_away_goes(package: Path) -> None:
    """A block that names what is no longer declared is stale."""
    main(["--package", str(package)])
    (package / "dist" / "normal.py").write_text('"""Empty."""\n', encoding="utf-8")
    assert [path.parent.name for path in stale_rooms(package)] == ["dist"]


def test_one_name_twice_is_refused(package: Path) -> None:
    """Two members of one room cannot share a name."""
    (package / "dist" / "other.py").write_text(NORMAL, encoding="utf-8")
    with pytest.raises(SystemExit, match=r"Normal is declared in normal\.py and in other\.py"):
        stale_rooms(package)


def test_a_room_without_a_front_door_is_refused(package: Path) -> None:
    """Members need an `__init__.py` to be exported from."""
    (package / "dist" / "__init__.py").unlink()
    with pytest.raises(SystemExit, match="is missing"):
        stale_rooms(package)


def test_what_follows_the_block_is_kept() -> None:
    """The block is replaced in place."""
    text = refreshed('"""A room."""\n', {"Normal": "normal"}) + "\nVERSION = 1\n"
    again = refreshed(text, {"Beta": "beta"})
    assert again.endswith("# --- end of exports ---\n\nVERSION = 1\n")
    assert "Normal" not in again
