"""Append equations, infer types, and lift what is captured from outside."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bayesdl._base.errors import TraceError
from bayesdl._base.source import Source, user_source

from .primitive import PRIMITIVES, Primitive
from .program import Atom, Equation, Literal, Program, Var
from .types import ArrayType, type_of


class Handle:
    """What user code holds while a function is traced: a place in a Program under construction.

    Parameters
    ----------
    builder : Builder
        The Program under construction.
    atom : Var or Literal
        The value's name there.
    value : numpy.ndarray or None
        Its number, where the trace runs on concrete values.
    """

    __slots__ = ("atom", "builder", "value")

    def __init__(self, builder: Builder, atom: Atom, value: Any = None) -> None:
        self.builder, self.atom, self.value = builder, atom, value

    @property
    def type(self) -> ArrayType:
        """Shape and dtype."""
        return self.atom.type


class Builder:
    """A Program under construction.

    Parameters
    ----------
    handle : type
        The Handle class that user code is given.
    concrete : bool
        Whether values are computed beside the equations, so that Python may branch on them.
    """

    def __init__(self, handle: type[Handle], concrete: bool = False) -> None:
        self.handle, self.concrete = handle, concrete
        self.inputs: list[Var] = []
        self.equations: list[Equation] = []
        self.captures: dict[int, tuple[Handle, Handle]] = {}
        self.constants: dict[int, tuple[Any, Handle]] = {}
        self.source: Source | None = None

    def input(self, type: ArrayType, value: Any = None) -> Handle:
        """A new input."""
        var = Var(type)
        self.inputs.append(var)
        return self.handle(self, var, value)

    def append(
        self,
        primitive: Primitive,
        atoms: Sequence[Atom],
        params: Mapping[str, Any],
        source: Source | None,
    ) -> tuple[Var, ...]:
        """Append one equation; its output types come from the primitive's own rule."""
        types = primitive.type(*[a.type for a in atoms], **params)
        outputs = tuple([Var(t) for t in types])
        self.equations.append(Equation(primitive, tuple(atoms), params, outputs, source))
        return outputs

    def lift(self, value: Any) -> Handle:
        """A Handle of this builder for anything: own handles, outer handles, numbers, arrays."""
        if isinstance(value, Handle):
            return value if value.builder is self else self._capture(value)
        array = np.asarray(value)
        if array.ndim == 0:
            return self.handle(self, Literal.of(array), array)
        known = self.constants.get(id(value))
        if known is None:
            type_of(array)
            (var,) = self.append(PRIMITIVES["constant"], (), {"value": array}, self.source)
            known = self.constants[id(value)] = (value, self.handle(self, var, array))
        return known[1]

    def _capture(self, outer: Handle) -> Handle:
        if outer.builder not in active_builders():
            raise TraceError(
                "an array from a finished trace was used in another one.",
                facts=[("array", repr(outer.type))],
                fix="return the array from the traced function instead of storing it outside.",
                where=user_source(),
                code="T103",
            )
        if isinstance(outer.atom, Literal):
            return self.handle(self, outer.atom, outer.value)
        known = self.captures.get(id(outer.atom))
        if known is None:
            known = self.captures[id(outer.atom)] = (outer, self.input(outer.type, outer.value))
        return known[1]

    def captured(self) -> list[Handle]:
        """The outer handles that became further inputs, in the order of those inputs."""
        return [outer for outer, _ in self.captures.values()]

    def build(self, name: str, outputs: Sequence[Handle]) -> Program:
        """The finished Program; captured values are its last inputs."""
        return Program(
            name, tuple(self.inputs), tuple(self.equations), tuple(o.atom for o in outputs)
        )


class _Stack(threading.local):
    def __init__(self) -> None:
        self.builders: list[Builder] = []


_STACK = _Stack()


def active_builders() -> list[Builder]:
    """The builders of this thread, the innermost last."""
    return _STACK.builders
