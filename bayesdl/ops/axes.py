"""How an axis of rows, each made from its own row alone, goes through the primitives."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from bayesdl.ir.program import Equation

Axes = tuple[int | None, ...]
Fixed = dict[int, int]
Found = tuple[Axes, int | None]
"""Per operand the axis of the rows, None where all is read; the result's, None if it sums them."""


def rows_through(equation: Equation, fixed: Fixed) -> Found | None:
    """The axis along which the rows of a result lie, if its rows do not meet.

    Parameters
    ----------
    equation : Equation
        Without Programs; what is said of its result holds for all of them.
    fixed : dict of int to int
        The operands that come row by row, with the axis of the rows.

    Returns
    -------
    tuple or None
        The axis that each operand has to have for that, None where it may be read whole; and the
        result's, None where rows are summed. None where rows meet in another way.
    """
    if equation.primitive.elementwise:
        axis = next(iter(fixed.values()))
        return tuple(axis if a.type.shape else None for a in equation.inputs), axis
    rule = RULES.get(equation.primitive.name)
    return None if rule is None else rule(equation, fixed)


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


def _along(equation: Equation, fixed: Fixed) -> Found | None:
    axis, own = fixed[0], equation.params["axis"]
    drops = equation.outputs[0].type.ndim < equation.inputs[0].type.ndim
    return None if axis == own else ((axis,), axis - (drops and own < axis))


def _matrices(equation: Equation, fixed: Fixed) -> Found | None:
    axis = next(iter(fixed.values()))
    apart = axis < equation.inputs[0].type.ndim - 2
    return ((axis,) * len(equation.inputs), axis) if apart else None


RULES: dict[str, Callable[[Equation, Fixed], Found | None]] = {
    "argmax": _along,
    "argmin": _along,
    "argsort": _along,
    "broadcast": _broadcast,
    "cholesky": _matrices,
    "concatenate": _concatenate,
    "cumulative_sum": _along,
    "dot_general": _dot_general,
    "eigh": _matrices,
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
    "slogdet": _matrices,
    "solve": _matrices,
    "transpose": _transpose,
    "triangular_solve": _matrices,
    "windows": _windows,
}
