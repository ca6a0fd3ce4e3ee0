"""A function of flat arrays → Program: the least that rules, samplers and transforms need to trace.

It stands above the handle, which it hands to the Builder, and below the samplers, whose loops are
written as functions; traces of containers and captures are made of it in `tracing`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bayesdl._base.errors import TraceError
from bayesdl._base.source import user_source
from bayesdl.ir.builder import Builder, active_builders
from bayesdl.ir.program import Program
from bayesdl.ir.types import ArrayType

from .array import Array


@contextmanager
def building(builder: Builder) -> Iterator[None]:
    """Make a builder the innermost one."""
    stack = active_builders()
    stack.append(builder)
    try:
        yield
    finally:
        stack.pop()


def trace_flat(
    function: Callable[..., Sequence[Any]], types: Sequence[ArrayType], name: str
) -> Program:
    """Trace a function of arrays that returns a list of arrays and captures nothing.

    Parameters
    ----------
    function : callable, (*arrays) -> sequence of arrays
    types : sequence of ArrayType
        One per argument.
    name : str
        Name of the Program.

    Raises
    ------
    TraceError
        If the function uses an array of a surrounding trace.
    """
    builder = Builder(Array)
    with building(builder):
        handles = [builder.input(t) for t in types]
        outputs = [builder.lift(o) for o in function(*handles)]
    if builder.captures:
        raise TraceError(
            f"`{name}` uses an array of an outer function that it was not given.",
            facts=[("array", outer.type) for outer in builder.captured()],
            where=user_source(),
            code="T103",
        )
    return builder.build(name, outputs)
