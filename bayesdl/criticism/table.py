"""The one text table in which results are printed, in a terminal, a notebook or a data frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesdl._base.dataclass import dataclass

if TYPE_CHECKING:
    import pandas

MISSING = "-"

# Between these a number is written out; beyond them a power of ten is shorter.
_LEAST_PLAIN, _LEAST_LARGE = 1e-4, 1e6

Cell = str | float | int | bool | None


@dataclass(frozen=True)
class Table:
    """Rows under named columns, printed so that the eye can run down a column.

    Parameters
    ----------
    columns : sequence of str
        Headings.
    rows : sequence of sequences
        Cells: text, numbers, booleans, or None for what does not apply, printed ``-``. NaN stays
        ``nan``, because a computation that failed is not a measure that does not apply.
    title : str, optional
        A line above.
    note : str, optional
        A line below.

    Raises
    ------
    ValueError
        If a row has not one cell per column.

    Examples
    --------
    >>> print(Table(["method", "rmse", "ess"], [["nuts", 52.317, 3120.4], ["vi", 54.9, None]]))
    method   rmse   ess
    ──────  ─────  ────
    nuts    52.32  3120
    vi      54.90     -
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    title: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{len(row)} cells under {len(self.columns)} columns: {row!r}")

    def __str__(self) -> str:
        texts = self._texts()
        numeric = self._numeric()
        widths = [max(len(cell) for cell in column) for column in texts]
        lines = [self.title] if self.title else []
        for i in range(len(self.rows) + 1):
            cells = [
                column[i].rjust(width) if right else column[i].ljust(width)
                for column, width, right in zip(texts, widths, numeric, strict=True)
            ]
            lines.append("  ".join(cells).rstrip())
            if i == 0:
                lines.append("  ".join("─" * width for width in widths))
        return "\n".join([*lines, self.note] if self.note else lines)

    def _repr_html_(self) -> str:
        texts = self._texts()
        sides = ["right" if right else "left" for right in self._numeric()]
        body = []
        for i in range(len(self.rows) + 1):
            tag = "td" if i else "th"
            cells = (
                f'<{tag} style="text-align: {side}">{_escaped(column[i])}</{tag}>'
                for column, side in zip(texts, sides, strict=True)
            )
            body.append(f"<tr>{''.join(cells)}</tr>")
        title = f"<caption>{_escaped(self.title)}</caption>" if self.title else ""
        note = f"<p>{_escaped(self.note)}</p>" if self.note else ""
        table = f"{title}<thead>{body[0]}</thead><tbody>{''.join(body[1:])}</tbody>"
        return f"<table>{table}</table>{note}"

    def to_dataframe(self) -> pandas.DataFrame:
        """The same cells, unrounded, as a data frame with the first column for its index."""
        import pandas

        frame = pandas.DataFrame([list(row) for row in self.rows], columns=list(self.columns))
        return frame.set_index(self.columns[0])

    def column(self, name: str) -> dict[str, Cell]:
        """The cells under one heading, by the text of the first column."""
        i = list(self.columns).index(name)
        return {str(row[0]): row[i] for row in self.rows}

    def _column(self, i: int) -> list[Cell]:
        return [row[i] for row in self.rows]

    def _texts(self) -> list[list[str]]:
        return [[name, *_format_column(self._column(i))] for i, name in enumerate(self.columns)]

    def _numeric(self) -> list[bool]:
        cells = (self._column(i) for i in range(len(self.columns)))
        return [any(_is_number(c) for c in column) for column in cells]


def _is_number(cell: Cell) -> bool:
    return isinstance(cell, (int, float, np.integer, np.floating)) and not isinstance(cell, bool)


def _format_column(cells: Sequence[Cell]) -> list[str]:
    decimals = _common_decimals(cells)
    return [_format(cell, decimals) for cell in cells]


def _format(cell: Cell, decimals: int | None) -> str:
    if cell is None:
        return MISSING
    if isinstance(cell, (bool, np.bool_)):
        return "yes" if cell else "no"
    if isinstance(cell, (int, np.integer)):
        return str(cell)
    if isinstance(cell, (float, np.floating)):
        return _format_alone(float(cell)) if decimals is None else f"{cell:.{decimals}f}"
    return str(cell)


def _common_decimals(cells: Sequence[Cell]) -> int | None:
    """Decimals that give the largest number four digits and leave the smallest at least two."""
    sizes = [
        abs(float(c))
        for c in cells
        if isinstance(c, (float, np.floating)) and math.isfinite(c) and c
    ]
    if not sizes:
        return 0
    if not _LEAST_PLAIN <= max(sizes) < _LEAST_LARGE:
        return None
    decimals = max(0, 3 - math.floor(math.log10(max(sizes))))
    return decimals if min(sizes) >= 10.0 ** (1 - decimals) else None


def _format_alone(value: float) -> str:
    size = abs(value)
    if not math.isfinite(value) or value == 0.0:
        return f"{value:.0f}"
    if not _LEAST_PLAIN <= size < _LEAST_LARGE:
        return f"{value:.2e}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(size)))}f}"


def _escaped(text: str) -> str:
    """Text as HTML. The standard library's module for this loads 2000 names of characters too."""
    for sign, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(sign, name)
    return text
