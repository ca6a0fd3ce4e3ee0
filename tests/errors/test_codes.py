"""Each code has an entry in docs/errors, each entry a code, and each code one meaning."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = re.compile(r"[A-Z]\d{3}")

# Entries without an example: what they need cannot be made, or made safely, in a test.
WITHOUT_EXAMPLE = {
    "A103": "a package that is not installed",
    "A109": "another interpreter",
    "A110": "the command line",
    "A113": "a folder that is not there",
    "A120": "the environment",
    "A121": "the command line",
    "A122": "the command line",
    "B101": "a process that fails",
    "C101": "a fault of ours",
    "C102": "a fault of ours",
    "C103": "a fault of ours",
    "C104": "a machine that is full",
    "E104": "a file of a model that is gone, without Programs",
    "E106": "a damaged file",
    "E122": "a folder that was removed",
    "E123": "a process that is killed",
    "E124": "a file that was removed",
    "S103": "Ctrl-C",
    "S120": "a full disk or dead workers",
    "S121": "more draws than memory holds",
    "S122": "more draws than the disk holds",
}


@cache
def raised() -> dict[str, set[str]]:
    """The codes in the package, each with the classes of the errors that carry it."""
    found: dict[str, set[str]] = defaultdict(set)
    for code, kind, _ in _errors():
        found[code].add(kind)
    return found


def entries() -> dict[str, str]:
    """The entries of the pages: code to text."""
    parts = [
        part
        for page in sorted((ROOT / "docs" / "errors").glob("*.md"))
        for part in re.split(r"^## ", page.read_text(encoding="utf-8"), flags=re.M)[1:]
    ]
    codes = [part[:4] for part in parts]
    assert len(set(codes)) == len(codes), "a code has two entries"
    return dict(zip(codes, parts, strict=True))


def test_each_code_has_an_entry_and_each_entry_a_code() -> None:
    assert set(raised()) == set(entries())


def test_entries_name_the_classes() -> None:
    """The first line of an entry names the classes of the errors that carry the code."""
    for code, text in entries().items():
        first = text.partition("\n\n")[2].partition(".")[0]
        assert set(re.findall(r"`(\w+)`", first)) == raised()[code], code


def test_entries_have_an_example_and_its_mended_version() -> None:
    """What fails, the message with this code, and what works; tests/docs runs them."""
    for code, text in entries().items():
        if code in WITHOUT_EXAMPLE:
            assert "```" not in text, code
            continue
        kinds = re.findall(r"^```(\w+)$", text, flags=re.M)
        assert kinds == ["python", "text", "python"], code
        assert f"\n  [{code}]\n```" in text, code


def test_one_headline_one_code() -> None:
    """The same sentence never carries two codes."""
    codes: dict[str, set[str]] = defaultdict(set)
    for code, _, headline in _errors():
        codes[headline].add(code)
    assert {h: c for h, c in codes.items() if len(c) > 1} == {}


def test_no_error_without_a_code() -> None:
    """Every error of ours that is made in the package carries a code."""
    kinds = {kind for _, kind, _ in _errors()}
    bare = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path, call in _calls()
        if _name(call) in kinds and not any(k.arg == "code" for k in call.keywords)
    ]
    assert not bare


@cache
def _errors() -> list[tuple[str, str, str]]:
    """(code, class, headline) of each error that is made in the package."""
    found = []
    for _, call in _calls():
        for keyword in call.keywords:
            value = keyword.value
            if keyword.arg == "code" and isinstance(value, ast.Constant) and call.args:
                assert CODE.fullmatch(str(value.value)), value.value
                found.append((str(value.value), _name(call), ast.unparse(call.args[0])))
    return found


@cache
def _calls() -> list[tuple[Path, ast.Call]]:
    return [
        (path, node)
        for path in sorted((ROOT / "bayesdl").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    ]


def _name(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""
