"""Which rows of discrete unknowns the rows of a value depend on: shown, or taken to be all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.source import Source
from bayesdl.ir.program import Atom, Equation, Literal, Program, Var
from bayesdl.ops.axes import rows_through

Row = tuple[str, str]
"""A discrete unknown, and a plate around it."""


@dataclass(frozen=True)
class Mixed:
    """Rows of a plate met, or were not shown to stay apart, in this line of the user's."""

    source: Source | None


Places = Mapping[Row, int | Mixed]
"""Along which axis of a value each row depends on that row of the unknown alone."""
NOWHERE: Places = {}


class RowsOf:
    """Follows the rows of unknowns through equations, without a look at any number.

    Parameters
    ----------
    starts : mapping of Var to Places
        Where the rows of each unknown lie in its own value.
    equations : iterable of Equation
        In order.

    Notes
    -----
    Nothing is concluded from values that data may have: an index of the data's own may point to any
    row. Only an index that counts the rows, 0, 1, 2, …, whatever the data, leaves them apart.
    """

    def __init__(self, starts: Mapping[Var, Places], equations: Iterable[Equation]) -> None:
        self._places = dict(starts)
        self._made: dict[Var, Equation] = {}
        for equation in equations:
            self._made.update(dict.fromkeys(equation.outputs, equation))
            for var, places in zip(equation.outputs, self._through(equation), strict=True):
                if places:
                    self._places[var] = places

    def at(self, atom: Atom) -> Places:
        """Places of the rows in a value; empty where it depends on none."""
        return self._places.get(atom, NOWHERE) if isinstance(atom, Var) else NOWHERE

    def _through(self, equation: Equation) -> Sequence[Places]:
        given = [self.at(a) for a in equation.inputs]
        if not any(given):
            return [NOWHERE] * len(equation.outputs)
        name, params = equation.primitive.name, equation.params
        if name in ("call", "custom_call"):
            return self._inside(params["program"], given)
        if name == "cond" and not given[0]:
            found = (self._inside(params[branch], given[1:]) for branch in ("true", "false"))
            return [joined(pair, equation.source) for pair in zip(*found, strict=True)]
        if name == "scan":
            return self._scanned(equation, given)
        rows = dict.fromkeys(row for places in given for row in places)
        places = {row: self._place(equation, [p.get(row) for p in given]) for row in rows}
        return [places] * len(equation.outputs)

    def _inside(self, program: Program, given: Sequence[Places]) -> list[Places]:
        inner = RowsOf(dict(zip(program.inputs, given, strict=True)), program.equations)
        return [inner.at(a) for a in program.outputs]

    def _scanned(self, equation: Equation, given: Sequence[Places]) -> list[Places]:
        """What a step leaves goes into the next one, until nothing new is found."""
        constants, count = equation.params["constants"], equation.params["carry"]
        source = equation.source
        slices = [_moved(p, -1, source) for p in given[constants + count :]]
        carry = list(given[constants : constants + count])
        while True:
            outputs = self._inside(equation.params["body"], [*given[:constants], *carry, *slices])
            pairs = zip(carry, outputs[:count], strict=True)
            after = [joined(pair, source) for pair in pairs]
            if after == carry:
                return [*carry, *(_moved(p, 1, source) for p in outputs[count:])]
            carry = after

    def _place(self, equation: Equation, given: Sequence[int | Mixed | None]) -> int | Mixed:
        """The axis of one unknown's rows in the result, from that in each operand."""
        fixed = {}
        for i, place in enumerate(given):
            if isinstance(place, Mixed):
                return place
            if place is not None:
                fixed[i] = place
        found = self._gathered(equation, fixed) or rows_through(equation, fixed)
        if found is None or found[1] is None:
            return Mixed(equation.source)
        apart = all(found[0][i] == axis for i, axis in fixed.items())
        return found[1] if apart else Mixed(equation.source)

    def _gathered(
        self, equation: Equation, fixed: Mapping[int, int]
    ) -> tuple[tuple[int | None, ...], int] | None:
        """A gather that takes from each row what stands there, as `take_along_axis` does."""
        if equation.primitive.name != "gather" or 0 not in fixed:
            return None
        indices = equation.inputs[1]
        column = self._column(indices, fixed[0])
        counts = None if column is None else counted(column[..., 0])
        return None if counts is None else ((fixed[0], counts), counts)

    def _column(self, indices: Atom, axis: int) -> np.ndarray[Any, Any] | None:
        """Indices into one axis, where they are known whatever the data are."""
        if axis >= indices.type.shape[-1]:
            return None
        made = self._made.get(indices) if isinstance(indices, Var) else None
        last = indices.type.ndim - 1
        if (
            made is not None
            and made.primitive.name == "concatenate"
            and made.params["axis"] == last
        ):
            at = axis
            for part in made.inputs:
                if at < part.type.shape[-1]:
                    return self._column(part, at)
                at -= part.type.shape[-1]
        found = self._known(indices)
        return None if found is None else found[..., axis : axis + 1]

    def _known(self, atom: Atom) -> np.ndarray[Any, Any] | None:
        """A value that depends on no input."""
        if isinstance(atom, Literal):
            return np.asarray(atom.value)
        made = self._made.get(atom)
        if made is None or made.primitive.has_programs:
            return None
        inputs = [self._known(a) for a in made.inputs]
        if any(a is None for a in inputs):
            return None
        found = made.primitive.numpy(*inputs, **made.params)
        return np.asarray(found[made.outputs.index(atom)] if isinstance(found, tuple) else found)


def joined(places: Sequence[Places], source: Source | None) -> Places:
    """Places in a value that is one of several."""
    found: dict[Row, int | Mixed] = {}
    for row, place in (item for p in places for item in p.items()):
        same = found.setdefault(row, place) == place
        found[row] = place if same else Mixed(source)
    return found


def counted(indices: np.ndarray[Any, Any]) -> int | None:
    """The axis along which indices are 0, 1, 2, …, and the same along all others.

    Examples
    --------
    >>> counted(np.array([[0, 0, 0], [1, 1, 1]]))
    0
    >>> counted(np.array([1, 0])) is None
    True
    """
    for axis, size in enumerate(indices.shape):
        shape = tuple(size if i == axis else 1 for i in range(indices.ndim))
        if (indices == np.arange(size).reshape(shape)).all():
            return axis
    return None


def _moved(places: Places, by: int, source: Source | None) -> Places:
    """Places in a value that has one axis more or less in front."""
    return {
        row: place if isinstance(place, Mixed) else _shifted(place, by, source)
        for row, place in places.items()
    }


def _shifted(axis: int, by: int, source: Source | None) -> int | Mixed:
    return Mixed(source) if axis + by < 0 else axis + by
