"""Every public name is documented."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import bayesdl

Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def test_public_definitions_have_docstrings(modules: list[Any]) -> None:
    """Public modules, classes, functions and methods; a method may inherit its docstring."""
    inherited = set(_documented_methods(modules))
    missing = [
        f"{module.path}:{line} {name}"
        for module in modules
        for line, name in _undocumented(module, inherited)
    ]
    assert not missing, "\n".join(missing)


def test_exported_names_have_docstrings() -> None:
    """Each name of `bayesdl.__all__` exists and says what it is; data are said by their type."""
    names = vars(bayesdl).get("__all__", [])
    missing = [name for name in names if not (getattr(bayesdl, name).__doc__ or "").strip()]
    assert not missing


def _documented_methods(modules: list[Any]) -> Iterator[str]:
    # A method of this name is documented by some class, which is where its overrides inherit it.
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                yield from (
                    method.name
                    for method in node.body
                    if isinstance(method, ast.FunctionDef) and ast.get_docstring(method)
                )


def _undocumented(module: Any, inherited: set[str]) -> Iterator[tuple[int, str]]:
    if module.text.strip() and not ast.get_docstring(module.tree):
        yield 1, module.name
    if any(part.startswith("_") for part in module.name.split(".")):
        return
    for node in module.tree.body:
        if isinstance(node, Documented) and not node.name.startswith("_"):
            if not ast.get_docstring(node):
                yield node.lineno, node.name
            if isinstance(node, ast.ClassDef):
                yield from _undocumented_methods(node, inherited)


def _undocumented_methods(owner: ast.ClassDef, inherited: set[str]) -> Iterator[tuple[int, str]]:
    for method in owner.body:
        if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
            overrides = bool(owner.bases) and method.name in inherited
            if not ast.get_docstring(method) and not overrides:
                yield method.lineno, f"{owner.name}.{method.name}"
