"""One function for every draw: a compiled scan over draws, in pieces that fit in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from bayesdl._base.tree import Tree, flatten, unflatten
from bayesdl.ir.program import Equation, Program
from bayesdl.ir.types import ArrayType
from bayesdl.ir.walk import live_equations, programs_in
from bayesdl.ops import numpy as bnp
from bayesdl.tracing import trace
from bayesdl.transform.chunk import STEP, Chunked, chunked

from .draw_loop import PIECE_BYTES, Array, Compiled, DrawLoop, Piece, bytes_of, pieces

# Of the values between, in one chunk of rows, and how many of the widest are alive at a time.
CHUNK_BYTES, ALIVE = 16_000_000, 4
# Lengths are rounded up to so many steps for each power of two, so that code serves many of them.
STEPS, FEW = 8, 16
# Numbers computed for all draws, up to which code made quickly takes less time in all.
BRIEF = 20_000_000


class EachDraw:
    """A function of one draw made into one of many.

    Parameters
    ----------
    function : callable, (draw, *data) -> container of arrays
        `draw` is a container of arrays.
    dtype : dtype
        Default float dtype while tracing.
    total : int, optional
        Draws of all calls together; those of the first one if not given.
    compiled : dict, optional
        Where native code is kept, for several functions that may have some in common.

    Notes
    -----
    It is traced when it is first called for data of some types. Where the rows of the data are
    shown not to meet, it is compiled for a chunk of them, and data of other lengths are computed by
    the same code: memory beside the inputs and the outputs stays at some tens of megabytes. Where
    they meet, as in a Gaussian process, it is compiled for that many rows. No number depends on
    pieces or chunks, but for the rounding of products that are handed to BLAS: each draw, and each
    row of it, has random numbers of its own.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        dtype: Any,
        total: int = 0,
        compiled: Compiled | None = None,
    ) -> None:
        self.function, self.dtype, self.total = function, dtype, total
        self.compiled: Compiled = {} if compiled is None else compiled
        self._known: dict[Any, tuple[Tree, _Whole | _ByRows]] = {}

    def __call__(self, draws: Any, data: Sequence[Any]) -> Any:
        """Results for all draws.

        Parameters
        ----------
        draws : container of arrays, shape (n, …)
        data : sequence of arrays
            The same for all draws.

        Returns
        -------
        container of arrays, shape (n, …)
        """
        leaves, tree, walk = self._walk(draws, data)
        return unflatten(tree, walk.all(leaves, data))

    def moments(self, draws: Any, data: Sequence[Any]) -> tuple[Any, Any]:
        """Means and variances over all draws, element by element, of which none is kept.

        Parameters
        ----------
        draws, data
            As for a call.

        Returns
        -------
        means, variances : containers of arrays
            In float64; variances are divided by n.

        Notes
        -----
        They are updated draw by draw, in order (Welford 1962), so that no bit depends on pieces.
        """
        leaves, tree, walk = self._walk(draws, data)
        totals, n = walk.moments(leaves, data), len(leaves[0])
        half = len(totals) // 2
        return unflatten(tree, totals[:half]), unflatten(tree, [s / n for s in totals[half:]])

    def _walk(self, draws: Any, data: Sequence[Any]) -> tuple[list[Any], Tree, _Whole | _ByRows]:
        leaves, tree = flatten(draws)
        kinds = [ArrayType(tuple(x.shape[1:]), np.dtype(x.dtype)) for x in leaves]
        given = [ArrayType(np.shape(d), np.dtype(d.dtype)) for d in data]
        key = (tree, tuple(kinds), tuple(given))
        if key not in self._known:
            self._known[key] = self._made(tree, kinds, given, len(leaves[0]))
        out_tree, walk = self._known[key]
        return leaves, out_tree, walk

    def _made(self, tree: Tree, kinds: Any, given: Any, n: int) -> tuple[Tree, _Whole | _ByRows]:
        def one(leaves: Any, *data: Any) -> Any:
            return self.function(unflatten(tree, leaves), *data)

        with bnp.using_dtype(self.dtype):
            single = trace(one, kinds, *given, name="one_draw")
        program = single.program
        program = Program(
            program.name, program.inputs, tuple(live_equations(program)), program.outputs
        )
        brief = max(n, self.total) * _work(program) <= BRIEF
        return single.tree, _walk_of(program, len(kinds), brief, self.compiled)


def _walk_of(program: Program, leaves: int, brief: bool, compiled: Compiled) -> _Whole | _ByRows:
    """How to go through draws, and through rows where they can be cut."""
    data = program.inputs[leaves:]
    lengths: dict[int, int] = {}
    for var in data:
        if var.type.shape and var.type.shape[0] > 1:
            lengths[var.type.shape[0]] = lengths.get(var.type.shape[0], 0) + var.type.size
    for rows in sorted(lengths, key=lambda n: -lengths[n]):
        places = [i for i, v in enumerate(data) if v.type.shape and v.type.shape[0] == rows]
        block = _block(program, rows)
        found = chunked(program, [leaves + i for i in places], block)
        if found is not None:
            return _ByRows(program, leaves, brief, compiled, found, rows, block, tuple(places))
    return _Whole(program, leaves, brief, compiled)


def _block(program: Program, rows: int) -> int:
    """Rows of a chunk: all of them if they fit, else an equal share; rounded up."""
    widest = max(
        (
            bytes_of(v.type) // rows
            for e in program.equations
            for v in e.outputs
            if rows in v.type.shape
        ),
        default=1,
    )
    most = max(CHUNK_BYTES // (ALIVE * max(widest, 1)), FEW)
    share = -(-rows // -(-rows // most))
    if share <= FEW:
        return STEP * -(-share // STEP) if share < rows else 1 << (share - 1).bit_length()
    step = max((1 << (share - 1).bit_length()) // (2 * STEPS), STEP if share < rows else 1)
    return step * -(-share // step)


class _Whole:
    """All rows at once.

    Parameters
    ----------
    program : Program
        Of one draw: takes `leaves` inputs that each draw has its own of, and the data.
    leaves : int
    brief, compiled
        As of `DrawLoop`.
    """

    def __init__(self, program: Program, leaves: int, brief: bool, compiled: Compiled) -> None:
        self.loop = DrawLoop(program, 0, leaves, brief, compiled)

    def all(self, leaves: Sequence[Any], data: Sequence[Any]) -> list[Array]:
        """Results by draw."""
        found = _room(len(leaves[0]), self.loop.outputs)
        self.write(found, leaves, data)
        return found

    def write(self, found: Sequence[Array], leaves: Sequence[Any], data: Sequence[Any]) -> None:
        """Results by draw, into given arrays."""
        for piece in self.loop.pieces(len(leaves[0])):
            executable, given = self.loop.stacked(piece.size), [*piece.of(leaves), *data]
            rooms = [f[piece.draws] for f in found]
            if piece.count == piece.size:
                executable.run(given, rooms)
                continue
            for room, new in zip(rooms, executable(*given), strict=True):
                room[...] = new[: piece.count]

    def moments(self, leaves: Sequence[Any], data: Sequence[Any]) -> list[Array]:
        """Means, then sums of squared deviations."""
        return self.loop.update(self.loop.zeros(), 0, leaves, data)


class _ByRows:
    """Chunk by chunk of rows, and what is left for all rows draw by draw.

    Parameters
    ----------
    program, leaves, brief, compiled
        As of `_Whole`.
    cut : Chunked
    rows, block : int
        Of the data, and of a chunk.
    places : tuple of int
        Which of the data hold the rows.
    """

    def __init__(
        self,
        program: Program,
        leaves: int,
        brief: bool,
        compiled: Compiled,
        cut: Chunked,
        rows: int,
        block: int,
        places: tuple[int, ...],
    ) -> None:
        self.rows, self.block, self.places, self.axes = rows, block, places, cut.axes
        self.loop = DrawLoop(cut.program, 1, leaves, brief, compiled)
        self.rest, self.types = None, program.output_types
        if cut.rest is not None:
            count = len(program.inputs)
            given, kept = cut.rest.inputs[:count], cut.rest.inputs[count:]
            self.types = tuple(v.type for v in kept)
            inputs = (*given[:leaves], *kept, *given[leaves:])
            left = Program(cut.rest.name, inputs, cut.rest.equations, cut.rest.outputs)
            self.rest = _Whole(left, leaves + len(kept), brief, compiled)
            self.outputs = left.output_types

    def all(self, leaves: Sequence[Any], data: Sequence[Any]) -> list[Array]:
        """Results by draw."""
        if self.rest is None:
            return self._kept(leaves, data)
        found = _room(len(leaves[0]), self.outputs)
        for piece, given in self._by_piece(leaves, data):
            self.rest.write([f[piece.draws] for f in found], given, data)
        return found

    def moments(self, leaves: Sequence[Any], data: Sequence[Any]) -> list[Array]:
        """Means, then sums of squared deviations."""
        if self.rest is not None:
            totals = self.rest.loop.zeros()
            for piece, given in self._by_piece(leaves, data):
                known = piece.first - piece.draws.start
                totals = self.rest.loop.update(totals, piece.first, given, data, known)
            return totals
        found = [np.zeros(t.shape) for t in (*self.types, *self.types)]
        for piece in self.loop.pieces(len(leaves[0])):
            wanted, done, given = piece.new(), np.float64(piece.first), piece.of(leaves)
            executable = self.loop.running(piece.size)
            before = [w if a is not None else w.copy() for w, a in self._with_axes(found)]
            for turn, here, part in self._chunks(data):
                totals = [self._rows_of(w, a, here) for w, a in self._with_axes(before)]
                totals = executable(wanted, done, *totals, turn, *given, *part)
                for (whole, axis), total in zip(self._with_axes(found), totals, strict=True):
                    _put(whole, axis, here, total)
        return found

    def _with_axes(self, sums: list[Array]) -> list[tuple[Array, int | None]]:
        return list(zip(sums, self.axes * 2, strict=True))

    def _rows_of(self, whole: Array, axis: int | None, here: slice) -> Array:
        """The rows of a chunk, with zeros for missing ones."""
        if axis is None:
            return whole
        part = whole[(*(slice(None),) * axis, here)]
        short = [(0, self.block - part.shape[i] if i == axis else 0) for i in range(part.ndim)]
        return np.pad(part, short)

    def _kept(self, leaves: Sequence[Any], data: Sequence[Any]) -> list[Array]:
        """What chunks give of each draw."""
        n = len(leaves[0])
        found = _room(n, self.types)
        for piece in self.loop.pieces(n):
            executable, given = self.loop.stacked(piece.size), piece.of(leaves)
            for turn, here, part in self._chunks(data):
                parts = executable(turn, *given, *part)
                for whole, axis, new in zip(found, self.axes, parts, strict=True):
                    room, at = whole[piece.draws], axis if axis is None else axis + 1
                    _put(room, at, here, new[: piece.count])
        return found

    def _by_piece(
        self, leaves: Sequence[Any], data: Sequence[Any]
    ) -> Iterator[tuple[Piece, list[Array]]]:
        """Some draws, and their leaves with what chunks give of them."""
        n, each = len(leaves[0]), max(sum(map(bytes_of, self.types)), 1)
        for piece in pieces(n, max(1, min(n, PIECE_BYTES // each))):
            given = [np.asarray(x[piece.draws]) for x in leaves]
            yield piece, [*given, *self._kept(given, data)]

    def _chunks(self, data: Sequence[Any]) -> Iterator[tuple[np.uint64, slice, list[Any]]]:
        """Turn, rows and data of each chunk; the last row stands in for those that are missing."""
        for start in range(0, self.rows, self.block):
            here = slice(start, min(start + self.block, self.rows))
            short = here.stop - start < self.block
            rows = np.minimum(np.arange(start, start + self.block), self.rows - 1)
            part = list(data)
            for i in self.places:
                part[i] = data[i][rows] if short else data[i][here]
            yield np.uint64(start // STEP), here, part


def _room(n: int, types: Sequence[ArrayType]) -> list[Array]:
    return [np.empty((n, *t.shape), t.dtype) for t in types]


def _put(whole: Array, axis: int | None, here: slice, part: Array) -> None:
    """Write the rows of a chunk into their place; what all chunks give is written once."""
    if axis is None:
        if here.start == 0:
            whole[...] = part
        return
    lead = (slice(None),) * axis
    whole[(*lead, here)] = part[(*lead, slice(0, here.stop - here.start))]


def _work(program: Program) -> float:
    """About how many numbers a Program computes; a term of a product is one."""
    return sum(_work_of(equation) for equation in live_equations(program))


def _work_of(equation: Equation) -> float:
    inner = sum(map(_work, programs_in(equation)))
    if equation.primitive.name == "while_loop":
        return math.inf
    if inner:
        return inner * float(equation.params.get("length", 1))
    sizes = [a.type.size for a in (*equation.inputs, *equation.outputs)]
    if equation.primitive.name in ("dot_general", "convolution"):
        return math.sqrt(math.prod(sizes))
    return max(sizes)
