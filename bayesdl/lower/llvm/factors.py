"""Cholesky factors, solves, determinants: loops of our own when small, LAPACK when large."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl.ir.program import Equation
from bayesdl.ir.types import ArrayType

from .code import Code, constant, value_type, when
from .emit import Scope, emits
from .products import call, integer, letter
from .scalars import arithmetic

DType = np.dtype[Any]
I32 = np.dtype(np.int32)

SMALL = 48  # matrices up to this size are factorised by the loops written here


def _letter_of(dtype: DType) -> str:
    return "d" if dtype.itemsize == 8 else "s"


def _batches(kind: ArrayType) -> tuple[int, int]:
    """Number of matrices, and of rows of each."""
    n = kind.shape[-1]
    return (kind.size // (n * n) if n else 0), n


class _Matrix:
    """A square matrix in memory, by rows.

    Parameters
    ----------
    code : Code
    pointer : str
    width : int
        Elements in a row.
    dtype : dtype
    """

    def __init__(self, code: Code, pointer: str, width: int, dtype: DType) -> None:
        self.code, self.pointer, self.width, self.dtype = code, pointer, width, dtype

    def at(self, i: str, j: str) -> str:
        """The offset of an element."""
        return self.code.add(self.code.scale(i, self.width), j)

    def load(self, i: str, j: str) -> str:
        """The element at (i, j)."""
        return self.code.load(self.pointer, self.at(i, j), self.dtype)

    def store(self, value: str, i: str, j: str) -> None:
        """Put an element at (i, j)."""
        self.code.store(value, self.pointer, self.at(i, j), self.dtype)


# --- cholesky -----------------------------------------------------------------------------------


@emits("cholesky")
def _cholesky(scope: Scope, equation: Equation) -> None:
    code, (a,), (out,) = scope.code, equation.inputs, equation.outputs
    (count, n), dtype = _batches(a.type), a.type.dtype
    if not count:
        return
    source, target = scope.pointer(a), scope.pointer(out)
    with code.loop(count) as loop:
        start = code.scale(loop.index, n * n)
        matrix = _Matrix(code, code.at(source, start, dtype), n, dtype)
        factor = _Matrix(code, code.at(target, start, dtype), n, dtype)
        bad = (
            _cholesky_loops(matrix, factor, n)
            if n <= SMALL
            else _cholesky_library(matrix, factor, n)
        )
        with when(code, bad):
            _fill(code, factor.pointer, n * n, dtype, np.nan)


def _cholesky_loops(a: _Matrix, factor: _Matrix, n: int) -> str:
    """Row by row, by dot products of the rows above. Whether a pivot was not positive."""
    code, dtype, kind = a.code, a.dtype, value_type(a.dtype)
    with code.loop(n, [("i1", "false")]) as row:
        i = row.index
        with code.loop(i) as column:
            j = column.index
            rest = arithmetic(code, "sub", dtype, a.load(i, j), _row_dot(factor, i, j, j))
            factor.store(code.let(f"fdiv {kind} {rest}, {factor.load(j, j)}"), i, j)
        pivot = arithmetic(code, "sub", dtype, a.load(i, i), _row_dot(factor, i, i, i))
        bad = code.let(f"fcmp ule {kind} {pivot}, {constant(0, dtype)}")
        factor.store(code.intrinsic("sqrt", dtype, pivot), i, i)
        above = code.let(f"sub nsw i64 {n - 1}, {i}")
        with code.loop(above) as column:
            factor.store(constant(0, dtype), i, code.add(code.add(i, "1"), column.index))
        row.next = [code.let(f"or i1 {row.state[0]}, {bad}")]
    return row.next[0]


def _row_dot(m: _Matrix, i: str, j: str, count: str) -> str:
    """Σₖ m[i, k] m[j, k] over the first `count` columns."""
    code, dtype = m.code, m.dtype
    with code.loop(count, [(value_type(dtype), constant(0, dtype))]) as k:
        term = arithmetic(code, "mul", dtype, m.load(i, k.index), m.load(j, k.index))
        k.next = [arithmetic(code, "add", dtype, k.state[0], term, "reassoc ")]
    return k.next[0]


def _cholesky_library(a: _Matrix, factor: _Matrix, n: int) -> str:
    """LAPACK's by columns: our lower triangle is its upper one. Whether it failed, or met a NaN."""
    code, dtype = a.code, a.dtype
    kind, zero = value_type(dtype), constant(0, dtype)
    with code.loop(n) as row, code.loop(n) as column:
        below = code.let(f"icmp sge i64 {row.index}, {column.index}")
        value = code.let(
            f"select i1 {below}, {kind} {a.load(row.index, column.index)}, {kind} {zero}"
        )
        factor.store(value, row.index, column.index)
    info, size = code.local("i32"), integer(code, n)
    name = code.module.external(_letter_of(dtype) + "potrf", 5)
    call(code, name, [letter(code, "U"), size, factor.pointer, size, info])
    failed = code.let(f"icmp ne i32 {code.load(info, '0', I32)}, 0")
    last = factor.load(str(n - 1), str(n - 1))
    return code.let(f"or i1 {failed}, {code.let(f'fcmp uno {kind} {last}, {last}')}")


# --- triangular_solve ---------------------------------------------------------------------------


@emits("triangular_solve")
def _triangular_solve(scope: Scope, equation: Equation) -> None:
    code, (a, b), (out,) = scope.code, equation.inputs, equation.outputs
    (count, n), dtype, columns = _batches(a.type), a.type.dtype, b.type.shape[-1]
    if not count or not columns:
        return
    lower, turned = equation.params["lower"], equation.params["transpose"]
    target, width = scope.pointer(out), n * columns
    code.copy(target, scope.pointer(b), out.type.size * dtype.itemsize)
    matrices = scope.pointer(a)
    with code.loop(count) as loop:
        matrix = _Matrix(code, code.at(matrices, code.scale(loop.index, n * n), dtype), n, dtype)
        x = _Matrix(code, code.at(target, code.scale(loop.index, width), dtype), columns, dtype)
        if n <= SMALL:
            _substitute(matrix, x, n, lower, turned)
        else:
            name = code.module.external(_letter_of(dtype) + "trsm", 11)
            # By columns both are their transposes: xᵀ op(a)ᵀ = bᵀ, with the other triangle.
            flags = [
                letter(code, f) for f in ("R", "U" if lower else "L", "T" if turned else "N", "N")
            ]
            sizes = [integer(code, columns), integer(code, n)]
            one = code.module.table(np.array([1], dtype))
            steps = [integer(code, n), integer(code, columns)]
            call(code, name, [*flags, *sizes, one, matrix.pointer, steps[0], x.pointer, steps[1]])


def _substitute(a: _Matrix, x: _Matrix, n: int, lower: bool, turned: bool) -> None:
    """Rows in the order in which they become known."""
    code, kind = a.code, value_type(a.dtype)
    down = lower != turned
    with code.loop(n) as step:
        i = step.index if down else code.let(f"sub nsw i64 {n - 1}, {step.index}")
        first, count = ("0", i) if down else (code.add(i, "1"), step.index)
        if x.width == 1 and not turned:
            _gather_one(a, x, i, first, count)
        elif x.width > 1:
            _gather_rows(a, x, i, first, count, turned)
        pivot = a.load(i, i)
        with code.loop(x.width) as column:
            value = code.let(f"fdiv {kind} {x.load(i, column.index)}, {pivot}")
            x.store(value, i, column.index)
        if x.width == 1 and turned:
            _scatter_one(a, x, i, n, down)


def _gather_one(a: _Matrix, x: _Matrix, i: str, first: str, count: str) -> None:
    """x[i] -= Σₖ a[i, k] x[k], along a row of a."""
    code, dtype = a.code, a.dtype
    with code.loop(count, [(value_type(dtype), constant(0, dtype))]) as k:
        at = code.add(first, k.index)
        term = arithmetic(code, "mul", dtype, a.load(i, at), x.load(at, "0"))
        k.next = [arithmetic(code, "add", dtype, k.state[0], term, "reassoc ")]
    x.store(arithmetic(code, "sub", dtype, x.load(i, "0"), k.next[0]), i, "0")


def _gather_rows(a: _Matrix, x: _Matrix, i: str, first: str, count: str, turned: bool) -> None:
    """x[i, :] -= Σₖ op(a)[i, k] x[k, :]."""
    code, dtype = a.code, a.dtype
    with code.loop(count) as k:
        at = code.add(first, k.index)
        factor, group = a.load(at, i) if turned else a.load(i, at), code.module.group()
        tag = f", !llvm.access.group {group}"
        with code.loop(x.width, group=group) as column:
            done, here = (code.load(x.pointer, x.at(r, column.index), dtype, tag) for r in (at, i))
            value = arithmetic(
                code, "sub", dtype, here, arithmetic(code, "mul", dtype, factor, done)
            )
            code.store(value, x.pointer, x.at(i, column.index), dtype, tag)


def _scatter_one(a: _Matrix, x: _Matrix, i: str, n: int, down: bool) -> None:
    """x[k] -= a[i, k] x[i] for the rows still to come: along a row of a, where op transposes."""
    code, dtype = a.code, a.dtype
    first, count = (code.add(i, "1"), code.let(f"sub nsw i64 {n - 1}, {i}")) if down else ("0", i)
    value, group = x.load(i, "0"), code.module.group()
    tag = f", !llvm.access.group {group}"
    with code.loop(count, group=group) as k:
        at = code.add(first, k.index)
        factor = code.load(a.pointer, a.at(i, at), dtype, tag)
        here = code.load(x.pointer, at, dtype, tag)
        left = arithmetic(code, "sub", dtype, here, arithmetic(code, "mul", dtype, factor, value))
        code.store(left, x.pointer, at, dtype, tag)


# --- solve and slogdet --------------------------------------------------------------------------


@emits("solve")
def _solve(scope: Scope, equation: Equation) -> None:
    code, (a, b), (out,) = scope.code, equation.inputs, equation.outputs
    (count, n), dtype, columns = _batches(a.type), a.type.dtype, b.type.shape[-1]
    if not count or not columns:
        return
    matrices, sides, target = scope.pointer(a), scope.pointer(b), scope.pointer(out)
    lu, pivots, turned = scope.scratch(n * n * dtype.itemsize, 4 * n, n * columns * dtype.itemsize)
    name = code.module.external(_letter_of(dtype) + "getrs", 9)
    size, info = integer(code, n), code.local("i32")
    with code.loop(count) as loop:
        bad = _factorise(
            code, code.at(matrices, code.scale(loop.index, n * n), dtype), lu, pivots, n, dtype
        )
        start = code.scale(loop.index, n * columns)
        x = _Matrix(code, code.at(target, start, dtype), columns, dtype)
        side = _Matrix(code, code.at(sides, start, dtype), columns, dtype)
        other = _Matrix(code, turned, n, dtype)
        _transpose(side, other, n, columns)
        call(
            code,
            name,
            [letter(code, "T"), size, integer(code, columns), lu, size, pivots, turned, size, info],
        )
        _transpose(other, x, columns, n)
        with when(code, bad):
            _fill(code, x.pointer, n * columns, dtype, np.nan)


@emits("slogdet")
def _slogdet(scope: Scope, equation: Equation) -> None:
    """Sign and logarithm of the product of the pivots of LU."""
    code, (a,), (sign, logarithm) = scope.code, equation.inputs, equation.outputs
    (count, n), dtype = _batches(a.type), a.type.dtype
    kind, one, nothing = value_type(dtype), constant(1, dtype), constant(0, dtype)
    if not count:
        return
    matrices = scope.pointer(a)
    lu, pivots = scope.scratch(n * n * dtype.itemsize, 4 * n)
    with code.loop(count) as loop:
        _factorise(
            code, code.at(matrices, code.scale(loop.index, n * n), dtype), lu, pivots, n, dtype
        )
        with code.loop(n, [(kind, one), (kind, nothing)]) as row:
            pivot = code.load(lu, code.scale(row.index, n + 1), dtype)
            moved = code.load(pivots, row.index, I32)
            here = code.let(f"trunc i64 {code.add(row.index, '1')} to i32")
            swapped = code.let(f"icmp ne i32 {moved}, {here}")
            unit = code.intrinsic("copysign", dtype, one, pivot)
            zero = code.let(f"fcmp oeq {kind} {pivot}, {nothing}")
            unit = code.let(f"select i1 {zero}, {kind} {nothing}, {kind} {unit}")
            flipped = code.let(
                f"select i1 {swapped}, {kind} {code.let(f'fneg {kind} {unit}')}, {kind} {unit}"
            )
            size = code.intrinsic("fabs", dtype, pivot)
            log = code.let(
                f"call {kind} @{code.module.math('log', dtype, 1, inline=False)}({kind} {size})"
            )
            row.next = [
                arithmetic(code, "mul", dtype, row.state[0], flipped),
                arithmetic(code, "add", dtype, row.state[1], log),
            ]
        for var, value in zip((sign, logarithm), row.next, strict=True):
            if var.type.shape:
                code.store(value, scope.pointer(var), loop.index, dtype)
            else:
                scope.define(var, value)


@emits("eigh")
def _eigh(scope: Scope, equation: Equation) -> None:
    """By columns our rows are the transpose: what LAPACK leaves there are vectors by rows."""
    code, (a,), (values, vectors) = scope.code, equation.inputs, equation.outputs
    (count, n), dtype = _batches(a.type), a.type.dtype
    if not count:
        return
    sources, lists, targets = scope.pointer(a), scope.pointer(values), scope.pointer(vectors)
    long, whole = 1 + 6 * n + 2 * n * n, 3 + 5 * n
    rows, work, counts = scope.scratch(
        n * n * dtype.itemsize, long * dtype.itemsize, whole * I32.itemsize
    )
    name = code.module.external(_letter_of(dtype) + "syevd", 11)
    info, size = code.local("i32"), integer(code, n)
    lengths = integer(code, long), integer(code, whole)
    with code.loop(count) as loop:
        start = code.scale(loop.index, n * n)
        found = code.at(lists, code.scale(loop.index, n), dtype)
        source = _Matrix(code, code.at(sources, start, dtype), n, dtype)
        target = _Matrix(code, code.at(targets, start, dtype), n, dtype)
        vector = _Matrix(code, rows, n, dtype)
        bad = _symmetric(source, vector, n)
        flags = [letter(code, "V"), letter(code, "L")]
        # NaN sends LAPACK astray, and zeros stand in for it.
        with when(code, bad):
            _fill(code, rows, n * n, dtype, 0.0)
        call(
            code,
            name,
            [*flags, size, rows, size, found, work, lengths[0], counts, lengths[1], info],
        )
        failed = code.let(f"icmp ne i32 {code.load(info, '0', I32)}, 0")
        _signed(vector, target, n)
        with when(code, code.let(f"or i1 {bad}, {failed}")):
            _fill(code, found, n, dtype, np.nan)
            _fill(code, target.pointer, n * n, dtype, np.nan)


def _symmetric(source: _Matrix, target: _Matrix, n: int) -> str:
    """Put the lower triangle on both sides. Whether it holds a number that is not finite."""
    code, dtype, kind = source.code, source.dtype, value_type(source.dtype)
    with code.loop(n, [("i1", "false")]) as row:
        with code.loop(code.add(row.index, "1"), [("i1", row.state[0])]) as column:
            value = source.load(row.index, column.index)
            target.store(value, row.index, column.index)
            target.store(value, column.index, row.index)
            rest = arithmetic(code, "sub", dtype, value, value)
            odd = code.let(f"fcmp uno {kind} {rest}, {rest}")
            column.next = [code.let(f"or i1 {column.state[0]}, {odd}")]
        row.next = column.next
    return row.next[0]


def _signed(rows: _Matrix, target: _Matrix, n: int) -> None:
    """Rows to columns, each with its largest component positive."""
    code, dtype, kind = rows.code, rows.dtype, value_type(rows.dtype)
    nothing, one = constant(0, dtype), constant(1, dtype)
    with code.loop(n) as row:
        with code.loop(n, [(kind, nothing)]) as column:
            value, largest = rows.load(row.index, column.index), column.state[0]
            sizes = [code.intrinsic("fabs", dtype, x) for x in (value, largest)]
            larger = code.let(f"fcmp ogt {kind} {sizes[0]}, {sizes[1]}")
            column.next = [code.let(f"select i1 {larger}, {kind} {value}, {kind} {largest}")]
        unit = code.intrinsic("copysign", dtype, one, column.next[0])
        with code.loop(n) as column:
            value = arithmetic(code, "mul", dtype, unit, rows.load(row.index, column.index))
            target.store(value, column.index, row.index)


def _factorise(code: Code, source: str, lu: str, pivots: str, n: int, dtype: DType) -> str:
    """LU of the transpose, which is what LAPACK sees; whether a pivot is zero."""
    code.copy(lu, source, n * n * dtype.itemsize)
    info, size = code.local("i32"), integer(code, n)
    call(
        code,
        code.module.external(_letter_of(dtype) + "getrf", 6),
        [size, size, lu, size, pivots, info],
    )
    return code.let(f"icmp ne i32 {code.load(info, '0', I32)}, 0")


def _transpose(source: _Matrix, target: _Matrix, rows: int, columns: int) -> None:
    with source.code.loop(rows) as i, source.code.loop(columns) as j:
        target.store(source.load(i.index, j.index), j.index, i.index)


def _fill(code: Code, pointer: str, size: int, dtype: DType, value: float) -> None:
    with code.loop(size) as loop:
        code.store(constant(value, dtype), pointer, loop.index, dtype)
