"""From text to an address: what LLVM refuses is an error, what it accepts can be freed."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bayesdl._base import alone
from bayesdl._base.errors import CompileError
from bayesdl.ir.text import from_text
from bayesdl.lower.llvm import code, compile_program, link
from bayesdl.lower.llvm.link import _routine

PROGRAM = "program f(%a: f64[3]):\n  %b: f64[3] = exp %a\n  return %b"


def test_what_llvm_refuses_is_our_error(monkeypatch) -> None:
    monkeypatch.setattr(code.Module, "text", lambda self: "this is no module")
    with pytest.raises(CompileError, match="LLVM refused the code") as caught:
        compile_program(from_text(PROGRAM))
    assert caught.value.code == "C103"
    assert "%b: f64[3] = exp %a" in str(caught.value)


@pytest.mark.parametrize("name", ["dgemm", "sgemm", "dpotrf", "dgetrf", "dgetrs", "dtrsm"])
def test_routines_are_found(name: str) -> None:
    assert _routine(name) == _routine(name) != 0


def test_a_routine_that_is_not_there() -> None:
    with pytest.raises(KeyError):
        _routine("nothing")


WITHOUT_THE_PACKAGE = """
import sys
from bayesdl.lower.llvm.link import _routine
names = "dgemm", "dpotrf"
ours = [_routine(n) for n in names]
assert not any(m.startswith("scipy.linalg") for m in sys.modules), sorted(sys.modules)
import numpy as np
import scipy.linalg.cython_blas, scipy.linalg.cython_lapack
assert {"dgemm"} < set(scipy.linalg.cython_blas.__pyx_capi__)
assert np.allclose(scipy.linalg.cholesky(4 * np.eye(2)), 2 * np.eye(2))
_routine.cache_clear()
from bayesdl.lower.llvm import link
link._functions.cache_clear()
assert ours == [_routine(n) for n in names]
"""


def test_routines_are_found_without_their_package_which_can_be_loaded_afterwards() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_THE_PACKAGE], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def test_routines_come_from_the_package_where_the_module_has_no_file(monkeypatch) -> None:
    expected = _routine("dgemm")
    monkeypatch.delitem(sys.modules, "scipy.linalg", raising=False)
    monkeypatch.setattr(alone, "EXTENSION_SUFFIXES", [".none"])
    link._functions.cache_clear()
    assert _routine.__wrapped__("dgemm") == expected


def test_machine_code_dies_with_its_executable() -> None:
    executable = compile_program(from_text(PROGRAM))
    engine = weakref.ref(executable._linked._engine)
    del executable
    gc.collect()
    assert engine() is None


def test_compiling_in_many_threads() -> None:
    def work(i: int) -> float:
        text = PROGRAM.replace("[3]", f"[{i + 1}]")
        return float(compile_program(from_text(text))(np.zeros(i + 1))[0].sum())

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(16))) == [i + 1.0 for i in range(16)]
