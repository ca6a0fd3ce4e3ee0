"""Program → native code: write it as LLVM text, optimise, load."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from bayesdl._base.errors import CompileError
from bayesdl.ir.program import Program

from . import control, effort, factors, listing, optimise, products, routines, windows
from .emit import Unit
from .native import Native, NativeExecutable

# Object code, and the seconds of the stages that made it.
Made = tuple[bytes, dict[str, float]]
# Each brings the code of its family of primitives.
FAMILIES = (control, factors, products, routines, windows)


def compile_program(
    program: Program, brief: bool = False, flushes: bool = False
) -> NativeExecutable:
    """Compile a Program to machine code for this processor.

    Parameters
    ----------
    program : Program
    brief : bool, default False
        Whether it runs so seldom that code made quickly is better than quick code.
    flushes : bool, default False
        Whether subnormal numbers count as zero, where they are slow (see `subnormal`).

    Returns
    -------
    Executable
        Runs without Python and without the GIL; any number of threads may call it at once.

    Raises
    ------
    CompileError
        If an equation has no native code or LLVM refuses the module; the Program is in the message.
    """
    return begin_program(program, brief, flushes)()


def begin_program(
    program: Program, brief: bool = False, flushes: bool = False
) -> Callable[[], NativeExecutable]:
    """The same in two steps: its text is written here, the callable waits for LLVM and loads."""
    unit = Unit(program, flushes, brief)
    unit.text()
    return partial(_finished, unit, _started(effort.parts(unit)))


def _finished(unit: Unit, made: Sequence[Future[Made]]) -> NativeExecutable:
    program, timings, module = unit.program, dict(unit.timings), unit.module
    try:
        found = [future.result() for future in made]
        codes = tuple(code for code, _ in found)
        # Of modules that are made side by side the slowest is the one that is waited for.
        slowest = max((seconds for _, seconds in found), key=lambda seconds: sum(seconds.values()))
        timings.update(slowest)
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
    executable.recipe = compile_program, (program, unit.brief, unit.flushes)
    return executable


def _started(parts: Sequence[effort.Part]) -> list[Future[Made]]:
    """The object codes of modules, with their seconds: made side by side, a thread for each."""
    pool = ThreadPoolExecutor(len(parts))
    made = [pool.submit(optimise.object_code, part.text, part.level) for part in parts]
    pool.shutdown(wait=False)
    return made


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
