"""LLVM text → address: optimise for this machine, resolve BLAS and LAPACK, keep the code alive."""

from __future__ import annotations

import ctypes
import threading
import time
from functools import cache

import llvmlite.binding as llvm

from .emit import ENTRY

# Above so many lines of text the last level of optimisation costs more time than it saves.
LONG = 60_000

_LOCK = threading.Lock()


class Linked:
    """Machine code in memory, for as long as this object lives.

    Parameters
    ----------
    text : str
        A module of LLVM IR that defines the entry.
    externals : iterable of str
        BLAS and LAPACK routines that it calls.
    timings : dict of str to float
        Receives the seconds of ``optimise`` and ``link``.
    """

    def __init__(self, text: str, externals: set[str], timings: dict[str, float]) -> None:
        # LLVM's target machine is shared, and its passes are not safe to run twice at once.
        with _LOCK:
            start = time.perf_counter()
            module = llvm.parse_assembly(text)
            machine = _machine()
            module.triple, module.data_layout = machine.triple, str(machine.target_data)
            _optimise(module, machine, 2 if text.count("\n") > LONG else 3)
            timings["optimise"] = time.perf_counter() - start
            start = time.perf_counter()
            for name in externals:
                llvm.add_symbol(name, _routine(name))
            self._engine = llvm.create_mcjit_compiler(module, _fresh_machine())
            self._engine.finalize_object()
            address = self._engine.get_function_address(ENTRY)
            timings["link"] = time.perf_counter() - start
        # A ctypes function releases the GIL while it runs.
        self.call = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)(
            address
        )


def optimised_text(text: str) -> str:
    """The module after LLVM's passes, to be read by people."""
    with _LOCK:
        module = llvm.parse_assembly(text)
        _optimise(module, _machine(), 3)
        return str(module)


def _optimise(module: llvm.ModuleRef, machine: llvm.TargetMachine, level: int) -> None:
    options = llvm.create_pipeline_tuning_options(speed_level=level)
    options.loop_vectorization = options.slp_vectorization = options.loop_interleaving = True
    options.loop_unrolling = True
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)


@cache
def _machine() -> llvm.TargetMachine:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return _fresh_machine()


def _fresh_machine() -> llvm.TargetMachine:
    """A compiler for this processor; an engine takes possession of its own."""
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        jit=True,
    )


@cache
def _routine(name: str) -> int:
    """The address of a BLAS or LAPACK routine inside SciPy.

    Raises
    ------
    ImportError
        If its integers are not 32 bits wide, which is what the calls are written for.
    """
    from scipy.linalg import cython_blas, cython_lapack

    found = {**cython_lapack.__pyx_capi__, **cython_blas.__pyx_capi__}[name]
    signature = ctypes.pythonapi.PyCapsule_GetName
    signature.restype, signature.argtypes = ctypes.c_char_p, [ctypes.py_object]
    text = signature(found)
    if b"int *" not in text:
        raise ImportError(f"SciPy's {name} does not take 32-bit integers: {text.decode()}")
    address = ctypes.pythonapi.PyCapsule_GetPointer
    address.restype, address.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return int(address(found, text))
