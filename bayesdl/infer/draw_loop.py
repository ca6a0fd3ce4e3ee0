"""Loops over draws as native code: results stacked, or their means and variances alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.ir.fingerprint import fingerprint
from bayesdl.ir.program import Program
from bayesdl.ir.types import ArrayType
from bayesdl.lower.executable import Executable
from bayesdl.ops import numpy as bnp
from bayesdl.pipeline import compile
from bayesdl.tracing import inline, trace
from bayesdl.tracing.flow import scan

Array = np.ndarray[Any, Any]
Compiled = dict[Any, Executable]

# Of the results of one call, and the most draws of one.
PIECE_BYTES = 16_000_000
PIECE_DRAWS = 256
F64 = np.dtype(np.float64)


@dataclass(frozen=True)
class Piece:
    """Draws that are taken at once.

    Parameters
    ----------
    first : int
        The first of them that is new.
    draws : slice
        Which they are.
    size : int
        How many there is code for, perhaps more.
    """

    first: int
    draws: slice
    size: int

    @property
    def count(self) -> int:
        """How many they are."""
        return int(self.draws.stop - self.draws.start)

    def of(self, arrays: Sequence[Any]) -> list[Array]:
        """Their part of arrays by draw; the last one stands in for those that are missing."""
        found = [np.asarray(x[self.draws]) for x in arrays]
        if self.count == self.size:
            return found
        index = np.minimum(np.arange(self.size), self.count - 1)
        return [x[index] for x in found]

    def new(self, known: int = 0) -> Array:
        """Which of them count, if the first `known` of all do not."""
        index = np.arange(self.draws.start, self.draws.start + self.size)
        found: Array = (index >= max(self.first, known)) & (index < self.draws.stop)
        return found


def pieces(n: int, size: int) -> list[Piece]:
    """All of n draws, as many at a time as there is code for.

    The last piece goes back for draws that are known, so that no other code is needed for it.

    >>> [(p.first, p.draws) for p in pieces(5, 2)]
    [(0, slice(0, 2, None)), (2, slice(2, 4, None)), (4, slice(3, 5, None))]
    """
    last = max(n - size, 0)
    starts = [(s, min(s, last)) for s in range(0, n, size)]
    return [Piece(s, slice(at, min(at + size, n)), size) for s, at in starts]


class DrawLoop:
    """A Program of one draw, and the loops over draws that are made of it.

    Parameters
    ----------
    program : Program
        Takes `front` inputs, `leaves` inputs that each draw has its own of, and the data.
    front, leaves : int
    brief : bool
        Whether the code is to be made quickly.
    compiled : dict
        Native code by what it computes.
    """

    def __init__(
        self, program: Program, front: int, leaves: int, brief: bool, compiled: Compiled
    ) -> None:
        self.program, self.front, self.leaves = program, front, leaves
        self.brief, self.compiled = brief, compiled
        self.outputs = program.output_types
        self._ready: dict[Any, Executable] = {}
        self._size = 0

    def pieces(self, n: int) -> list[Piece]:
        """All of n draws, few at a time where they or their results are large.

        How many that are is settled by the first call, so that later ones need no other code.
        """
        if not self._size:
            each = max(sum(map(bytes_of, kinds)) for kinds in (self.outputs, self._leaves))
            self._size = max(1, min(n, PIECE_DRAWS, PIECE_BYTES // max(each, 1)))
        return pieces(n, self._size)

    def stacked(self, size: int) -> Executable:
        """(*front, *leaves, *data) -> the results of so many draws."""

        def many(*v: Any) -> Any:
            front, leaves, data = self._parts(v)
            step = lambda _, x: ((), inline(self.program, *front, *x, *data))  # noqa: E731
            return scan(step, (), leaves)[1]

        types = self.program.input_types
        middle = self._many(size)
        return self._executable("each_draw", many, [*types[: self.front], *middle, *self._data])

    def running(self, size: int) -> Executable:
        """(wanted, count, *means, *squares, *front, *leaves, *data) -> means and squares."""
        width = len(self.outputs)

        def many(wanted: Any, count: Any, *v: Any) -> Any:
            start = list(v[:width]), list(v[width : 2 * width])
            front, leaves, data = self._parts(v[2 * width :])

            def step(carry: Any, x: Any) -> Any:
                (count, means, squares), (wanted, leaves) = carry, x
                found = inline(self.program, *front, *leaves, *data)
                count = count + bnp.where(wanted, 1.0, 0.0)
                pairs = zip(means, squares, found, strict=True)
                moved = [_welford(wanted, count, *p) for p in pairs]
                return (count, [m for m, _ in moved], [s for _, s in moved]), ()

            _, means, squares = scan(step, (count, *start), (wanted, leaves))[0]
            return [*means, *squares]

        sums = [ArrayType(t.shape, F64) for t in (*self.outputs, *self.outputs)]
        types = [ArrayType((size,), np.dtype(np.bool_)), ArrayType((), F64), *sums]
        front = self.program.input_types[: self.front]
        return self._executable(
            "over_draws", many, [*types, *front, *self._many(size), *self._data]
        )

    def update(
        self,
        totals: Sequence[Array],
        count: int,
        leaves: Sequence[Any],
        data: Sequence[Any],
        known: int = 0,
    ) -> list[Array]:
        """Means and squares after these draws, but the first `known`, from those after `count`."""
        found = list(totals)
        for piece in self.pieces(len(leaves[0])):
            done = np.float64(count + max(piece.first - known, 0))
            given = (*found, *piece.of(leaves), *data)
            found = self.running(piece.size)(piece.new(known), done, *given)
        return found

    def zeros(self) -> list[Array]:
        """Means and squares of no draws."""
        return [np.zeros(t.shape) for t in (*self.outputs, *self.outputs)]

    @property
    def _leaves(self) -> tuple[ArrayType, ...]:
        return self.program.input_types[self.front : self.front + self.leaves]

    @property
    def _data(self) -> tuple[ArrayType, ...]:
        return self.program.input_types[self.front + self.leaves :]

    def _many(self, size: int) -> list[ArrayType]:
        return [ArrayType((size, *t.shape), t.dtype) for t in self._leaves]

    def _parts(self, values: Sequence[Any]) -> tuple[Any, Any, Any]:
        at = self.front + self.leaves
        return values[: self.front], list(values[self.front : at]), values[at:]

    def _executable(self, name: str, function: Callable[..., Any], types: Any) -> Executable:
        key = name, tuple(types)
        if key not in self._ready:
            with bnp.using_dtype(np.float64):
                program = trace(function, *types, name=name).program
            known = fingerprint(program), self.brief
            if known not in self.compiled:
                self.compiled[known] = compile(program, brief=self.brief)
            self._ready[key] = self.compiled[known]
        return self._ready[key]


def _welford(wanted: Any, count: Any, mean: Any, square: Any, value: Any) -> tuple[Any, Any]:
    """Mean and sum of squared deviations after one more value."""
    value = bnp.astype(value, np.float64)
    gap = value - mean
    # Infinite values stay what they are, instead of the difference of two infinities.
    after = bnp.where(bnp.isfinite(gap), mean + gap / count, mean + value)
    return bnp.where(wanted, after, mean), bnp.where(wanted, square + gap * (value - after), square)


def bytes_of(kind: ArrayType) -> int:
    """Of an array of that type."""
    return int(kind.size * kind.dtype.itemsize)
