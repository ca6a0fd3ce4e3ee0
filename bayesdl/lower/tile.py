"""Row tiles: sums over the rows of the data become one loop over blocks of rows.

What a plate contributes to a log density and its gradient is worked out for some rows at a time and
added up, so that the data are read once, what lies between stays in the cache, and memory does not
grow with the number of rows. The meaning is kept up to the order of the sums, which depends on the
shapes alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesdl.ir.primitive import PRIMITIVES
from bayesdl.ir.program import Atom, Equation, Literal, Program, Var
from bayesdl.ir.types import ArrayType
from bayesdl.ir.walk import live_equations, programs_in, substitute

from .rows import SHARES, Region, read_region

# A loop over blocks pays where the values between would not stay in the first cache; a block is
# meant to stay there, in a number of rows that kernels like. Where those would not even stay in the
# second, as with images, each row is many rows to the kernels, and a block has fewer.
CACHE, BLOCK = 128 * 1024, 32 * 1024
FEWEST, MOST, UNIT, LARGE = 32, 512, 8, 256 * 1024
# Where a row is only multiplied by vectors, memory decides: a block is as much as a processor can
# ask for at once, in a number of rows that registers are filled with, and of rows that are not too
# long for that. Data below NEAR stay in the last cache, which needs no asking: blocks are longer.
TURN, SHORT_ROW, COLUMNS, LANES = 2048, 1024, 8, 4
NEAR, LONG_TURN = 8 * 1024 * 1024, 20480
# From so many blocks for each share on, the rows are dealt out, and threads may take the shares in
# any order: their sums are added in one order, so no bit depends on it.
BLOCKS_OF_SHARE = 8

F64, I64 = np.dtype(np.float64), np.dtype(np.int64)


def tile(program: Program) -> Program:
    """A Program with the same meaning in which large sums over rows are loops over blocks.

    Parameters
    ----------
    program : Program
        Rows are the first axis of inputs; what is made of them row by row, and summed, is tiled.

    Returns
    -------
    Program
    """
    return _tile(program, {})


def _tile(program: Program, done: dict[int, Program]) -> Program:
    if id(program) not in done:
        equations = tuple(_with_tiled(e, done) for e in program.equations)
        found = Program(program.name, program.inputs, equations, program.outputs)
        for rows in _candidates(found):
            region = read_region(found, rows)
            block = _block(region)
            if block:
                found = _Tiled(found, region, _turn(region) or block, block).program()
        done[id(program)] = found
    return done[id(program)]


def _with_tiled(equation: Equation, done: dict[int, Program]) -> Equation:
    if not programs_in(equation):
        return equation

    def tiled(value: Any) -> Any:
        if isinstance(value, Program):
            return _tile(value, done)
        if isinstance(value, tuple):
            return tuple(tiled(v) for v in value)
        return value

    params = {k: tiled(v) for k, v in equation.params.items()}
    return Equation(equation.primitive, equation.inputs, params, equation.outputs, equation.source)


def _candidates(program: Program) -> list[int]:
    """Numbers of rows, those of the largest inputs first."""
    weights: dict[int, int] = {}
    for kind in program.input_types:
        if kind.shape and kind.shape[0] > 2 * FEWEST:
            weights[kind.shape[0]] = weights.get(kind.shape[0], 0) + kind.size
    return sorted(weights, key=lambda n: -weights[n])


def _block(region: Region) -> int:
    """Rows in a block; 0 where a loop over blocks would not pay."""
    if not region.sums or region.bytes <= CACHE or _is_one_loop(region):
        return 0
    wanted = min(max(BLOCK * region.rows // region.bytes, FEWEST), MOST)
    if wanted * region.bytes > 2 * LARGE * region.rows:
        wanted = max(LARGE * region.rows // region.bytes, UNIT)
    wanted = max(wanted, -(-_again(region) * region.rows // region.bytes))
    sizes = range(wanted // UNIT * UNIT, wanted // 2, -UNIT)
    even = next((n for n in sizes if region.rows % n == 0), sizes[0])
    return even if 2 * even <= region.rows else 0


def _turn(region: Region) -> int:
    """Rows in a block where memory decides; 0 elsewhere."""
    products = [e for e in (*region.inside, *region.sums) if e.primitive.name == "dot_general"]
    row = max(region.data // region.rows, 1)
    if not products or row > SHORT_ROW or not all(map(_is_thin, products)):
        return 0
    wanted = (TURN if region.data > NEAR else LONG_TURN) // row // UNIT * UNIT or LANES
    sizes = range(wanted, wanted // 2, -UNIT)
    return next((n for n in sizes if region.rows % n == 0), wanted)


def _is_thin(product: Equation) -> bool:
    """Whether a product is of a vector and rows that fill registers."""
    ranks = sorted(a.type.ndim for a in product.inputs)
    columns = max(a.type.shape[-1] for a in product.inputs if a.type.ndim == max(ranks))
    return ranks == [1, 2] and columns >= COLUMNS


def _is_one_loop(region: Region) -> bool:
    """Whether rows are single numbers, as of the parameters of a guide, and some are wanted whole.

    Fusion makes one loop of these, and what is wanted whole is then not copied block by block.
    """
    totals = all(e.outputs[0].type.size == 1 for e in region.sums)
    touched = (a for e in (*region.inside, *region.sums) for a in (*e.inputs, *e.outputs))
    return bool(region.kept) and totals and all(a.type.size <= region.rows for a in touched)


def _again(region: Region) -> int:
    """Bytes that every block reads whole, as weights are, and of totals that it reads and writes.

    Blocks so small that these outweigh the rows would cost more than they save.
    """
    whole = dict.fromkeys(
        atom
        for equation, axes in region.reads.items()
        for atom, axis in zip(equation.inputs, axes, strict=True)
        if axis is None and isinstance(atom, Var) and atom not in region.axis
    )
    totals = [e.outputs[0] for e in region.sums]
    return sum(v.type.size * v.type.dtype.itemsize for v in (*whole, *totals, *totals))


class _Tiled:
    """A Program being rewritten.

    Parameters
    ----------
    program : Program
    region : Region
        What of it goes into the loop.
    block : int
        Rows at a time.
    large : int
        Rows of which a share has a number of times as many.
    """

    def __init__(self, program: Program, region: Region, block: int, large: int) -> None:
        self.source, self.region, self.block, self.large = program, region, block, large
        self.made = {v: e for e in region.early for v in e.outputs}
        self.equations: list[Equation] = list(region.early)

    def program(self) -> Program:
        """The result."""
        region, source = self.region, self.source
        starts = [self._start(e) for e in region.sums] + [self._room(v) for v in region.kept]
        count, rest = divmod(region.rows, self.block)
        each = 0 if region.kept else count // SHARES
        dealt = SHARES * each if each * self.block >= BLOCKS_OF_SHARE * self.large else 0
        totals = self._shares(each, starts) if dealt else starts
        if count > dealt:
            totals = self._loop(self.equations, count - dealt, self._row(dealt), totals)
        if rest:
            totals = _Block(self, rest, self._row(count), self.equations).write(totals)
        mapping: dict[Var, Atom] = {}
        for equation, total in zip(region.sums, totals, strict=False):
            mapping[equation.outputs[0]] = self._rounded(total, equation.outputs[0].type)
        mapping.update(zip(region.kept, totals[len(region.sums) :], strict=True))
        for e in region.late:
            inputs = substitute(e.inputs, mapping)
            self.equations.append(Equation(e.primitive, inputs, e.params, e.outputs, e.source))
        outputs = substitute(source.outputs, mapping)
        whole = Program(source.name, source.inputs, tuple(self.equations), outputs)
        return Program(source.name, source.inputs, tuple(live_equations(whole)), outputs)

    def _start(self, equation: Equation) -> Atom:
        """What a sum starts from."""
        if equation.primitive.name == "scatter_add":
            return equation.inputs[0]
        kind = equation.outputs[0].type
        return _zeros(self.equations, kind.with_dtype(F64) if kind.is_float else kind)

    def _room(self, var: Var) -> Atom:
        """Where the rows of a value that is wanted whole are put."""
        return _zeros(self.equations, var.type)

    def _row(self, block: int) -> Atom:
        """The first row of a block."""
        return Literal.of(np.int64(block * self.block))

    def _shares(self, each: int, starts: Sequence[Atom]) -> list[Atom]:
        """The totals after so many blocks of every share, as a scan whose turns are independent."""
        share, inside = Var(ArrayType((), I64)), list[Equation]()
        rows = append(inside, "mul", (share, self._row(each)), {})
        zeros = [_zeros(inside, a.type) for a in starts]
        captured: dict[Var, Var] = {}
        totals = self._loop(inside, each, rows, zeros, captured)
        name = f"{self.source.name}_share"
        body = Program(name, (*captured.values(), share), tuple(inside), tuple(totals))
        dtype = {"shape": (SHARES,), "axis": 0, "dtype": I64}
        turns = append(self.equations, "iota", (), dtype)
        outputs = tuple(Var(ArrayType((SHARES, *a.type.shape), a.type.dtype)) for a in totals)
        self.equations.append(scan_of(body, (*captured, turns), outputs, len(captured), 0, SHARES))
        sums = [append(self.equations, "reduce_sum", (v,), {"axes": (0,)}) for v in outputs]
        return [
            append(self.equations, "add", (start, s), {})
            for start, s in zip(starts, sums, strict=True)
        ]

    def _loop(
        self,
        equations: list[Equation],
        count: int,
        first: Atom,
        starts: Sequence[Atom],
        outside: dict[Var, Var] | None = None,
    ) -> list[Atom]:
        """Append the scan over whole blocks from a row on; what it leaves of each total.

        `outside` receives the values of the whole Program that it reads, with what stands for them.
        """
        inputs = [Var(ArrayType((), I64)), *(Var(a.type) for a in starts)]
        inside: list[Equation] = []
        block = _Block(self, self.block, inputs[0], inside, captured={})
        totals = block.write(inputs[1:])
        size = Literal.of(np.int64(self.block))
        following = append(inside, "add", (inputs[0], size), {})
        captured = block.captured or {}
        name, result = f"{self.source.name}_rows", (following, *totals)
        body = Program(name, (*captured.values(), *inputs), tuple(inside), result)
        read: list[Atom] = list(captured)
        if outside is not None:
            read = [outside.setdefault(v, Var(v.type)) for v in captured]
        outputs = tuple(Var(v.type) for v in inputs)
        given = (*read, first, *starts)
        equations.append(scan_of(body, given, outputs, len(captured), len(inputs), count))
        return list(outputs[1:])

    def _rounded(self, total: Atom, kind: ArrayType) -> Atom:
        if total.type == kind:
            return total
        return append(self.equations, "convert", (total,), {"dtype": kind.dtype})


class _Block:
    """The equations of a region for some of its rows.

    Parameters
    ----------
    tiled : _Tiled
    rows : int
        How many.
    start : Var or Literal
        The first of them.
    equations : list of Equation
        Where to write.
    captured : dict of Var to Var, optional
        Receives the values read from outside, with the inputs that stand for them; they are used as
        they are if not given.
    """

    def __init__(
        self,
        tiled: _Tiled,
        rows: int,
        start: Atom,
        equations: list[Equation],
        captured: dict[Var, Var] | None = None,
    ) -> None:
        self.tiled, self.rows, self.start, self.equations = tiled, rows, start, equations
        self.captured = captured
        self.values: dict[Var, Atom] = {}
        self.parts: dict[tuple[Var, int], Atom] = {}

    def write(self, totals: Sequence[Atom]) -> list[Atom]:
        """Write everything; the totals with these rows added."""
        region = self.tiled.region
        for equation in region.inside:
            (out,) = equation.outputs
            self.values[out] = self._copy(equation)
        count = len(region.sums)
        found = [self._added(e, t) for e, t in zip(region.sums, totals[:count], strict=True)]
        for var, whole in zip(region.kept, totals[count:], strict=True):
            starts = self._starts(var.type.ndim, region.axis[var])
            inputs = (whole, self.values[var], *starts)
            found.append(append(self.equations, "dynamic_update_slice", inputs, {}))
        return found

    def _copy(self, equation: Equation) -> Atom:
        """An equation with as many rows as the block has."""
        inputs = self._inputs(equation)
        params = dict(equation.params)
        key = {"broadcast": "shape", "reshape": "shape", "slice": "limit"}
        if (name := key.get(equation.primitive.name)) is not None:
            at = self.tiled.region.axis[equation.outputs[0]]
            params[name] = tuple(self.rows if i == at else n for i, n in enumerate(params[name]))
        return append(self.equations, equation.primitive.name, inputs, params, equation.source)

    def _added(self, equation: Equation, total: Atom) -> Atom:
        """A total with what these rows contribute; floats are added in float64."""
        name, inputs = equation.primitive.name, self._inputs(equation)
        if name == "scatter_add":
            return append(self.equations, name, (total, *inputs[1:]), {}, equation.source)
        part = append(self.equations, name, inputs, dict(equation.params), equation.source)
        if part.type.dtype != total.type.dtype:
            part = append(self.equations, "convert", (part,), {"dtype": total.type.dtype})
        return append(self.equations, "add", (total, part), {})

    def _inputs(self, equation: Equation) -> tuple[Atom, ...]:
        axes = self.tiled.region.reads[equation]
        return tuple(self._read(a, at) for a, at in zip(equation.inputs, axes, strict=True))

    def _read(self, atom: Atom, axis: int | None) -> Atom:
        if isinstance(atom, Literal):
            return atom
        if atom in self.values:
            return self.values[atom]
        if axis is None:
            return self._outside(atom)
        if (atom, axis) not in self.parts:
            self.parts[atom, axis] = self._part(atom, axis)
        return self.parts[atom, axis]

    def _outside(self, var: Var) -> Atom:
        if self.captured is None:
            return var
        return self.captured.setdefault(var, Var(var.type))

    def _part(self, var: Var, axis: int) -> Atom:
        """The block's rows of a value from outside.

        What repeats there, and arithmetic on it, is done for the rows here: no memory is needed.
        """
        shape = tuple(self.rows if i == axis else n for i, n in enumerate(var.type.shape))
        made = self.tiled.made.get(var)
        if made is not None and made.primitive.name == "broadcast":
            axes = made.params["axes"]
            kept = [i for i in range(len(shape)) if i not in axes]
            inner = self._read(made.inputs[0], None if axis in axes else kept.index(axis))
            return append(self.equations, "broadcast", (inner,), {"shape": shape, "axes": axes})
        if made is not None and made.primitive.elementwise:
            parts = tuple(self._read(a, axis if a.type.shape else None) for a in made.inputs)
            return append(self.equations, made.primitive.name, parts, dict(made.params))
        inputs = (self._outside(var), *self._starts(var.type.ndim, axis))
        return append(self.equations, "dynamic_slice", inputs, {"sizes": shape})

    def _starts(self, rank: int, axis: int) -> list[Atom]:
        zero = Literal.of(np.int64(0))
        return [self.start if i == axis else zero for i in range(rank)]


def _zeros(equations: list[Equation], kind: ArrayType) -> Atom:
    zero = Literal.of(kind.dtype.type(0))
    if not kind.shape:
        return zero
    params = {"shape": kind.shape, "axes": tuple(range(kind.ndim))}
    return append(equations, "broadcast", (zero,), params)


def scan_of(
    body: Program,
    inputs: tuple[Atom, ...],
    outputs: tuple[Var, ...],
    constants: int,
    carry: int,
    length: int,
) -> Equation:
    """A forward scan."""
    params = {
        "body": body,
        "constants": constants,
        "carry": carry,
        "length": length,
        "reverse": False,
    }
    return Equation(PRIMITIVES["scan"], inputs, params, outputs)


def append(
    equations: list[Equation],
    name: str,
    inputs: tuple[Atom, ...],
    params: dict[str, Any],
    source: Any = None,
) -> Var:
    """Append an equation with one output."""
    primitive = PRIMITIVES[name]
    (kind,) = primitive.type(*(a.type for a in inputs), **params)
    out = Var(kind)
    equations.append(Equation(primitive, inputs, params, (out,), source))
    return out
