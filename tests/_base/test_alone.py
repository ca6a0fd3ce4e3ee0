"""Compiled modules of SciPy without SciPy: the same functions, and the package can follow."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bayesdl._base import alone
from bayesdl._base.alone import load_alone

FIRST_ALONE = """
import sys
from bayesdl.ops.special import digamma, lgamma
found = float(lgamma(0.3)), float(digamma(0.3))
assert not any(m.startswith("scipy.special") for m in sys.modules), sorted(sys.modules)
import scipy.special
assert found == (scipy.special.gammaln(0.3), scipy.special.digamma(0.3))
assert abs(scipy.special.betainc(2.0, 3.0, 0.5) - 0.6875) < 1e-12
"""


def test_functions_are_computed_without_their_package_which_can_be_loaded_afterwards() -> None:
    done = subprocess.run([sys.executable, "-c", FIRST_ALONE], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


PACKAGE_FIRST = """
import scipy.linalg
from bayesdl._base.alone import load_alone
assert load_alone("scipy.linalg.cython_blas") is scipy.linalg.cython_blas
"""


def test_a_module_of_a_package_that_is_there_is_that_one() -> None:
    done = subprocess.run([sys.executable, "-c", PACKAGE_FIRST], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def test_a_module_without_a_file_is_an_import_error(monkeypatch) -> None:
    monkeypatch.delitem(sys.modules, "scipy.linalg", raising=False)
    monkeypatch.setattr(alone, "EXTENSION_SUFFIXES", [".none"])
    for name in ("scipy.linalg.cython_blas", "no_such_package.module"):
        with pytest.raises(ImportError, match="no file of its own"):
            load_alone(name)
