"""The one-file twin runs, stays small, and needs NumPy alone."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "docs" / "from_scratch.py"


def test_runs_and_agrees_with_the_exact_posterior(tmp_path: Path) -> None:
    """Its own assertions hold, and it prints what its prose claims.

    The script compares six HMC averages with a grid at six standard errors (t with 63 degrees of
    freedom): false-alarm rate 6e-7, seeds 3 and 4.
    """
    run = subprocess.run(
        [sys.executable, "-W", "error", str(SCRIPT)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    for part in ("program(%v0: f64[3]):", "Its gradient", "An HMC trajectory", "exact", "HMC"):
        assert part in run.stdout
    assert run.stdout.rstrip().endswith("The sampler agrees with the exact posterior.")


def test_stays_one_short_file() -> None:
    """At most 400 lines of at most 100 characters, so that it can be read in one go."""
    lines = SCRIPT.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 400
    assert max(map(len, lines)) <= 100


def test_needs_numpy_alone() -> None:
    """It imports the standard library and NumPy: never the package that it explains."""
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"))
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])
    assert imported - set(sys.stdlib_module_names) == {"numpy"}


def test_uses_the_nouns_of_the_library() -> None:
    """The twin teaches the library's own words."""
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"))
    bound = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            bound |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    words = {"Program", "Equation", "Var", "Literal", "Primitive", "bind", "trace", "jvp", "vjp"}
    assert words | {"vmap", "grad", "sample", "log_density", "leapfrog", "lower"} <= bound
