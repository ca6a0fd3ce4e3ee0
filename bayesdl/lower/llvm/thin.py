"""Products of a matrix and a vector: bound by memory, so every row is read once, in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil

from .code import Code
from .lanes import DType, Lanes
from .matrix import Matrix, cover

# Shares of the registers: for the sums of so many rows at once, so that no addition waits for the
# one before it; for rows at once by which a result that lies in memory is updated; for a result
# that stays in the processor while all rows go by.
TALL, LOW, HELD = 1 / 2, 1 / 4, 3 / 4
UNROLLED = 8  # registers of a row that are written out rather than looped over

Sums = list[str]
Turn = Callable[[str, int, Sums], Sums]


def along_rows(code: Code, m: Matrix, v: str, out: str, dtype: DType) -> None:
    """out = M v.

    Parameters
    ----------
    code : Code
    m : Matrix
        Its rows are contiguous.
    v, out : str
        Addresses of contiguous vectors.
    dtype : dtype
    """
    lanes = Lanes(code, dtype)
    for start, height, rounds in cover(m.rows, lanes.share(TALL)):
        with code.loop(rounds, rolled=True) as loop:
            top = code.add(code.scale(loop.index, height), str(start))

            def turn(at: str, width: int, sums: Sums, top: str = top) -> Sums:
                y = lanes.load_padded(v, at, width)
                xs = [_row(lanes, m, top, i, at, width) for i in range(len(sums))]
                return [lanes.muladd(x, y, s) for x, s in zip(xs, sums, strict=True)]

            sums = _over_columns(lanes, m.columns, ["zeroinitializer"] * height, turn)
            _store_sums(lanes, sums, out, top)


def across_rows(code: Code, m: Matrix, u: str, step: int, out: str, dtype: DType) -> None:
    """out = uᵀ M.

    Parameters
    ----------
    code : Code
    m : Matrix
        Its rows are contiguous.
    u : str
        Address of a vector whose elements lie `step` apart.
    step : int
    out : str
        Address of a contiguous vector.
    dtype : dtype
    """
    lanes = Lanes(code, dtype)
    registers = ceil(m.columns / lanes.count)
    held = lanes.share(HELD)
    if registers > 2 * held:
        both_ways(code, m, None, (u, step, out), dtype)
        return
    share = ceil(registers / ceil(registers / held))
    for start, width, rounds in cover(m.columns, share * lanes.count):
        with code.loop(rounds, rolled=True) as loop:
            left = code.add(code.scale(loop.index, width), str(start))
            _held(lanes, m, (u, step), out, (left, width))


def _held(
    lanes: Lanes, m: Matrix, vector: tuple[str, int], out: str, span: tuple[str, int]
) -> None:
    """Some columns of uᵀ M, in registers; few of them twice, for even and odd rows."""
    code, (left, width) = lanes.code, span
    parts = lanes.parts(width)
    ways = max(1, min(lanes.share(TALL) // len(parts), m.rows))
    first = [(lanes.kind(w), "zeroinitializer") for _ in range(ways) for _, w in parts]
    with code.loop(m.rows // ways, first, rolled=True) as loop:
        for way in range(ways):
            row = code.add(code.scale(loop.index, ways), str(way))
            sums = loop.state[way * len(parts) : (way + 1) * len(parts)]
            loop.next += _updated(lanes, m, vector, row, left, parts, sums)
    sums = loop.next[: len(parts)]
    for way in range(1, ways):
        more = loop.next[way * len(parts) :]
        sums = [
            code.let(f"fadd {lanes.kind(w)} {a}, {b}")
            for a, b, (_, w) in zip(sums, more, parts, strict=False)
        ]
    for last in range(m.rows - m.rows % ways, m.rows):
        sums = _updated(lanes, m, vector, str(last), left, parts, sums)
    for value, (start, w) in zip(sums, parts, strict=True):
        lanes.store(value, out, code.add(left, str(start)), w)


def _updated(
    lanes: Lanes,
    m: Matrix,
    vector: tuple[str, int],
    row: str,
    left: str,
    parts: Sequence[tuple[int, int]],
    sums: Sequence[str],
) -> Sums:
    """Sums after one more row."""
    code, (u, step) = lanes.code, vector
    scalar = code.load(u, code.scale(row, step), lanes.dtype)
    found = []
    for total, (start, w) in zip(sums, parts, strict=True):
        x = lanes.load(m.pointer, m.at(code, row, code.add(left, str(start))), w)
        found.append(lanes.muladd(lanes.spread(scalar, w), x, total, w))
    return found


def both_ways(
    code: Code,
    m: Matrix,
    along: tuple[str, str] | None,
    across: tuple[str, int, str],
    dtype: DType,
) -> None:
    """M v and uᵀ M in one pass over M.

    Parameters
    ----------
    code : Code
    m : Matrix
        Its rows are contiguous.
    along : (v, out) or None
        Addresses of contiguous vectors.
    across : (u, step, out)
        As for `across_rows`; `out` overlaps nothing that is read here.
    dtype : dtype
    """
    lanes, (u, step, out) = Lanes(code, dtype), across
    code.clear(out, m.columns * dtype.itemsize)
    for start, height, rounds in cover(m.rows, lanes.share(LOW)):
        with code.loop(rounds, rolled=True) as loop:
            top = code.add(code.scale(loop.index, height), str(start))
            us = [
                lanes.spread_from(u, code.scale(code.add(top, str(i)), step), None)
                for i in range(height)
            ]

            def turn(at: str, width: int, sums: Sums, top: str = top, us: Sums = us) -> Sums:
                total = lanes.load_padded(out, at, width)
                xs = [_row(lanes, m, top, i, at, width) for i in range(len(us))]
                for x, factor in zip(xs, us, strict=True):
                    total = lanes.muladd(factor, x, total)
                if along is not None:
                    y = lanes.load_padded(along[0], at, width)
                    sums = [lanes.muladd(x, y, s) for x, s in zip(xs, sums, strict=True)]
                lanes.store_first(total, out, at, width)
                return sums

            sums = ["zeroinitializer"] * (height if along is not None else 0)
            sums = _over_columns(lanes, m.columns, sums, turn)
            if along is not None:
                _store_sums(lanes, sums, along[1], top)


def _row(lanes: Lanes, m: Matrix, top: str, i: int, at: str, width: int) -> str:
    code = lanes.code
    return lanes.load_padded(m.pointer, m.at(code, code.add(top, str(i)), at), width)


def _over_columns(lanes: Lanes, columns: int, sums: Sums, turn: Turn) -> Sums:
    """Take turns over the registers of a row, the last of which may be narrower."""
    code, (full, rest) = lanes.code, divmod(columns, lanes.count)
    if full <= UNROLLED:
        for j in range(full):
            sums = turn(str(j * lanes.count), lanes.count, sums)
    else:
        with code.loop(full, [(lanes.kind(), s) for s in sums], rolled=True) as loop:
            loop.next = turn(code.scale(loop.index, lanes.count), lanes.count, loop.state)
        sums = loop.next
    return turn(str(full * lanes.count), rest, sums) if rest else sums


def _store_sums(lanes: Lanes, sums: Sums, out: str, top: str) -> None:
    for i, register in enumerate(lanes.sums(sums)):
        start = i * lanes.count
        width = min(lanes.count, len(sums) - start)
        lanes.store_first(register, out, lanes.code.add(top, str(start)), width)
