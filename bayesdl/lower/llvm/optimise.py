"""LLVM text → object code, with no more effort than its size is worth."""

from __future__ import annotations

import time
from ctypes import string_at

import llvmlite.binding as llvm
from llvmlite.binding import ffi
from llvmlite.binding.newpassmanagers import NewPassManager

from .machine import target_machine, unlocked

# The level at which nothing is spared.
ALL = 3

# Above so many lines of text the last level of optimisation costs more time than it saves.
LONG = 60_000

# How a function says what a loop over several elements may call in its place.
VARIANT = '"vector-function-abi-variant"'

# What code outside of hot loops gets: it is folded, and common values are computed once. Where the
# code generator spills every number, that is as much work again and makes nothing faster.
QUICK = ("global_dead_code_eliminate", "simplify_cfg")
LIGHT = (*QUICK, "instruction_combine", "new_gvn", "simplify_cfg", "dead_code_elimination")


def object_code(text: str, level: int) -> tuple[bytes, dict[str, float]]:
    """Relocatable machine code of a module: what it does not define is still a name in it.

    Several threads may do this at once, without waiting for each other.

    Parameters
    ----------
    text : str
        A module of LLVM IR.
    level : int
        Of the code generator's effort, 0 to 3; with 3 the text gets all of LLVM's passes too, and
        hardly any with 0.

    Returns
    -------
    code : bytes
    timings : dict of str to float
        The seconds of ``optimise`` and ``assemble``.

    Raises
    ------
    RuntimeError
        If LLVM does not take the text.
    """
    start = time.perf_counter()
    module, machine = _optimised(text, level)
    optimised = time.perf_counter()
    code = _assembled(module, machine)
    done = time.perf_counter()
    return code, {"optimise": optimised - start, "assemble": done - optimised}


def optimised_text(text: str, level: int) -> str:
    """The module after LLVM's passes, to be read by people."""
    return str(_optimised(text, level)[0])


def assembly_text(text: str, level: int) -> str:
    """The module in the processor's own instructions, to be read by people."""
    module, machine = _optimised(text, level)
    return str(machine.emit_assembly(module))


def _optimised(text: str, level: int) -> tuple[llvm.ModuleRef, llvm.TargetMachine]:
    module = llvm.parse_assembly(text, llvm.create_context())
    machine = target_machine(level)
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    options = llvm.create_pipeline_tuning_options(speed_level=2 if text.count("\n") > LONG else 3)
    options.loop_vectorization = options.slp_vectorization = options.loop_interleaving = True
    options.loop_unrolling = True
    builder = llvm.create_pass_builder(machine, options)
    _run(builder.getModulePassManager() if level == ALL else _light(level), module, builder)
    if level == ALL and VARIANT in text:
        _run(_written_out(), module, builder)
    return module, machine


def _run(passes: llvm.ModulePassManager, module: llvm.ModuleRef, builder: llvm.PassBuilder) -> None:
    """Run passes once, and free them: of a module's passes llvmlite's own `close` frees nothing."""
    try:
        unlocked("LLVMPY_RunNewModulePassManager")(passes, module, builder)
    finally:
        NewPassManager._dispose(passes)
        passes.detach()


def _assembled(module: llvm.ModuleRef, machine: llvm.TargetMachine) -> bytes:
    with ffi.OutputString() as error:
        buffer = unlocked("LLVMPY_TargetMachineEmitToMemory")(machine, module, 1, error)
        if not buffer:
            raise RuntimeError(str(error))
    try:
        start, size = (getattr(ffi.lib, f"LLVMPY_GetBuffer{x}")(buffer) for x in ("Start", "Size"))
        return string_at(start, size)
    finally:
        ffi.lib.LLVMPY_DisposeMemoryBuffer(buffer)


def _written_out() -> llvm.ModulePassManager:
    """For what the vectoriser has put in the place of calls: that is not inlined by itself."""
    passes = llvm.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    passes.add_simplify_cfg_pass()
    passes.add_instruction_combine_pass()
    return passes


def _light(level: int) -> llvm.ModulePassManager:
    passes = llvm.create_new_module_pass_manager()
    for name in LIGHT if level else QUICK:
        getattr(passes, f"add_{name}_pass")()
    return passes
