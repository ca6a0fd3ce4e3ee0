"""Imports point down only: the contracts of pyproject.toml hold, and each of them can fail."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

# Contract → an import that it forbids: (importer, line).
TRESPASSES = {
    "house": ("bayesdl.ir.planted", "import bayesdl.tracing"),
    "two-towers": ("bayesdl.lower.planted", "import bayesdl.dist"),
    "two-towers-back": ("bayesdl.model.planted", "import bayesdl.pipeline"),
    "ops-order": ("bayesdl.ops.structural.shape", "import bayesdl.ops.array"),
    "transforms-apart": ("bayesdl.transform.vjp", "import bayesdl.transform.jvp"),
    "backends-apart": ("bayesdl.lower.llvm", "import bayesdl.lower.interpret"),
    "kernels-know-a-density": ("bayesdl.infer.mcmc.planted", "import bayesdl.model"),
    "foreign-at-the-door": ("bayesdl.ir.planted", "import llvmlite"),
    "no-cycles": ("bayesdl.infer.planted", "import bayesdl.export"),
}
LINT = "from importlinter.cli import lint_imports_command as lint; lint()"


def lint(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run Import Linter in a folder that holds a package and pyproject.toml."""
    return subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache", *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def test_contracts_hold(root: Path) -> None:
    """Every import points to a lower floor, and every room has a floor."""
    run = lint(root)
    assert run.returncode == 0, run.stdout + run.stderr


def test_each_contract_has_its_trespass(root: Path) -> None:
    """A new contract comes with an import that breaks it."""
    assert set(TRESPASSES) == {contract["id"] for contract in _contracts(root)}


def test_an_empty_house_is_kept(root: Path, tmp_path: Path) -> None:
    """The control of the tests below: without a trespass the skeleton passes."""
    _skeleton(root, tmp_path)
    run = lint(tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("contract", TRESPASSES)
def test_each_contract_can_fail(root: Path, tmp_path: Path, contract: str) -> None:
    """A planted import breaks its contract."""
    _skeleton(root, tmp_path)
    importer, line = TRESPASSES[contract]
    _write(tmp_path, importer, line)
    if contract == "no-cycles":
        _write(tmp_path, "bayesdl.export.planted", "import bayesdl.infer")
    run = lint(tmp_path, "--contract", contract)
    assert run.returncode == 1
    assert "BROKEN" in run.stdout


def test_a_room_without_a_floor_fails(root: Path, tmp_path: Path) -> None:
    """The layer list is the map of the house."""
    _skeleton(root, tmp_path)
    _write(tmp_path, "bayesdl.attic", "")
    run = lint(tmp_path, "--contract", "house")
    assert run.returncode == 1
    assert "attic" in run.stdout


def _contracts(root: Path) -> list[dict[str, Any]]:
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    contracts: list[dict[str, Any]] = settings["tool"]["importlinter"]["contracts"]
    return contracts


def _skeleton(root: Path, folder: Path) -> None:
    """An empty module for each name in the contracts: the house without its furniture."""
    shutil.copy(root / "pyproject.toml", folder)
    for contract in _contracts(root):
        for container in contract.get("containers", []):
            for layer in contract["layers"]:
                for name in re.findall(r"\w+", layer):
                    _write(folder, f"{container}.{name}", "")
        for field in ("modules", "source_modules", "forbidden_modules"):
            for name in contract.get(field, []):
                if name.startswith("bayesdl."):
                    _write(folder, name, "")


def _write(folder: Path, module: str, code: str) -> None:
    """A module as a package, with those above it."""
    path = folder
    for part in module.split("."):
        path = path / part
        path.mkdir(exist_ok=True)
        init = path / "__init__.py"
        init.write_text(init.read_text() if init.exists() else '"""Empty."""\n', encoding="utf-8")
    (path / "__init__.py").write_text(f'"""Planted."""\n{code}\n', encoding="utf-8")
