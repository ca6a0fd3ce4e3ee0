"""Object code → address: load it, resolve BLAS and LAPACK by name, keep it alive."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, FileFinder
from importlib.util import module_from_spec
from types import ModuleType
from typing import Any

import llvmlite.binding as llvm

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
            address = self._engine.get_function_address(ENTRY)
        if not address:
            raise RuntimeError(f"the code does not define {ENTRY}")
        # A ctypes function releases the GIL while it runs.
        self.call = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)(
            address
        )


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
    try:
        module = _alone(name)
    except ImportError:
        module = import_module(f"scipy.linalg.{name}")
    found: dict[str, Any] = module.__pyx_capi__
    return found


def _alone(name: str) -> ModuleType:
    """A compiled module of ``scipy.linalg`` without the package around it, which takes 0.2 s.

    Raises
    ------
    ImportError
        If it has no file of its own, or needs its package.
    """
    whole = f"scipy.linalg.{name}"
    if "scipy.linalg" in sys.modules:
        return import_module(whole)
    # On Windows this also says where SciPy's libraries lie.
    folders = import_module("scipy").__path__
    for folder in folders:
        finder = FileFinder(
            os.path.join(folder, "linalg"), (ExtensionFileLoader, EXTENSION_SUFFIXES)
        )
        spec = finder.find_spec(whole)
        if spec is not None and spec.loader is not None:
            module = module_from_spec(spec)
            spec.loader.exec_module(module)
            # Listed while its package is not, it would never become the package's attribute.
            sys.modules.pop(whole, None)
            return module
    raise ImportError(f"{whole} has no file of its own", name=whole)
