"""From text to an address: what LLVM refuses is an error, what it accepts can be freed."""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bayesdl._base.errors import CompileError
from bayesdl.ir.text import from_text
from bayesdl.lower.llvm import code, compile_program
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
