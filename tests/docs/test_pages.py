"""The pages are run: what their blocks print and raise is what they show; links have targets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.pages import ROOT, expected, pages

DOCS = ROOT / "docs"


def _name(page: Path) -> str:
    return page.relative_to(DOCS).as_posix()


@pytest.mark.parametrize("page", pages(), ids=_name)
def test_page_shows_what_happens(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mend it with ``python -m tools.pages``, and read the difference."""
    monkeypatch.chdir(tmp_path)
    text = page.read_text(encoding="utf-8")
    assert expected(text) == text


def test_a_page_that_shows_something_else_is_found() -> None:
    """The control: wrong output is replaced; output or errors that are not shown are refused."""
    shown = "```python\nprint(1 + 1)\n```\n\n```text\n{}```\n"
    assert expected(shown.format("3\n")) == shown.format("2\n")
    with pytest.raises(ValueError, match="does not show"):
        expected("```python\nprint(1)\n```\n")
    raising = "```python\nimport bayesdl\n\nbayesdl.load('none.nc')\n```\n"
    with pytest.raises(ValueError, match="E103"):
        expected(raising)


def test_a_code_starts_a_module_of_its_own() -> None:
    """Names of one entry are unknown in the next; those of the setup are known in all."""
    page = (
        "```python\na = 1\n```\n## M101: x\n```python\nb = a\n```\n## M102: x\n```python\nb\n```\n"
    )
    with pytest.raises(NameError, match="'b'"):
        expected(page)


def test_links_lead_to_files() -> None:
    """Each relative link of the README and of the pages has a target."""
    broken = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
        if "://" not in link and not (page.parent / link).exists()
    ]
    assert not broken


def test_index_names_every_page() -> None:
    """Whoever opens docs/README.md finds all pages from there, or in a folder it names."""
    for index in sorted(DOCS.rglob("README.md")):
        text = index.read_text(encoding="utf-8")
        for page in sorted(index.parent.glob("*.md")):
            assert page == index or f"]({page.name})" in text, page
    top = (DOCS / "README.md").read_text(encoding="utf-8")
    for folder in sorted({page.parent for page in DOCS.rglob("*.md")} - {DOCS}):
        assert f"]({folder.name}" in top, folder
