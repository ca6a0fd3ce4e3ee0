"""The slow machine that defines what a Program means: equation by equation, in NumPy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from bayesdl.ir.program import Program
from bayesdl.ops._bind import evaluate

from .executable import Array, Executable


def interpret_program(program: Program) -> Executable:
    r"""Make a Program callable without compiling it.

    Parameters
    ----------
    program : Program

    Returns
    -------
    Executable

    Examples
    --------
    >>> import numpy as np
    >>> from bayesdl.ir.text import from_text
    >>> double = from_text("program double(%a: f64[2]):\n  %b: f64[2] = add %a %a\n  return %b")
    >>> interpret_program(double)(np.array([1.0, 2.0]))[0].tolist()
    [2.0, 4.0]
    """
    return InterpretedExecutable(program)


def begin_program(
    program: Program, brief: bool = False, flushes: bool = False
) -> Callable[[], Executable]:
    """As a compiler has it: there is nothing to wait for, and nothing to be spared."""
    return partial(interpret_program, program)


class InterpretedExecutable(Executable):
    """A Program that NumPy runs."""

    def _run(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        for target, value in zip(outputs, evaluate(self.program, *inputs), strict=True):
            target[...] = value
