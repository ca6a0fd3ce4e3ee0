"""Matrix products: register tiles of our own for the small shapes of networks, else BLAS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from bayesdl.ir.program import Atom, Equation, Var

from .code import Code, value_type
from .emit import Scope, emits
from .expression import Index, Node, identity, linear, strides
from .lanes import Lanes
from .matrix import Matrix, share
from .nests import write_stores
from .results import Store
from .scalars import arithmetic, convert, extremum
from .spaces import FEW, free_axes, is_thin
from .thin import across_rows, along_rows, both_ways

DType = np.dtype[Any]
I64 = np.dtype(np.int64)

# Rows of a tile by its registers of columns, for so many registers of the processor: with operands
# they fill these, and no sum waits for the one before it.
HEIGHTS = {16: {1: 8, 2: 6, 3: 4}, 32: {1: 8, 2: 8, 3: 8, 4: 6}}
# BLAS, which blocks for the caches, is faster where there are many multiplications, and no side is
# short or the right operand does not stay near (docs/design/0007-products-and-row-tiles.md). Tiles
# of wider registers read it less often (docs/design/0009-wide-registers.md).
LARGE = 128**3
SHORT_SIDE, NEAR = {16: 160, 32: 384}, {16: 256 * 1024, 32: 1280 * 1024}


@emits("dot_general")
def _dot_general(scope: Scope, *equations: Equation) -> None:
    """One product, or two of one matrix and a vector each, one along its rows, one across them."""
    if not all(e.outputs[0].type.size for e in equations):
        return
    if all(is_thin(e) and e.outputs[0].type.dtype.kind == "f" for e in equations):
        _thin(scope, equations)
        return
    for equation in equations:
        _matrices(scope, equation)


def _matrices(scope: Scope, equation: Equation) -> None:
    code, (out,) = scope.code, equation.outputs
    (x, y), dtype = _operands(scope, equation), out.type.dtype
    target = Matrix(scope.pointer(out), x.rows, y.columns, y.columns, 1, x.rows * y.columns)
    batch = out.type.size // (x.rows * y.columns)
    blas = dtype.kind == "f" and _is_plain(x) and _is_plain(y)
    blas = blas and _is_large(Lanes(code, dtype), x, y)
    start = scope.pointer(equation.inputs[2]) if len(equation.inputs) > 2 else None
    if blas and start is not None:
        space = batch * x.rows, y.columns
        row = Node(dtype, "load", (start, identity(space)[1]))
        write_stores(scope, space, [Store(target.pointer, linear(identity(space), space), row)])
    if not blas and y.right != 1 and dtype.kind == "f":
        y = _packed(scope, y, batch, dtype)
    with code.loop(batch) as loop:
        a, b, c = (m.one(code, loop.index, dtype) for m in (x, y, target))
        if blas:
            _call_blas(code, a, b, c, dtype, adds=start is not None)
        elif dtype.kind == "f":
            _kernel(scope, _tiles, (a, b, c), dtype, [start] if start is not None else [])
        else:
            _plain_loops(code, a, b, c, dtype)


def _is_large(lanes: Lanes, x: Matrix, y: Matrix) -> bool:
    sides = x.rows, x.columns, y.columns
    count = lanes.registers
    # To be rearranged, it is read and written once more.
    near = NEAR[count] if y.right == 1 else NEAR[count] // 2
    far = y.rows * y.columns * lanes.dtype.itemsize > near
    return prod(sides) >= LARGE and (far or min(sides) >= SHORT_SIDE[count])


def _thin(scope: Scope, equations: Sequence[Equation]) -> None:
    code, dtype = scope.code, equations[0].outputs[0].type.dtype
    found = [_thin_operands(scope, e) for e in equations]
    batch = equations[0].outputs[0].type.size // found[0][0].rows
    with code.loop(batch) as loop:
        parts = [[m.one(code, loop.index, dtype) for m in three] for three in found]
        _kernel(scope, _ways, [m for three in parts for m in three], dtype)


def _kernel(
    scope: Scope,
    write: Callable[..., None],
    matrices: Sequence[Matrix],
    dtype: DType,
    vectors: Sequence[str] = (),
) -> None:
    """Write a product; in code that LLVM has no time for, a call of a function that it has.

    A product is as many lines as the rest of a step, and stands once for all of one layout.
    """
    pointers = [*(m.pointer for m in matrices), *vectors]

    def written(code: Code, pointers: Sequence[str]) -> None:
        moved = [replace(m, pointer=p) for m, p in zip(matrices, pointers, strict=False)]
        write(code, moved, dtype, *pointers[len(matrices) :])

    if not scope.code.light:
        written(scope.code, pointers)
        return
    layout = tuple(replace(m, pointer="") for m in matrices)
    key = write, layout, dtype, len(vectors)
    name = scope.frame.unit.kernel(key, len(pointers), written)
    scope.code.do(f"call void @{name}({', '.join(f'ptr {p}' for p in pointers)})")


def _ways(code: Code, matrices: Sequence[Matrix], dtype: DType) -> None:
    """Products of matrices and vectors: triples of a matrix, a vector and the result."""
    parts = list(zip(matrices[::3], matrices[1::3], matrices[2::3], strict=True))
    along = [p for p in parts if p[0].right == 1]
    across = [(m.turned, v, out) for m, v, out in parts if m.right != 1]
    if along and across:
        (m, v, out), (_, u, total) = along[0], across[0]
        both_ways(code, m, (v.pointer, out.pointer), (u.pointer, u.down, total.pointer), dtype)
        return
    for m, v, out in along:
        along_rows(code, m, v.pointer, out.pointer, dtype)
    for m, u, out in across:
        across_rows(code, m, u.pointer, u.down, out.pointer, dtype)


def _thin_operands(scope: Scope, equation: Equation) -> tuple[Matrix, Matrix, Matrix]:
    """Matrix, vector and result, the two as columns; the matrix has a contiguous axis."""
    (x, y), (out,) = _operands(scope, equation), equation.outputs
    m, v = (x, y) if y.columns == 1 else (y.turned, x.turned)
    batch, dtype = out.type.size // m.rows, out.type.dtype
    if m.right != 1 and m.down != 1:
        m = _packed(scope, m, batch, dtype)
    if m.right == 1 and v.down != 1:
        v = _packed(scope, v, batch, dtype)
    return m, v, Matrix(scope.pointer(out), m.rows, 1, 1, 1, m.rows)


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
    for atom, groups in zip(equation.inputs[:2], orders, strict=True):
        pointers.append(_address(scope, atom))
        rough = any(_step(atom.type.shape, g) is None for g in groups)
        needed.append(atom.type.size * atom.type.dtype.itemsize if rough else 0)
    room = scope.scratch(*needed)
    found = []
    for atom, groups, pointer, size, spare in zip(
        equation.inputs[:2], orders, pointers, needed, room, strict=True
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


def _address(scope: Scope, atom: Atom) -> str:
    """Where an operand begins; rows of another array are read where they lie."""
    assert isinstance(atom, Var)
    rows = None if scope.fusion.stored(atom) is not None else scope.fusion.rows_of(atom)
    if rows is None:
        return scope.pointer(atom)
    source, start, code = rows.inputs[0], rows.inputs[1], scope.code
    dtype = start.type.dtype
    first = convert(code, dtype, I64, scope.scalar(start))
    last = source.type.shape[0] - atom.type.shape[0]
    first = extremum(code, "min", I64, extremum(code, "max", I64, first, "0"), str(last))
    return code.at(
        scope.pointer(source), code.scale(first, prod(source.type.shape[1:])), atom.type.dtype
    )


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
                x = code.load(a.pointer, a.at(code, i.index, k.index), dtype)
                y = code.load(b.pointer, b.at(code, k.index, j.index), dtype)
                k.next = [
                    arithmetic(code, "add", dtype, k.state[0], arithmetic(code, "mul", dtype, x, y))
                ]
        code.store(k.next[0] if a.columns else "0", c.pointer, c.at(code, i.index, j.index), dtype)


def _tiles(code: Code, matrices: Sequence[Matrix], dtype: DType, start: str | None = None) -> None:
    """Cover the result with tiles that stay in registers while the sum runs.

    Every row of the result starts from the row at `start`, or from zeros.
    """
    (a, b, c), lanes = matrices, Lanes(code, dtype)
    heights = HEIGHTS[lanes.registers]
    # Where all rows fit a tile of two registers, the right operand is read only once.
    widest = 2 if heights[max(heights)] < c.rows <= heights[2] else max(heights)
    for column, width, turns in _columns(c.columns, lanes.count, widest):
        registers = -(-width // lanes.count)
        for row, height, rounds in share(c.rows, heights[registers]):
            with code.loop(turns, rolled=True) as j, code.loop(rounds, rolled=True) as i:
                left = code.add(code.scale(i.index, height), str(row))
                top = code.add(code.scale(j.index, width), str(column))
                _write_tile(lanes, (a, b, c), (left, top), (height, width), start)


def _columns(size: int, lanes: int, widest: int) -> list[tuple[int, int, int]]:
    """(start, width, count) of tiles of a few registers; none of one beside those of three or more.

    The last register of a row overlaps the one before it rather than being narrower: what both
    hold is computed twice, alike.
    """
    if size < lanes:
        return [(0, size, 1)]
    registers = -(-size // lanes)
    full, rest = divmod(registers, widest)
    runs = [widest] * full + [rest] * (rest > 0)
    if rest == 1 and full and widest > 2:
        runs[-2:] = [widest // 2 + 1, (widest + 1) // 2]
    found, at = [], 0
    for run in runs:
        end = at + run * lanes
        if end > size:
            found.append((at, size - at, 1))
        elif found and found[-1][1] == run * lanes:
            first, width, count = found.pop()
            found.append((first, width, count + 1))
        else:
            found.append((at, run * lanes, 1))
        at = end
    return found


def _write_tile(
    lanes: Lanes,
    matrices: tuple[Matrix, Matrix, Matrix],
    corner: tuple[str, str],
    size: tuple[int, int],
    start: str | None,
) -> None:
    """A few rows and registers of columns of a product."""
    code, (a, b, c), (row, column), (height, width) = lanes.code, matrices, corner, size
    parts = lanes.overlapping(width, c.columns)
    kinds = [lanes.kind(w) for _, w in parts]
    first = ["zeroinitializer"] * len(parts)
    if start is not None:
        first = [lanes.load(start, code.add(column, str(s)), w) for s, w in parts]
    sums = first * height

    def step(at: str, sums: Sequence[str]) -> list[str]:
        y_at, found = code.add(code.scale(at, b.down), column), []
        ys = [lanes.load(b.pointer, code.add(y_at, str(s)), w) for s, w in parts]
        for i in range(height):
            x = code.load(a.pointer, a.at(code, code.add(row, str(i)), at), lanes.dtype)
            for v, (_, w) in enumerate(parts):
                total = sums[i * len(parts) + v]
                found.append(lanes.muladd(lanes.spread(x, w), ys[v], total, w))
        return found

    if a.columns <= FEW:
        for k in range(a.columns):
            sums = step(str(k), sums)
    else:
        state = list(zip(kinds * height, sums, strict=True))
        with code.loop(a.columns, state, rolled=True) as loop:
            loop.next = step(loop.index, loop.state)
        sums = loop.next
    for i in range(height):
        at = code.add(code.scale(code.add(row, str(i)), c.down), column)
        for v, (s, w) in enumerate(parts):
            lanes.store(sums[i * len(parts) + v], c.pointer, code.add(at, str(s)), w)


# --- BLAS ---------------------------------------------------------------------------------------


def _call_blas(code: Code, a: Matrix, b: Matrix, c: Matrix, dtype: DType, adds: bool) -> None:
    """C = A B by rows is Cᵀ = Bᵀ Aᵀ by columns, as Fortran has it; added to C if it `adds`."""
    name = code.module.external("dgemm" if dtype.itemsize == 8 else "sgemm", 13)
    flags, steps = zip(*(_fortran(m.turned) for m in (b, a)), strict=True)
    m, n, k = (integer(code, size) for size in (c.columns, c.rows, a.columns))
    one, zero = (code.module.table(np.array([v], dtype)) for v in (1, 0))
    addresses = [
        *(letter(code, f) for f in flags), m, n, k, one, b.pointer, integer(code, steps[0]),
        a.pointer, integer(code, steps[1]), one if adds else zero, c.pointer, integer(code, c.down),
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
