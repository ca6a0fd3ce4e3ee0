"""LLVM text → object code, with no more effort than its size is worth."""

from __future__ import annotations

import time

import llvmlite.binding as llvm

from .machine import LOCK, target_machine

# Above so many lines of text the last level of optimisation costs more time than it saves.
LONG = 60_000


def object_code(text: str, timings: dict[str, float]) -> bytes:
    """Relocatable machine code of a module: library routines are still names in it.

    Parameters
    ----------
    text : str
        A module of LLVM IR.
    timings : dict of str to float
        Receives the seconds of ``optimise`` and ``assemble``.

    Raises
    ------
    RuntimeError
        If LLVM does not take the text.
    """
    with LOCK:
        start = time.perf_counter()
        module, machine = _optimised(text)
        optimised = time.perf_counter()
        code: bytes = machine.emit_object(module)
        timings["optimise"] = optimised - start
        timings["assemble"] = time.perf_counter() - optimised
    return code


def optimised_text(text: str) -> str:
    """The module after LLVM's passes, to be read by people."""
    with LOCK:
        return str(_optimised(text)[0])


def assembly_text(text: str) -> str:
    """The module in the processor's own instructions, to be read by people."""
    with LOCK:
        module, machine = _optimised(text)
        return str(machine.emit_assembly(module))


def _optimised(text: str) -> tuple[llvm.ModuleRef, llvm.TargetMachine]:
    module, machine = llvm.parse_assembly(text), target_machine()
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    options = llvm.create_pipeline_tuning_options(speed_level=2 if text.count("\n") > LONG else 3)
    options.loop_vectorization = options.slp_vectorization = options.loop_interleaving = True
    options.loop_unrolling = True
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return module, machine
