"""Program → native code: write it as LLVM text, optimise, load."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from bayesdl._base.errors import CompileError
from bayesdl.ir.program import Program

from . import control, effort, factors, listing, optimise, products, routines, windows
from .emit import Unit
from .native import Native, NativeExecutable

# Each brings the code of its family of primitives.
FAMILIES = (control, factors, products, routines, windows)


def compile_program(program: Program, brief: bool = False) -> NativeExecutable:
    """Compile a Program to machine code for this processor.

    Parameters
    ----------
    program : Program
    brief : bool, default False
        Whether it runs so seldom that code made quickly is better than quick code.

    Returns
    -------
    Executable
        Runs without Python and without the GIL; any number of threads may call it at once.

    Raises
    ------
    CompileError
        If an equation has no native code or LLVM refuses the module; the Program is in the message.
    """
    unit = Unit(program)
    unit.text()
    timings = dict(unit.timings)
    try:
        codes, spent = _compiled(effort.parts(unit, brief))
        timings.update(spent)
        module = unit.module
        externals, constants = tuple(sorted(module.externals)), tuple(module.constants)
        seconds = sum(timings.values())
        native = Native(
            program.name,
            codes,
            externals,
            unit.workspace,
            constants,
            seconds,
            "share" in module.definitions,
        )
        executable = NativeExecutable(program, native)
    except RuntimeError as error:
        raise CompileError(
            f"LLVM refused the code of the Program {program.name!r}.",
            facts=[("cause", str(error).strip())],
            note=f"\n{program!r}",
            fix="please report this with the Program above.",
            code="C103",
        ) from error
    executable.timings = {**timings, **executable.timings}
    executable.recipe = compile_program, (program, brief)
    return executable


def _compiled(parts: Sequence[effort.Part]) -> tuple[tuple[bytes, ...], dict[str, float]]:
    """The object codes of modules, made side by side, and the seconds of the slowest."""
    texts, efforts = [p.text for p in parts], [p.level for p in parts]
    if len(parts) == 1:
        found = [optimise.object_code(texts[0], efforts[0])]
    else:
        with ThreadPoolExecutor(len(parts)) as pool:
            found = list(pool.map(optimise.object_code, texts, efforts))
    codes, spent = zip(*found, strict=True)
    return codes, max(spent, key=lambda seconds: sum(seconds.values()))


def emitted_text(program: Program, stage: str = "llvm") -> str:
    """The native code of a Program, for reading.

    Parameters
    ----------
    program : Program
    stage : {"fuse", "plan", "llvm", "optimised", "asm"}, default "llvm"
        Steps and loops; buffers; LLVM IR as written, LLVM IR after the passes, or assembly.
    """
    unit = Unit(program)
    whole = unit.text()
    if stage == "llvm":
        return whole
    if stage in DECISIONS:
        return DECISIONS[stage](unit)
    write = STAGES[stage]
    return "\n".join(write(part.text, part.level) for part in effort.parts(unit))


DECISIONS: dict[str, Callable[[Unit], str]] = {
    "fuse": listing.fused_text,
    "plan": listing.planned_text,
}


STAGES: dict[str, Callable[[str, int], str]] = {
    "optimised": optimise.optimised_text,
    "asm": optimise.assembly_text,
}
