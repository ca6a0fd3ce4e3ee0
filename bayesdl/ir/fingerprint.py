"""A Program's fingerprint: equal for equal code, whatever its names and source lines are."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import numpy as np

from .program import Atom, Equation, Program, Var
from .types import ArrayType
from .walk import subprograms

SIZE = 20


def fingerprint(program: Program) -> bytes:
    r"""A digest of what a Program computes.

    Parameters
    ----------
    program : Program
        Its name, and the names and source lines of everything inside, do not count. Which inner
        Programs are one object does, for that decides what is shared.

    Returns
    -------
    bytes, length 20

    Raises
    ------
    TypeError
        If a parameter is of a kind that the text format does not know.

    Examples
    --------
    >>> from bayesdl.ir.text import from_text
    >>> f = from_text("program f(%a: f64[2]):\n  %b: f64[2] = neg %a\n  return %b")
    >>> g = from_text("program g(%x: f64[2]):\n  %y: f64[2] = neg %x\n  return %y")
    >>> fingerprint(f) == fingerprint(g)
    True
    """
    digest, numbers = blake2b(digest_size=SIZE), dict[int, int]()
    for part in subprograms(program):
        digest.update(repr(_described(part, numbers)).encode())
        numbers[id(part)] = len(numbers)
    return digest.digest()


def _described(program: Program, numbers: dict[int, int]) -> Any:
    """A Program as nested tuples of plain values, whose `repr` tells apart what differs."""
    places = {v: i for i, v in enumerate(program.inputs)}

    def atom(a: Atom) -> Any:
        return places[a] if isinstance(a, Var) else a.key

    def described(equation: Equation) -> Any:
        inputs = [atom(a) for a in equation.inputs]
        params = [(k, _param(v, numbers)) for k, v in sorted(equation.params.items())]
        for var in equation.outputs:
            places[var] = len(places)
        return equation.primitive.name, inputs, params, [_type(v.type) for v in equation.outputs]

    equations = [described(e) for e in program.equations]
    return [_type(v.type) for v in program.inputs], equations, [atom(a) for a in program.outputs]


def _type(kind: ArrayType) -> Any:
    return kind.dtype.str, kind.shape


def _param(value: Any, numbers: dict[int, int]) -> Any:
    if isinstance(value, tuple):
        return tuple(_param(v, numbers) for v in value)
    if isinstance(value, Program):
        return "program", numbers[id(value)]
    if isinstance(value, np.ndarray):
        content = np.ascontiguousarray(value)
        return "array", content.dtype.str, content.shape, blake2b(content.tobytes()).digest()
    if isinstance(value, np.generic):
        return "number", value.dtype.str, value.tobytes()
    if isinstance(value, np.dtype):
        return "dtype", value.str
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"a parameter of type {type(value).__name__} has no fingerprint")
