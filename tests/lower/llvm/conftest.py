"""What the tests of this room share: native code against the interpreter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from bayesdl.ir.check import check
from bayesdl.ir.program import Program
from bayesdl.ir.text import from_text
from bayesdl.lower.interpret import interpret_program
from bayesdl.lower.llvm import compile_program, lanes, nests, wide
from bayesdl.lower.llvm.machine import Registers

Compare = Callable[..., list[np.ndarray]]


def _compare(
    program: Program | str, *inputs: Any, rtol: float = 1e-12, atol: float = 1e-12
) -> list[np.ndarray]:
    """Native outputs, after a look at the interpreter's: equal bits but for floats."""
    if isinstance(program, str):
        program = from_text(program)
    check(program)
    arrays = [np.asarray(x, t.dtype) for x, t in zip(inputs, program.input_types, strict=True)]
    wanted: Sequence[np.ndarray] = interpret_program(program)(*arrays)
    executable = compile_program(program)
    executable(*arrays)  # The second call meets a workspace that has been used.
    found = executable(*arrays)
    for have, want in zip(found, wanted, strict=True):
        assert have.dtype == want.dtype
        if want.dtype.kind == "f":
            loose = 1.0 if want.dtype == np.float64 else 1e6
            np.testing.assert_allclose(have, want, rtol=rtol * loose, atol=atol * loose)
        else:
            np.testing.assert_array_equal(have, want)
    return found


@pytest.fixture
def same() -> Compare:
    """Compile a Program (or its text), compare with the interpreter, give the outputs."""
    return _compare


AVX2, AVX512 = Registers(32, 16), Registers(64, 32)


def _written_for(monkeypatch: pytest.MonkeyPatch, registers: Registers) -> Registers:
    for module in (lanes, nests, wide):
        monkeypatch.setattr(module, "registers", lambda: registers)
    return registers


@pytest.fixture(params=[AVX2, AVX512], ids=["avx2", "avx512"])
def registers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Registers:
    """Code is written for either kind of registers; LLVM cuts those that the machine lacks."""
    return _written_for(monkeypatch, request.param)


@pytest.fixture
def avx2(monkeypatch: pytest.MonkeyPatch) -> Registers:
    """Code is written for registers of 32 bytes, for tests of what is written."""
    return _written_for(monkeypatch, AVX2)
