"""The native backend: a Program, control flow included, becomes one function of machine code."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesdl._base.errors import CompileError
from bayesdl.ir.program import Program
from bayesdl.lower.executable import Array, Executable

from . import control, factors, products, routines, windows
from .emit import Unit
from .link import Linked, optimised_text

__all__ = ["compile_program", "emitted_text"]

_FAMILIES = (control, factors, products, routines, windows)


def compile_program(program: Program) -> Executable:
    """Compile a Program to machine code for this processor.

    Parameters
    ----------
    program : Program

    Returns
    -------
    Executable
        Runs without Python and without the GIL; any number of threads may call it at once.

    Raises
    ------
    CompileError
        If an equation has no native code or LLVM refuses the module; the Program is in the message.
    """
    return NativeExecutable(program)


def emitted_text(program: Program, optimised: bool = False) -> str:
    """The LLVM IR of a Program, for reading.

    Parameters
    ----------
    program : Program
    optimised : bool, default False
        After LLVM's passes.
    """
    text = Unit(program).text()
    return optimised_text(text) if optimised else text


class NativeExecutable(Executable):
    """A Program as machine code."""

    def __init__(self, program: Program) -> None:
        Executable.__init__(self, program)
        unit = Unit(program)
        text = unit.text()
        self.timings.update(unit.timings)
        try:
            self._linked = Linked(text, unit.module.externals, self.timings)
        except RuntimeError as error:
            raise CompileError(
                f"LLVM refused the code of the Program {program.name!r}.",
                facts=[("cause", str(error).strip())],
                note=f"\n{program!r}",
                fix="please report this with the Program above.",
                code="C103",
            ) from error
        self._constants = unit.module.constants
        self._table = _Addresses(len(self._constants))(self._constants)
        self._arrays = _Addresses(len(program.inputs) + len(program.outputs))
        self._size = unit.workspace
        self._memory = _Workspace()

    def _run(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        arrays = self._arrays((*inputs, *outputs))
        self._linked.call(arrays, self._memory.address(self._size), self._table)


class _Addresses:
    """Makes tables of so many addresses; the table's type is made once, for that is slow."""

    def __init__(self, count: int) -> None:
        self.table = ctypes.c_void_p * count

    def __call__(self, arrays: Sequence[Array]) -> Any:
        return self.table(*[a.__array_interface__["data"][0] for a in arrays])


class _Workspace(threading.local):
    """Each thread's own buffer for what lies between inputs and outputs; kept from call to call."""

    def __init__(self) -> None:
        self.start = 0

    def address(self, size: int) -> int:
        """Where the buffer begins: a multiple of 64."""
        if not self.start:
            self.buffer = np.empty(size + 64, np.uint8)
            self.start = -(-self.buffer.ctypes.data // 64) * 64
        return self.start
