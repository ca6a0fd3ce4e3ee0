"""Object code → address: load it, resolve BLAS and LAPACK by name, keep it alive."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from typing import Any

import llvmlite.binding as llvm

from bayesdl._base.alone import load_alone

from .machine import LOCK, target_machine

ENTRY = "bdl_entry"


class Linked:
    """Machine code in memory, for as long as this object lives.

    Parameters
    ----------
    codes : iterable of bytes
        Object files that refer to each other; one defines the entry.
    externals : iterable of str
        BLAS and LAPACK routines that it calls.

    Raises
    ------
    RuntimeError
        If the code cannot be loaded.
    """

    def __init__(self, codes: Iterable[bytes], externals: Iterable[str]) -> None:
        with LOCK:
            for name in externals:
                llvm.add_symbol(name, _routine(name))
            machine = target_machine()
            # An engine is made for a module; this one brings its code as objects instead.
            self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
            for code in codes:
                self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
            self._engine.finalize_object()
        self.call = self.function(ENTRY, 3)

    def function(self, name: str, arguments: int) -> Callable[..., None]:
        """A function of the code, of so many addresses; it runs without the GIL.

        It may be called for as long as this object lives.

        Raises
        ------
        RuntimeError
            If the code does not define it.
        """
        with LOCK:
            address = self._engine.get_function_address(name)
        if not address:
            raise RuntimeError(f"the code does not define {name}")
        return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * arguments)(address)


@cache
def _routine(name: str) -> int:
    """The address of a BLAS or LAPACK routine inside SciPy.

    Raises
    ------
    ImportError
        If its integers are not 32 bits wide, which is what the calls are written for.
    """
    blas = _functions("cython_blas")
    found = blas[name] if name in blas else _functions("cython_lapack")[name]
    signature = ctypes.pythonapi.PyCapsule_GetName
    signature.restype, signature.argtypes = ctypes.c_char_p, [ctypes.py_object]
    text = signature(found)
    if b"int *" not in text:
        raise ImportError(f"SciPy's {name} does not take 32-bit integers: {text.decode()}")
    address = ctypes.pythonapi.PyCapsule_GetPointer
    address.restype, address.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return int(address(found, text))


@cache
def _functions(name: str) -> dict[str, Any]:
    """The C functions of a module of ``scipy.linalg``, in capsules."""
    whole = f"scipy.linalg.{name}"
    try:
        module = load_alone(whole)
    except ImportError:
        module = import_module(whole)
    found: dict[str, Any] = module.__pyx_capi__
    return found
