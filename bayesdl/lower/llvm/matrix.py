"""A matrix in memory, and how its axes are cut into pieces that kernels work on."""

from __future__ import annotations

from dataclasses import replace

from bayesdl._base.dataclass import dataclass

from .code import Code
from .lanes import DType


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

    def at(self, code: Code, row: str, column: str) -> str:
        """The offset of an element."""
        return code.add(code.scale(row, self.down), code.scale(column, self.right))


def cover(size: int, tile: int) -> list[tuple[int, int, int]]:
    """(start, width, count) of tiles that cover an axis: full ones, then what is left."""
    full, rest = divmod(size, tile)
    parts = [(0, tile, full)] if full else []
    return [*parts, (full * tile, rest, 1)] if rest else parts


def share(size: int, tile: int) -> list[tuple[int, int, int]]:
    """(start, width, count) of as few tiles as cover an axis, their widths at most one apart.

    A narrow tile at the end would be short of sums that do not wait for one another.
    """
    turns = -(-size // tile)
    wide = -(-size // turns)
    narrow = turns * wide - size
    first = turns - narrow
    parts = [(0, wide, first), (first * wide, wide - 1, narrow)]
    return [p for p in parts if p[2]]
