"""House rules that a linter does not know."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from typing import Any

import pytest

# Optional or slow packages, and the rooms at whose door each may be imported inside a function.
DOORS = {
    "arviz": ("export", "criticism"),
    "h5netcdf": ("export",),
    "IPython": ("infer", "testing"),
    "jax": ("lower", "bench"),
    "matplotlib": ("bench", "criticism", "cli"),
    "pandas": ("criticism", "export"),
    "rich": ("infer", "cli"),
    "scipy": ("criticism", "lower", "testing"),
    "sklearn": ("datasets", "sklearn"),
    "xarray": ("export", "infer"),
}

# Where a house rule is broken on purpose: (rule, file) → reason.
ALLOWED = {
    (
        "reads_of_the_environment",
        "bayesdl/bench/process.py",
    ): "libraries learn from it, when they start, to use one thread",
}

TASKS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def local_imports(tree: ast.AST) -> Iterator[tuple[int, str, int]]:
    """(line, module, relative level) of each import inside a function."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            for node in ast.walk(function):
                if isinstance(node, ast.Import):
                    yield from ((node.lineno, alias.name, 0) for alias in node.names)
                elif isinstance(node, ast.ImportFrom):
                    yield node.lineno, node.module or "", node.level


def local_imports_of_ourselves(module: Any) -> Iterator[int]:
    """A function-local import of the package hides a cycle."""
    for line, name, level in local_imports(module.tree):
        if level or name.split(".")[0] == "bayesdl":
            yield line


def local_imports_away_from_the_door(module: Any) -> Iterator[int]:
    """A foreign package may be imported late only in the room that owns it."""
    room = module.name.split(".")[1] if "." in module.name else ""
    for line, name, level in local_imports(module.tree):
        package = name.split(".")[0]
        if not level and package != "bayesdl" and room not in DOORS.get(package, ()):
            yield line


def open_tasks(module: Any) -> Iterator[int]:
    """What is left to do belongs to an issue."""
    for token in tokenize.generate_tokens(io.StringIO(module.text).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING) and TASKS.search(token.string):
            yield token.start[0]


def calls_of_hasattr(module: Any) -> Iterator[int]:
    """A type says what it can do; nobody asks at run time."""
    yield from _calls(module.tree, "hasattr")


def calls_of_super(module: Any) -> Iterator[int]:
    """A class is abstract or final: one reads one body, not a chain of them."""
    yield from _calls(module.tree, "super")


def reads_of_the_environment(module: Any) -> Iterator[int]:
    """The switches are read in `_base/config.py` and nowhere else."""
    if module.name == "bayesdl._base.config":
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"):
            yield node.lineno


RULES = [
    local_imports_of_ourselves,
    local_imports_away_from_the_door,
    open_tasks,
    calls_of_hasattr,
    calls_of_super,
    reads_of_the_environment,
]

# One line of code that breaks each rule: a rule that cannot fail is no rule.
BREAKERS = {
    "local_imports_of_ourselves": "def f():\n    from .x import y",
    "local_imports_away_from_the_door": "def f():\n    import arviz",
    "open_tasks": "x = 1  # TODO: later",
    "calls_of_hasattr": "hasattr(x, 'y')",
    "calls_of_super": "super().f()",
    "reads_of_the_environment": "os.environ['X']",
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_is_kept(rule: Any, modules: list[Any]) -> None:
    """No module breaks the rule, but for the allow-list."""
    broken = [
        f"{module.path}:{line}"
        for module in modules
        if (rule.__name__, module.path) not in ALLOWED
        for line in rule(module)
    ]
    assert not broken, f"{rule.__doc__}\n" + "\n".join(broken)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_can_be_broken(rule: Any, modules: list[Any]) -> None:
    """Each rule finds its breaker."""
    text = BREAKERS[rule.__name__]
    module = type(modules[0])("bayesdl/ir/x.py", "bayesdl.ir.x", text, ast.parse(text))
    assert list(rule(module))


def test_allow_list_has_no_dead_lines(modules: list[Any]) -> None:
    """Each line of the allow-list is still needed."""
    rules = {rule.__name__: rule for rule in RULES}
    paths = {module.path: module for module in modules}
    assert all(list(rules[rule](paths[path])) for rule, path in ALLOWED)


def test_few_switches(modules: list[Any]) -> None:
    """At most eight environment variables; each one is a mode that somebody has to test."""
    config = next(module for module in modules if module.name == "bayesdl._base.config")
    assert len(set(re.findall(r'"(BAYESDL_\w+)"', config.text))) <= 8


def _calls(tree: ast.AST, name: str) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            yield node.lineno
