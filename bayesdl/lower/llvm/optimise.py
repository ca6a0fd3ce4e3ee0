"""LLVM text → object code, with no more effort than its size is worth."""

from __future__ import annotations

import time

import llvmlite.binding as llvm

from .machine import LOCK, target_machine

# Above so many lines of text the last level of optimisation costs more time than it saves.
LONG = 60_000

# What code outside of hot loops gets: it is folded, and common values are computed once.
LIGHT = (
    "global_dead_code_eliminate",
    "simplify_cfg",
    "instruction_combine",
    "new_gvn",
    "simplify_cfg",
    "dead_code_elimination",
)


def object_code(text: str, hot: bool, timings: dict[str, float]) -> bytes:
    """Relocatable machine code of a module: what it does not define is still a name in it.

    Parameters
    ----------
    text : str
        A module of LLVM IR.
    hot : bool
        Whether its loops are worth all of LLVM's passes.
    timings : dict of str to float
        The seconds of ``optimise`` and ``assemble`` are added to it.

    Raises
    ------
    RuntimeError
        If LLVM does not take the text.
    """
    with LOCK:
        start = time.perf_counter()
        module, machine = _optimised(text, hot)
        optimised = time.perf_counter()
        code: bytes = machine.emit_object(module)
        done = time.perf_counter()
    timings["optimise"] = timings.get("optimise", 0.0) + optimised - start
    timings["assemble"] = timings.get("assemble", 0.0) + done - optimised
    return code


def optimised_text(text: str, hot: bool) -> str:
    """The module after LLVM's passes, to be read by people."""
    with LOCK:
        return str(_optimised(text, hot)[0])


def assembly_text(text: str, hot: bool) -> str:
    """The module in the processor's own instructions, to be read by people."""
    with LOCK:
        module, machine = _optimised(text, hot)
        return str(machine.emit_assembly(module))


def _optimised(text: str, hot: bool) -> tuple[llvm.ModuleRef, llvm.TargetMachine]:
    module, machine = llvm.parse_assembly(text), target_machine(3 if hot else 0)
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    options = llvm.create_pipeline_tuning_options(speed_level=2 if text.count("\n") > LONG else 3)
    options.loop_vectorization = options.slp_vectorization = options.loop_interleaving = True
    options.loop_unrolling = True
    builder = llvm.create_pass_builder(machine, options)
    passes = builder.getModulePassManager() if hot else _light()
    passes.run(module, builder)
    return module, machine


def _light() -> llvm.ModulePassManager:
    passes = llvm.create_new_module_pass_manager()
    for name in LIGHT:
        getattr(passes, f"add_{name}_pass")()
    return passes
