"""Native code and what it needs beside it: what a run takes, and what the disk cache keeps."""

from __future__ import annotations

import ctypes
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.ir.program import Program
from bayesdl.lower.executable import Array, Executable

from .crew import WORK, Crew
from .link import Linked


@dataclass(frozen=True)
class Native:
    """Machine code that any process on this kind of processor can load.

    Parameters
    ----------
    name : str
        Of the Program, for people.
    codes : tuple of bytes
        Object files that refer to each other.
    externals : tuple of str
        BLAS and LAPACK routines that it calls.
    workspace : int
        Bytes that a call needs.
    constants : tuple of ndarray
        What the code reads through its table of constants.
    seconds : float
        What it took to make.
    shares : bool
        Whether it has loops that a crew of threads may share.
    """

    name: str
    codes: tuple[bytes, ...]
    externals: tuple[str, ...]
    workspace: int
    constants: tuple[Array, ...]
    seconds: float
    shares: bool = False

    def to_bytes(self) -> bytes:
        """All of it as one string of bytes."""
        head = {
            "name": self.name,
            "externals": self.externals,
            "workspace": self.workspace,
            "constants": [(c.dtype.str, c.shape) for c in self.constants],
            "codes": [len(c) for c in self.codes],
            "seconds": self.seconds,
            "shares": self.shares,
        }
        text = json.dumps(head).encode()
        arrays = (c.tobytes() for c in self.constants)
        return b"".join([len(text).to_bytes(8, "little"), text, *arrays, *self.codes])

    @classmethod
    def from_bytes(cls, content: bytes) -> Native:
        """The inverse of `to_bytes`.

        Raises
        ------
        ValueError
            If another version of this class wrote it.
        """
        at = 8 + int.from_bytes(content[:8], "little")
        head = json.loads(content[8:at])
        if head.keys() != {f.name for f in fields(cls)}:
            raise ValueError(f"an entry of another format: {', '.join(head)}")
        constants = []
        for dtype, shape in head["constants"]:
            count = int(np.prod(shape, dtype=np.int64))
            # Copied, because the code takes it that an array begins at a multiple of its items.
            constants.append(np.frombuffer(content, dtype, count, at).reshape(shape).copy())
            at += constants[-1].nbytes
        codes = []
        for size in head["codes"]:
            codes.append(content[at : at + size])
            at += size
        return cls(
            head["name"],
            tuple(codes),
            tuple(head["externals"]),
            head["workspace"],
            tuple(constants),
            head["seconds"],
            head["shares"],
        )


class NativeExecutable(Executable):
    """A Program as machine code.

    Parameters
    ----------
    program : Program
    native : Native
        Its code.
    """

    def __init__(self, program: Program, native: Native) -> None:
        Executable.__init__(self, program)
        self.native = native
        self.calls_blas = bool(native.externals)
        self.call_bytes += native.workspace
        start = time.perf_counter()
        self._linked = Linked(native.codes, native.externals)
        self.timings["link"] = time.perf_counter() - start
        self._table = _Addresses(1 + len(native.constants))
        self._arrays = _Addresses(len(program.inputs) + len(program.outputs))
        self._memory = _Workspace()

    def _missing_workspace(self) -> int:
        return 0 if self._memory.start else self.native.workspace

    def _run(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        arrays, memory = self._arrays((*inputs, *outputs)), self._memory
        crew = None if memory.crew is None else memory.crew.address
        table = self._table(self.native.constants, crew)
        self._linked.call(arrays, memory.address(self.native.workspace), table)

    @contextmanager
    def helped(self, count: int) -> Iterator[None]:
        if not count or not self.native.shares or self._memory.crew is not None:
            yield
            return
        self._memory.crew = Crew(count, self._linked.function(WORK, 1))
        try:
            yield
        finally:
            self._memory.crew.dismiss()
            self._memory.crew = None


class _Addresses:
    """Makes tables of so many addresses; the table's type is made once, for that is slow."""

    def __init__(self, count: int) -> None:
        self.table = ctypes.c_void_p * count

    def __call__(self, arrays: Sequence[Array], *first: int | None) -> Any:
        return self.table(*first, *[a.__array_interface__["data"][0] for a in arrays])


class _Workspace(threading.local):
    """What each thread has of its own: a buffer that is kept from call to call, and its helpers."""

    def __init__(self) -> None:
        self.start = 0
        self.crew: Crew | None = None

    def address(self, size: int) -> int:
        """Where the buffer begins: a multiple of 64."""
        if not self.start:
            self.buffer = np.empty(size + 64, np.uint8)
            self.start = -(-self.buffer.ctypes.data // 64) * 64
        return self.start
