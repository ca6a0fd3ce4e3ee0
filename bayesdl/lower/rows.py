"""Which equations of a Program work row by row, and which of them sum over the rows."""

from __future__ import annotations

from dataclasses import field

from bayesdl._base.dataclass import dataclass
from bayesdl.ir.program import Atom, Equation, Program, Var
from bayesdl.ops.axes import Axes, Fixed, rows_through

SHARES = 8
"""In how many shares large sums over rows are dealt out, whatever the machine."""


@dataclass(eq=False)
class Region:
    """The part of a Program that can be worked out for some rows at a time.

    Parameters
    ----------
    rows : int
        Number of rows.
    axis : dict of Var to int
        The axis of the rows, of every value that is made row by row.
    reads : dict of Equation to tuple
        Per operand of `inside` and `sums`: the axis along which only the block's rows are read,
        None where all is.
    inside : list of Equation
        What is made row by row.
    sums : list of Equation
        What adds up over rows.
    early, late : list of Equation
        What does not need the rows, or needs what was summed.
    kept : list of Var
        Values of `inside` that are wanted whole.
    bytes, data : int
        Of the data that are read and of the values that may have to be stored; of the data alone.
    """

    rows: int
    axis: dict[Var, int] = field(default_factory=dict)
    reads: dict[Equation, tuple[int | None, ...]] = field(default_factory=dict)
    inside: list[Equation] = field(default_factory=list)
    sums: list[Equation] = field(default_factory=list)
    early: list[Equation] = field(default_factory=list)
    late: list[Equation] = field(default_factory=list)
    kept: list[Var] = field(default_factory=list)
    bytes: int = 0
    data: int = 0


def read_region(program: Program, rows: int) -> Region:
    """Find what goes row by row, where rows are the first axis of inputs of that length.

    Parameters
    ----------
    program : Program
    rows : int
    """
    return _Reader(program, rows).read()


class _Reader:
    """Goes through the equations once, in order."""

    def __init__(self, program: Program, rows: int) -> None:
        self.program, self.region = program, Region(rows)
        self.seeds = {v for v in program.inputs if v.type.shape and v.type.shape[0] == rows}
        self.late: set[Atom] = set()

    def read(self) -> Region:
        """Sort the equations."""
        region = self.region
        for equation in self.program.equations:
            self._sort(equation)
        wanted = [*(a for e in region.late for a in e.inputs), *self.program.outputs]
        region.kept = list(dict.fromkeys(v for v in wanted if v in region.axis))
        data, stored = self._data(), self._stored()
        region.data = sum(v.type.size * v.type.dtype.itemsize for v in data)
        region.bytes = sum(v.type.size * v.type.dtype.itemsize for v in data | stored)
        return region

    def _sort(self, equation: Equation) -> None:
        region = self.region
        if not self.late.isdisjoint(equation.inputs):
            self._put_late(equation)
            return
        fixed = self._fixed(equation)
        found = None
        if fixed and equation.primitive.name not in _WHOLE:
            found = rows_through(equation, fixed)
        if found is not None and self._fits(equation, found[0]):
            region.reads[equation], axis = found
            (out,) = equation.outputs
            if axis is None:
                region.sums.append(equation)
                self.late.add(out)
            else:
                region.axis[out] = axis
                region.inside.append(equation)
        elif region.axis.keys().isdisjoint(equation.inputs):
            region.early.append(equation)
        else:
            self._put_late(equation)

    def _put_late(self, equation: Equation) -> None:
        self.region.late.append(equation)
        self.late.update(equation.outputs)

    def _fixed(self, equation: Equation) -> Fixed:
        """The operands that come row by row, with the axis; data where there is nothing else."""
        axis = self.region.axis
        inside = {i: axis[a] for i, a in enumerate(equation.inputs) if a in axis}
        return inside or {i: 0 for i, a in enumerate(equation.inputs) if a in self.seeds}

    def _fits(self, equation: Equation, axes: Axes) -> bool:
        """Whether every operand can be read along the axis that a rule wants."""
        for atom, at in zip(equation.inputs, axes, strict=True):
            own = self.region.axis.get(atom) if isinstance(atom, Var) else None
            if own is not None and own != at:
                return False
            if at is not None and atom.type.shape[at] != self.region.rows:
                return False
        return True

    def _data(self) -> set[Atom]:
        """What is read row by row and was not made so."""
        region = self.region
        return {
            atom
            for equation in (*region.inside, *region.sums)
            for atom, at in zip(equation.inputs, region.reads[equation], strict=True)
            if at is not None and (atom in self.seeds or atom not in region.axis)
        }

    def _stored(self) -> set[Atom]:
        """What is made row by row, by more than moving or light arithmetic."""
        made = (e for e in self.region.inside if e.primitive.name in _STORED)
        return {v for e in made for v in e.outputs}


_WHOLE = {"argmax", "argmin", "argsort", "cumulative_sum"} | {
    "cholesky",
    "eigh",
    "slogdet",
    "solve",
    "triangular_solve",
}
"""These take all rows at once: their own loops are over rows, and blocks gain them nothing."""

_STORED = {"dot_general", "gather", "exp", "log", "tanh", "sigmoid", "softplus", "sin", "cos"} | {
    "windows",
    "fold",
}
