"""Matrix products: register tiles of our own for the small shapes of networks, else BLAS."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from bayesdl.ir.program import Equation

from .code import Code, value_type
from .emit import Scope, emits
from .expression import Index, Node, identity, strides
from .fuse import free_axes
from .nests import Store, write_stores
from .scalars import arithmetic

DType = np.dtype[Any]

VECTOR = 32  # bytes of a register that the tiles are made of
ROWS, COLUMNS = 4, 3  # a tile: rows times registers; with operands it fills the sixteen of AVX2
LARGE = 128**3  # multiplications from which BLAS, which blocks for the caches, is faster


@dataclass(frozen=True, slots=True)
class Matrix:
    """A matrix in memory, one of a batch.

    Parameters
    ----------
    pointer : str
    rows, columns : int
    down, right, lead : int
        Steps to the next row, column and matrix, in elements.
    """

    pointer: str
    rows: int
    columns: int
    down: int
    right: int
    lead: int

    @property
    def turned(self) -> Matrix:
        """The transpose."""
        return replace(self, rows=self.columns, columns=self.rows, down=self.right, right=self.down)

    def one(self, code: Code, index: str, dtype: DType) -> Matrix:
        """One matrix of the batch."""
        return replace(self, pointer=code.at(self.pointer, code.scale(index, self.lead), dtype))


@emits("dot_general")
def _dot_general(scope: Scope, equation: Equation) -> None:
    code, (out,) = scope.code, equation.outputs
    (x, y), dtype = _operands(scope, equation), out.type.dtype
    if not out.type.size:
        return
    target = Matrix(scope.pointer(out), x.rows, y.columns, y.columns, 1, x.rows * y.columns)
    batch = out.type.size // (x.rows * y.columns)
    blas = (
        dtype.kind == "f"
        and x.rows * x.columns * y.columns >= LARGE
        and _is_plain(x)
        and _is_plain(y)
    )
    if not blas and y.right != 1 and dtype.kind == "f":
        y = _packed(scope, y, batch, dtype)
    with code.loop(batch) as loop:
        a, b, c = (m.one(code, loop.index, dtype) for m in (x, y, target))
        if blas:
            _call_blas(code, a, b, c, dtype)
        elif dtype.kind == "f":
            _tiles(code, a, b, c, dtype)
        else:
            _plain_loops(code, a, b, c, dtype)


# --- layout -------------------------------------------------------------------------------------


def _operands(scope: Scope, equation: Equation) -> tuple[Matrix, Matrix]:
    """Both operands as batches of matrices, rearranged where their axes do not allow it."""
    contract, batch = equation.params["contract"], equation.params["batch"]
    free = free_axes(equation)
    orders = [
        (list(batch[0]), free[0], list(contract[0])),
        (list(batch[1]), list(contract[1]), free[1]),
    ]
    pointers, needed = [], []
    for atom, groups in zip(equation.inputs, orders, strict=True):
        pointers.append(scope.pointer(atom))
        rough = any(_step(atom.type.shape, g) is None for g in groups)
        needed.append(atom.type.size * atom.type.dtype.itemsize if rough else 0)
    room = scope.scratch(*needed)
    found = []
    for atom, groups, pointer, size, spare in zip(
        equation.inputs, orders, pointers, needed, room, strict=True
    ):
        shape = atom.type.shape
        if size:
            _rearrange(scope, atom.type.shape, groups, pointer, spare, atom.type.dtype)
            shape = tuple(shape[a] for g in groups for a in g)
            at, pointer = iter(range(len(shape))), spare
            groups = (
                [next(at) for _ in groups[0]],
                [next(at) for _ in groups[1]],
                [next(at) for _ in groups[2]],
            )
        lead, down, right = (_step(shape, g) or 0 for g in groups)
        rows, columns = (prod(shape[a] for a in g) for g in groups[1:])
        found.append(Matrix(pointer, rows, columns, down, right, lead))
    return found[0], found[1]


def _step(shape: tuple[int, ...], axes: list[int]) -> int | None:
    """The common step of several axes that are walked through as one; None where there is none."""
    steps = strides(shape)
    real = [a for a in axes if shape[a] != 1]
    if any(steps[a] != steps[b] * shape[b] for a, b in pairwise(real)):
        return None
    return steps[real[-1]] if real else 0


def _rearrange(
    scope: Scope, shape: tuple[int, ...], groups: Any, source: str, target: str, dtype: DType
) -> None:
    """Copy an array with its axes in another order."""
    order, steps = [a for g in groups for a in g], strides(shape)
    space = tuple(shape[a] for a in order)
    _copy(scope, source, target, space, tuple(steps[a] for a in order), dtype)


def _packed(scope: Scope, y: Matrix, batch: int, dtype: DType) -> Matrix:
    """The right operand with its rows one after the other."""
    (room,) = scope.scratch(batch * y.rows * y.columns * dtype.itemsize)
    _copy(scope, y.pointer, room, (batch, y.rows, y.columns), (y.lead, y.down, y.right), dtype)
    return Matrix(room, y.rows, y.columns, y.columns, 1, y.rows * y.columns)


def _copy(
    scope: Scope,
    source: str,
    target: str,
    space: tuple[int, ...],
    steps: tuple[int, ...],
    dtype: DType,
) -> None:
    place, start, goal = identity(space), Index(), Index()
    for p, near, far in zip(place, steps, strides(space), strict=True):
        start, goal = start.plus(p.times(near)), goal.plus(p.times(far))
    write_stores(scope, space, [Store(target, goal, Node(dtype, "load", (source, start)))])


def _is_plain(m: Matrix) -> bool:
    """Whether BLAS can read it: rows or columns without gaps between their elements."""
    return (m.right == 1 and m.down >= m.columns) or (m.down == 1 and m.right >= m.rows)


# --- loops --------------------------------------------------------------------------------------


def _plain_loops(code: Code, a: Matrix, b: Matrix, c: Matrix, dtype: DType) -> None:
    """Sums of products of integers."""
    kind = value_type(dtype)
    with code.loop(c.rows) as i, code.loop(c.columns) as j:
        if a.columns:
            with code.loop(a.columns, [(kind, "0")]) as k:
                x = code.load(a.pointer, _at(code, a, i.index, k.index), dtype)
                y = code.load(b.pointer, _at(code, b, k.index, j.index), dtype)
                k.next = [
                    arithmetic(code, "add", dtype, k.state[0], arithmetic(code, "mul", dtype, x, y))
                ]
        code.store(
            k.next[0] if a.columns else "0", c.pointer, _at(code, c, i.index, j.index), dtype
        )


def _at(code: Code, m: Matrix, i: str, j: str) -> str:
    return code.add(code.scale(i, m.down), code.scale(j, m.right))


def _tiles(code: Code, a: Matrix, b: Matrix, c: Matrix, dtype: DType) -> None:
    """Cover the result with tiles that stay in registers while the sum runs."""
    lanes = VECTOR // dtype.itemsize
    for column, width, turns in _cover(c.columns, COLUMNS * lanes):
        for row, height, rounds in _cover(c.rows, ROWS):
            with code.loop(turns, rolled=True) as j, code.loop(rounds, rolled=True) as i:
                left = code.add(code.scale(i.index, height), str(row))
                top = code.add(code.scale(j.index, width), str(column))
                vectors = [min(lanes, width - v) for v in range(0, width, lanes)]
                _Tile(code, a, b, c, dtype).write(left, top, height, vectors)


def _cover(size: int, tile: int) -> list[tuple[int, int, int]]:
    """(start, width, count) of tiles that cover an axis: full ones, then what is left."""
    full, rest = divmod(size, tile)
    parts = [(0, tile, full)] if full else []
    return [*parts, (full * tile, rest, 1)] if rest else parts


@dataclass(frozen=True, slots=True)
class _Tile:
    """A few rows and registers of columns of a product."""

    code: Code
    a: Matrix
    b: Matrix
    c: Matrix
    dtype: DType

    def write(self, row: str, column: str, height: int, widths: list[int]) -> None:
        code, kind = self.code, value_type(self.dtype)
        kinds = [f"<{w} x {kind}>" for w in widths]
        starts = [str(sum(widths[:v])) for v in range(len(widths))]
        totals = [(k, "zeroinitializer") for _ in range(height) for k in kinds]
        sums = [first for _, first in totals]
        if self.a.columns:
            with code.loop(self.a.columns, totals, rolled=True) as loop:
                y_at = code.add(code.scale(loop.index, self.b.down), column)
                ys = [
                    self._load(self.b.pointer, code.add(y_at, s), k)
                    for s, k in zip(starts, kinds, strict=True)
                ]
                for i in range(height):
                    x_at = code.add(
                        code.scale(code.add(row, str(i)), self.a.down),
                        code.scale(loop.index, self.a.right),
                    )
                    x = code.load(self.a.pointer, x_at, self.dtype)
                    for v, (w, k) in enumerate(zip(widths, kinds, strict=True)):
                        total = loop.state[i * len(widths) + v]
                        loop.next.append(self._muladd(self._spread(x, w, k), ys[v], total, w, k))
            sums = loop.next
        for i in range(height):
            at = code.add(code.scale(code.add(row, str(i)), self.c.down), column)
            for v, k in enumerate(kinds):
                address = code.at(self.c.pointer, code.add(at, starts[v]), self.dtype)
                value = sums[i * len(widths) + v]
                code.do(f"store {k} {value}, ptr {address}, align {self.dtype.itemsize}")

    def _load(self, pointer: str, at: str, kind: str) -> str:
        address = self.code.at(pointer, at, self.dtype)
        return self.code.let(f"load {kind}, ptr {address}, align {self.dtype.itemsize}")

    def _spread(self, x: str, width: int, kind: str) -> str:
        one = self.code.let(f"insertelement {kind} poison, {value_type(self.dtype)} {x}, i64 0")
        return self.code.let(
            f"shufflevector {kind} {one}, {kind} poison, <{width} x i32> zeroinitializer"
        )

    def _muladd(self, x: str, y: str, total: str, width: int, kind: str) -> str:
        name = f"llvm.fmuladd.v{width}f{8 * self.dtype.itemsize}"
        self.code.module.declare(name, kind, [kind] * 3)
        return self.code.let(f"call {kind} @{name}({kind} {x}, {kind} {y}, {kind} {total})")


# --- BLAS ---------------------------------------------------------------------------------------


def _call_blas(code: Code, a: Matrix, b: Matrix, c: Matrix, dtype: DType) -> None:
    """C = A B by rows is Cᵀ = Bᵀ Aᵀ by columns, as Fortran has it."""
    name = code.module.external("dgemm" if dtype.itemsize == 8 else "sgemm", 13)
    flags, steps = zip(*(_fortran(m.turned) for m in (b, a)), strict=True)
    m, n, k = (integer(code, size) for size in (c.columns, c.rows, a.columns))
    one, zero = (code.module.table(np.array([v], dtype)) for v in (1, 0))
    addresses = [
        *(letter(code, f) for f in flags), m, n, k, one, b.pointer, integer(code, steps[0]),
        a.pointer, integer(code, steps[1]), zero, c.pointer, integer(code, c.down),
    ]  # fmt: skip
    call(code, name, addresses)


def _fortran(m: Matrix) -> tuple[str, int]:
    """How Fortran sees a matrix: as it is or transposed, and the step between its columns."""
    if m.down == 1 and m.right >= m.rows:
        return "N", m.right
    return "T", m.down


def call(code: Code, name: str, addresses: list[str]) -> None:
    """Call a BLAS or LAPACK routine."""
    code.do(f"call void @{name}({', '.join(f'ptr {a}' for a in addresses)})")


def integer(code: Code, value: int) -> str:
    """The address of an integer constant, as BLAS wants it."""
    return code.module.table(np.array([value], np.int32))


def letter(code: Code, value: str) -> str:
    """The address of a character constant."""
    name = f"@letter{value}"
    code.module.define(name, f'{name} = private unnamed_addr constant [2 x i8] c"{value}\\00"')
    return name
