"""Which equations of a Program work row by row, and which of them sum over the rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from math import prod

from bayesdl._base.dataclass import dataclass
from bayesdl.ir.program import Atom, Equation, Program, Var

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
    bytes : int
        Of the data that are read and of the values that may have to be stored.
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


Axes = tuple[int | None, ...]
Fixed = dict[int, int]
Found = tuple[Axes, int | None]
"""Per operand the axis that is cut into blocks; the result's, or None where the rows are summed."""


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
        region.bytes = sum(v.type.size * v.type.dtype.itemsize for v in self._stored())
        return region

    def _sort(self, equation: Equation) -> None:
        region = self.region
        if not self.late.isdisjoint(equation.inputs):
            self._put_late(equation)
            return
        fixed = self._fixed(equation)
        found = None
        if fixed and len(equation.outputs) == 1:
            rule = (
                _elementwise
                if equation.primitive.elementwise
                else RULES.get(equation.primitive.name)
            )
            found = rule(equation, fixed) if rule is not None else None
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

    def _stored(self) -> set[Atom]:
        """The data, and what is made by more than moving or light arithmetic."""
        region = self.region
        found: set[Atom] = set()
        for equation in (*region.inside, *region.sums):
            for atom, at in zip(equation.inputs, region.reads[equation], strict=True):
                if at is not None and (atom in self.seeds or atom not in region.axis):
                    found.add(atom)
            if equation.primitive.name in _STORED and equation in region.inside:
                found.update(equation.outputs)
        return found


_STORED = {"dot_general", "gather", "exp", "log", "tanh", "sigmoid", "softplus", "sin", "cos"} | {
    "windows",
    "fold",
}


# --- rules --------------------------------------------------------------------------------------


def _elementwise(equation: Equation, fixed: Fixed) -> Found | None:
    axis = next(iter(fixed.values()))
    return tuple(axis if a.type.shape else None for a in equation.inputs), axis


def _broadcast(equation: Equation, fixed: Fixed) -> Found | None:
    kept = [i for i in range(len(equation.params["shape"])) if i not in equation.params["axes"]]
    return (fixed[0],), kept[fixed[0]]


def _transpose(equation: Equation, fixed: Fixed) -> Found | None:
    return (fixed[0],), equation.params["permutation"].index(fixed[0])


def _reshape(equation: Equation, fixed: Fixed) -> Found | None:
    before, after, axis = equation.inputs[0].type.shape, equation.params["shape"], fixed[0]
    for at, n in enumerate(after):
        if n == before[axis] and prod(after[:at]) == prod(before[:axis]):
            return (axis,), at
    return None


def _reduce(equation: Equation, fixed: Fixed) -> Found | None:
    axes, axis = equation.params["axes"], fixed[0]
    if axis not in axes:
        return (axis,), axis - sum(1 for a in axes if a < axis)
    # Of the reductions only sums can be taken up again after a block, in any order.
    return ((axis,), None) if equation.primitive.name == "reduce_sum" else None


def _slice(equation: Equation, fixed: Fixed) -> Found | None:
    axis, params = fixed[0], equation.params
    whole = (0, equation.inputs[0].type.shape[axis], 1)
    found = tuple(params[k][axis] for k in ("start", "limit", "stride"))
    return ((axis,), axis) if found == whole else None


def _windows(equation: Equation, fixed: Fixed) -> Found | None:
    axis, first, count = fixed[0], equation.params["first"], len(equation.params["stride"])
    folds = equation.primitive.name == "fold"
    if axis < first:
        return (axis,), axis
    if axis < first + (2 * count if folds else count):
        return None
    return (axis,), axis + (-count if folds else count)


def _reverse(equation: Equation, fixed: Fixed) -> Found | None:
    return None if fixed[0] in equation.params["axes"] else ((fixed[0],), fixed[0])


def _pad(equation: Equation, fixed: Fixed) -> Found | None:
    if set(fixed) != {0}:
        return None
    axis = fixed[0]
    padded = any(equation.params[k][axis] for k in ("low", "high", "interior"))
    return None if padded else ((axis, *(None for _ in equation.inputs[1:])), axis)


def _concatenate(equation: Equation, fixed: Fixed) -> Found | None:
    axis = next(iter(fixed.values()))
    return None if axis == equation.params["axis"] else ((axis,) * len(equation.inputs), axis)


def _dot_general(equation: Equation, fixed: Fixed) -> Found | None:
    (side, axis), *_ = fixed.items()
    contract, batch = equation.params["contract"], equation.params["batch"]
    for pairs, summed in ((contract, True), (batch, False)):
        if axis in pairs[side]:
            at = pairs[side].index(axis)
            other = pairs[1 - side][at]
            axes = (axis, other) if side == 0 else (other, axis)
            return axes, None if summed else at
    if len(fixed) == 2:
        return None
    free = [
        [i for i in range(a.type.ndim) if i not in contract[s] and i not in batch[s]]
        for s, a in enumerate(equation.inputs)
    ]
    at = len(batch[0]) + (len(free[0]) if side else 0) + free[side].index(axis)
    return ((axis, None) if side == 0 else (None, axis)), at


def _gather(equation: Equation, fixed: Fixed) -> Found | None:
    indices = equation.inputs[1]
    if set(fixed) == {1} and fixed[1] < indices.type.ndim - 1:
        return (None, fixed[1]), fixed[1]
    depth = indices.type.shape[-1]
    if set(fixed) == {0} and fixed[0] >= depth:
        return (fixed[0], None), indices.type.ndim - 1 + fixed[0] - depth
    return None


def _scatter_add(equation: Equation, fixed: Fixed) -> Found | None:
    _, indices, _ = equation.inputs
    axis = next(iter(fixed.values()))
    if 0 in fixed or axis >= indices.type.ndim - 1:
        return None
    return (None, axis, axis), None


RULES: dict[str, Callable[[Equation, Fixed], Found | None]] = {
    "broadcast": _broadcast,
    "concatenate": _concatenate,
    "dot_general": _dot_general,
    "fold": _windows,
    "gather": _gather,
    "pad": _pad,
    "reduce_and": _reduce,
    "reduce_max": _reduce,
    "reduce_min": _reduce,
    "reduce_or": _reduce,
    "reduce_sum": _reduce,
    "reshape": _reshape,
    "reverse": _reverse,
    "scatter_add": _scatter_add,
    "slice": _slice,
    "transpose": _transpose,
    "windows": _windows,
}
