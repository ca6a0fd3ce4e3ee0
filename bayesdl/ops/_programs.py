"""What the rules of control flow share: operands, their types, and Programs that must fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesdl._base.errors import ShapeError
from bayesdl.ir.program import Program
from bayesdl.ir.types import ArrayType

from .structural import zeros_like


def floats(types: Sequence[ArrayType]) -> tuple[bool, ...]:
    """Which types carry derivatives."""
    return tuple(t.is_float for t in types)


def pick(values: Sequence[Any], flags: Sequence[bool]) -> list[Any]:
    """The values whose flag is set."""
    return [v for v, f in zip(values, flags, strict=True) if f]


def spread(values: Sequence[Any], flags: Sequence[bool]) -> list[Any]:
    """The inverse of `pick`, with None where the flag is not set."""
    rest = iter(values)
    return [next(rest) if f else None for f in flags]


def listed(outputs: Any) -> list[Any]:
    """The outputs of a bind as a list, also where there is one only."""
    return list(outputs) if isinstance(outputs, tuple) else [outputs]


def solid(tangents: Sequence[Any], primals: Sequence[Any], flags: Sequence[bool]) -> list[Any]:
    """Tangents of the flagged primals, zeros written out."""
    return [
        zeros_like(p) if t is None else t
        for t, p, f in zip(tangents, primals, flags, strict=True)
        if f
    ]


def checked(name: str, types: Sequence[ArrayType], program: Program) -> tuple[ArrayType, ...]:
    """Types of a Program's outputs, where it takes what it is given."""
    if tuple(types) != program.input_types:
        raise ShapeError(
            f"`{name}` got inputs that its Program does not take.",
            facts=[("given", *types), ("taken", *program.input_types)],
            code="T101",
        )
    return program.output_types


def same_carry(name: str, given: Sequence[ArrayType], returned: Sequence[ArrayType]) -> None:
    """Refuse a loop whose carry changes its type."""
    if tuple(given) != tuple(returned):
        raise ShapeError(
            f"the body of `{name}` returns a carry of another type than it was given.",
            facts=[("given", *given), ("returned", *returned)],
            fix="start from the type that comes back (0.0 instead of 0), or cast what is returned.",
            code="T104",
        )


def split(values: Sequence[Any], sizes: Sequence[int]) -> list[list[Any]]:
    """Cut a list into pieces; the last size may be larger than what is left."""
    found, at = [], 0
    for size in sizes:
        found.append(list(values[at : at + size]))
        at += size
    return found


def step_types(operands: Sequence[Any], fixed: int) -> list[ArrayType]:
    """Types that a scan's body sees: operands after the first `fixed` lose their first axis."""
    types = [ArrayType(np.shape(o), o.dtype) for o in operands]
    return [t if i < fixed else t.drop((0,)) for i, t in enumerate(types)]
