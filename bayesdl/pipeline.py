"""compile(): pass, check, print, …, lower; and jit, which keeps what it compiled."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from bayesdl._base.config import config
from bayesdl._base.errors import ArgumentError
from bayesdl._base.tree import flatten, unflatten
from bayesdl.ir.builder import Handle
from bayesdl.ir.check import check
from bayesdl.ir.program import Program
from bayesdl.ir.types import ArrayType
from bayesdl.lower.executable import Executable
from bayesdl.lower.simplify import simplify
from bayesdl.ops import numpy as bnp
from bayesdl.tracing import inline, trace

PASSES: list[tuple[str, Callable[[Program], Program]]] = [("simplify", simplify)]


def compile(program: Program, backend: str | None = None) -> Executable:
    """Run the passes and lower a Program to something that can be called.

    Parameters
    ----------
    program : Program
    backend : {"llvm", "interpret"}, optional
        The configured one (``BAYESDL_BACKEND``) if not given.

    Returns
    -------
    Executable
        Its ``timings`` name the seconds of each stage.

    Raises
    ------
    CompileError
        If a pass or the backend fails; the message carries the Program.
    """
    timings: dict[str, float] = {}
    _observe("trace", program)
    for name, transformation in PASSES:
        start = time.perf_counter()
        program = transformation(program)
        timings[name] = time.perf_counter() - start
        _observe(name, program)
    executable = _backend(backend or config.backend)(program)
    executable.timings.update(timings)
    return executable


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is traced and compiled once per types of its arguments.

    Examples
    --------
    >>> from bayesdl import numpy as bnp
    >>> float(jit(lambda x: bnp.exp(x).sum())(np.zeros(3)))
    3.0
    """
    known: dict[Any, Any] = {}

    @wraps(function)
    def wrapped(*args: Any) -> Any:
        leaves, tree = flatten(args)
        arrays = [bnp.asarray(leaf) for leaf in leaves]
        types = tuple(ArrayType(np.shape(x), np.dtype(x.dtype)) for x in arrays)
        traced_here = any(isinstance(x, Handle) for x in arrays)
        key = (tree, types)
        if key not in known:
            known[key] = [trace(lambda *v: function(*unflatten(tree, v)), *types), None]
        entry = known[key]
        traced = entry[0]
        if traced_here or traced.captures:
            outputs = inline(traced.program, *arrays, *traced.captures)
        else:
            entry[1] = entry[1] or compile(traced.program)
            outputs = entry[1](*arrays)
        return unflatten(traced.tree, outputs)

    return wrapped


def _observe(stage: str, program: Program) -> None:
    if config.check:
        check(program)
    if stage in config.dump:
        print(f"--- {stage}\n{program!r}", file=sys.stderr)


def _backend(name: str) -> Callable[[Program], Executable]:
    if name == "interpret":
        from bayesdl.lower.interpret import interpret_program

        return interpret_program
    if name == "llvm":
        # The one heavy door: llvmlite loads with the first compile, not with the package.
        from bayesdl.lower.llvm import compile_program

        return compile_program
    raise ArgumentError(
        f"there is no backend {name!r}.", fix='use "llvm" or "interpret".', code="A101"
    )
