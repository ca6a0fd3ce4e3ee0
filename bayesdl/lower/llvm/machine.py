"""The processor that code is made for, and LLVM's own state, which is shared by all threads."""

from __future__ import annotations

import ctypes
import re
import subprocess
import sys
import threading
from functools import cache
from typing import Any

import llvmlite
import llvmlite.binding as llvm
from llvmlite.binding import ffi

from bayesdl._base.config import config
from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ArgumentError, did_you_mean

# LLVM's global context, in which code is loaded, is not safe to use twice at once.
LOCK = threading.Lock()
# Names the processors that LLVM knows, and makes code for the one that is asked for.
_TRY = """
import sys
import llvmlite.binding as llvm
llvm.initialize_native_target()
llvm.initialize_native_asmprinter()
target = llvm.Target.from_default_triple()
target.create_target_machine(cpu="help")
machine = target.create_target_machine(cpu=sys.argv[1], jit=True)
machine.emit_object(llvm.parse_assembly("define void @f() { ret void }"))
"""

# Processors with AVX-512 that have this as well do not slow down where all of a register is used.
WIDE = "+avx512vbmi2"


@dataclass(frozen=True, slots=True)
class Registers:
    """The vector registers that code is written for.

    Parameters
    ----------
    size : int
        Bytes of each.
    count : int
        How many there are.
    """

    size: int
    count: int


def target_machine(level: int = 3) -> llvm.TargetMachine:
    """A code generator for this processor, or for the configured one.

    Parameters
    ----------
    level : int, default 3
        Its effort, from 0 to 3.
    """
    _initialised()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=processor(), features=features(), opt=level, jit=True
    )


@cache
def unlocked(name: str) -> Any:
    """A function of LLVM without the lock that llvmlite holds around all of them.

    For those that work on a context of their own: LLVM allows these to run side by side.

    Parameters
    ----------
    name : str
        As llvmlite's library exports it.
    """
    library = ctypes.CDLL(ffi.lib._name, handle=ffi.lib._handle)
    function, locked = getattr(library, name), getattr(ffi.lib, name)
    function.argtypes, function.restype = locked.argtypes, locked.restype
    return function


def processor() -> str:
    """The kind of processor that code is made for.

    Raises
    ------
    ArgumentError
        If LLVM makes no code for the configured one.
    """
    return _tried(config.cpu) if config.cpu else str(llvm.get_host_cpu_name())


def features() -> str:
    """What this processor can do, in LLVM's words; nothing beyond its kind for a configured one."""
    return "" if config.cpu else _host_features()


def registers() -> Registers:
    """The registers of this processor; those of AVX2 for a configured one, and for any without.

    LLVM cuts what is too wide for a processor into pieces, so that these are right everywhere.
    """
    return Registers(64, 32) if WIDE in features() else Registers(32, 16)


def is_x86() -> bool:
    """Whether this processor is of the family of which MXCSR is a register."""
    return str(llvm.get_default_triple()).startswith("x86_64")


def description() -> str:
    """All that decides which machine code LLVM makes of one text."""
    versions = llvmlite.__version__, llvm.llvm_version_info
    return repr((versions, llvm.get_default_triple(), processor(), features()))


@cache
def _tried(name: str) -> str:
    """A processor's name, tried in a process of its own: LLVM ends one that gives it a wrong name.

    Raises
    ------
    ArgumentError
        If it is wrong.
    """
    tried = subprocess.run(
        [sys.executable, "-c", _TRY, name], capture_output=True, text=True, check=False
    )
    known = re.findall(r"^  (\S+) +- Select the \1 processor", tried.stderr, re.M)
    if tried.returncode == 0 and name in known:
        return name
    guess = None if name in known else did_you_mean(name, known)
    raise ArgumentError(
        f"LLVM makes no code for the processor {name!r}.",
        facts=[("BAYESDL_CPU", name)],
        fix=f"BAYESDL_CPU={guess}, or leave it unset for code for this processor."
        if guess
        else "leave BAYESDL_CPU unset for code for this processor.",
        code="A120",
    )


@cache
def _host_features() -> str:
    """LLVM's list; by itself it would use half of a register of 64 bytes."""
    known = str(llvm.get_host_cpu_features().flatten())
    return f"{known},-prefer-256-bit" if WIDE in known else known


@cache
def _initialised() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
