"""compile(): pass, check, print, …, lower; and jit, which keeps what it compiled."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial, wraps
from importlib import import_module
from typing import Any

from bayesdl._base.config import config
from bayesdl._base.errors import ArgumentError, did_you_mean
from bayesdl._base.source import user_source
from bayesdl._base.tree import Tree, flatten, unflatten
from bayesdl.ir.builder import Handle
from bayesdl.ir.check import check
from bayesdl.ir.program import Program
from bayesdl.ir.types import ArrayType
from bayesdl.ir.walk import subprograms
from bayesdl.lower.executable import Executable
from bayesdl.lower.hoist import hoist
from bayesdl.lower.join import join
from bayesdl.lower.prune import prune
from bayesdl.lower.simplify import simplify
from bayesdl.lower.tile import tile
from bayesdl.ops import numpy as bnp
from bayesdl.tracing import Traced, inline, trace

PASSES: list[tuple[str, Callable[[Program], Program]]] = [
    ("simplify", simplify),
    ("prune", prune),
    ("join", join),
    ("hoist", hoist),
    ("tile", tile),
]

# What native code looks like on its way, after the passes.
CODE_STAGES = ("fuse", "plan", "llvm", "optimised", "asm")


def compile(
    program: Program, backend: str | None = None, brief: bool = False, flushes: bool = False
) -> Executable:
    """Run the passes and lower a Program to something that can be called.

    Parameters
    ----------
    program : Program
    backend : {"llvm", "interpret"}, optional
        The configured one (``BAYESDL_BACKEND``) if not given.
    brief : bool, default False
        Whether it runs so seldom that code made quickly is better than quick code.
    flushes : bool, default False
        Whether native code may take subnormal numbers for zeros, for speed.

    Returns
    -------
    Executable
        Its ``timings`` name the seconds of each stage.

    Raises
    ------
    ArgumentError
        If there is no such backend, or a stage that is to be printed does not exist.
    CompileError
        If a pass or the backend fails; the message carries the Program.
    """
    return begin(program, backend, brief, flushes)()


def begin(
    program: Program, backend: str | None = None, brief: bool = False, flushes: bool = False
) -> Callable[[], Executable]:
    """Begin to compile: the passes are run here, LLVM works beside what the caller does next.

    Parameters
    ----------
    program, backend, brief, flushes
        As `compile` takes them.

    Returns
    -------
    callable
        Waits for LLVM and gives the Executable; to be called once.

    Raises
    ------
    ArgumentError
        As `compile`.
    CompileError
        As `compile`; what LLVM refuses is raised by the callable.
    """
    _require_stages(config.dump)
    name = backend or config.backend
    make = _backend(name, brief, flushes)
    _observe("trace", program)
    watched = config.dump - {"timings"}
    cache = import_module(CACHES[name]) if name in CACHES and not watched else None
    key = cache.key(program, brief, flushes) if cache is not None else None
    known = cache.recall(program, key) if cache is not None and key is not None else None
    rest = _begun(program, make) if known is None else partial(_kept, known)

    def finish() -> Executable:
        executable = rest()
        if known is None:
            _show_code(executable, name)
            if cache is not None and key is not None:
                cache.keep(key, executable)
        executable.recipe = compile, (program, name, brief, flushes)
        executable.timings = {**_spent_before(program), **executable.timings}
        if "timings" in config.dump:
            print(f"--- timings of {program.name}\n{executable.timings_text()}", file=sys.stderr)
        return executable

    return finish


def _kept(executable: Executable) -> Executable:
    """What is waited for where the code was on the disk."""
    return executable


def _spent_before(program: Program) -> dict[str, float]:
    """Seconds of tracing and deriving this Program and those inside."""
    found: dict[str, float] = {}
    for part in subprograms(program):
        for stage, seconds in part.memo.get("seconds", {}).items():
            found[stage] = found.get(stage, 0.0) + seconds
    return found


def _show_code(executable: Executable, backend: str) -> None:
    """Print the native code at the stages that were asked for."""
    wanted = [s for s in CODE_STAGES if s in config.dump]
    if backend == "llvm" and wanted:
        write = import_module("bayesdl.lower.llvm").emitted_text
        for stage in wanted:
            print(f"--- {stage}\n{write(executable.program, stage)}", file=sys.stderr)


def _begun(
    program: Program, make: Callable[[Program], Callable[[], Executable]]
) -> Callable[[], Executable]:
    """Run the passes and hand the Program to the backend."""
    timings: dict[str, float] = {}
    for name, transformation in PASSES:
        start = time.perf_counter()
        program = transformation(program)
        timings[name] = time.perf_counter() - start
        _observe(name, program)
    rest = make(program)

    def finish() -> Executable:
        executable = rest()
        executable.timings = {**timings, **executable.timings}
        return executable

    return finish


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is traced and compiled once per types of its arguments.

    Parameters
    ----------
    function : callable
        Of arrays, numbers, and containers of them; gives the same.

    Returns
    -------
    callable
        The same function. Under another transform it is inlined there.

    Examples
    --------
    >>> import numpy as np
    >>> from bayesdl import numpy as bnp
    >>> float(jit(lambda x: bnp.exp(x).sum())(np.zeros(3)))
    3.0
    """
    known: dict[Any, tuple[Traced, list[Executable]]] = {}

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        leaves, tree = flatten((args, kwargs))
        arrays = [bnp.asarray(leaf) for leaf in leaves]
        key = (tree, tuple(bnp.type_of(x) for x in arrays), bnp.default_dtype())
        if key in known:
            traced, compiled = known[key]
        else:
            traced, compiled = _traced(function, tree, key[1]), []
            # What captures arrays of a surrounding trace belongs to that trace alone.
            if not traced.captures:
                known[key] = traced, compiled
        if traced.captures or any(isinstance(x, Handle) for x in arrays):
            outputs = inline(traced.program, *arrays, *traced.captures)
        else:
            if not compiled:
                compiled.append(compile(traced.program))
            outputs = compiled[0](*arrays)
        return unflatten(traced.tree, outputs)

    return wrapped


def _traced(function: Callable[..., Any], tree: Tree, types: Sequence[ArrayType]) -> Traced:
    def flat(*v: Any) -> Any:
        args, kwargs = unflatten(tree, v)
        return function(*args, **kwargs)

    return trace(flat, *types, name=getattr(function, "__name__", "f").strip("<>"))


def _require_stages(wanted: frozenset[str]) -> None:
    """Refuse stages that nothing would ever print."""
    known = ["trace", *(name for name, _ in PASSES), *CODE_STAGES, "timings"]
    for name in sorted(wanted.difference(known)):
        guess = did_you_mean(name, known)
        raise ArgumentError(
            f"there is no stage {name!r} of a compilation.",
            facts=[("BAYESDL_DUMP", ",".join(sorted(wanted))), ("stages", ", ".join(known))],
            fix=f"did you mean {guess!r}?" if guess else "name some of them, with commas between.",
            code="A120",
        )


def _observe(stage: str, program: Program) -> None:
    if config.check:
        check(program)
    if stage in config.dump:
        print(f"--- {stage}\n{program!r}", file=sys.stderr)


# Where each backend lives: compiler libraries load with the first compile, not with the package.
BACKENDS = {"interpret": "bayesdl.lower.interpret", "llvm": "bayesdl.lower.llvm"}

# Which of them keep on disk what they made; a process that finds its code there loads no compiler.
CACHES = {"llvm": "bayesdl.lower.llvm.cache"}


def _backend(
    name: str, brief: bool, flushes: bool
) -> Callable[[Program], Callable[[], Executable]]:
    if name not in BACKENDS:
        guess = did_you_mean(name, BACKENDS)
        hint = f'use "{guess}"' if guess else 'use "llvm" or "interpret"'
        raise ArgumentError(
            f"there is no backend {name!r}.",
            facts=[("known", ", ".join(BACKENDS))],
            fix=f"{hint} (BAYESDL_BACKEND).",
            where=user_source(),
            code="A101",
        )
    # Not before it is called: with its code in the cache a Program needs no compiler.
    return lambda program: import_module(BACKENDS[name]).begin_program(program, brief, flushes)
