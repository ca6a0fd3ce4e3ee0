"""What an equation asks of the loops that make it: their space, their cuts, their cost."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from bayesdl.ir.program import Atom, Equation, Var

from . import mathlib
from .expression import READ

Shape = tuple[int, ...]
Cuts = frozenset[tuple[int, int]]
NO_CUTS: Cuts = frozenset()

REDUCTIONS = {
    "reduce_sum": "add",
    "reduce_max": "max",
    "reduce_min": "min",
    "reduce_and": "and",
    "reduce_or": "or",
}
FEW = 7  # terms of a sum that are written out, and sums that run side by side
# Costs of one element, in units of an addition.
HEAVY = {"div": 8, "sqrt": 8, "floor_div": 8, "remainder": 8, "gather": 4, "dynamic_slice": 1}


def kept_carry(equation: Equation) -> list[int]:
    """The parts of a loop's carry that its body hands on as they are."""
    body, constants = equation.params["body"], equation.params["constants"]
    count = equation.params.get("carry", len(body.outputs))
    return [k for k in range(count) if body.outputs[k] is body.inputs[constants + k]]


def is_pointwise(equation: Equation) -> bool:
    """Whether any element of the result can be computed by itself."""
    name = equation.primitive.name
    if name == "dot_general":
        terms = contracted(equation)
        return terms == 1 or (0 < terms <= FEW and is_thin(equation))
    if name == "pad":
        return _is_seam(**equation.params)
    return equation.primitive.elementwise or name in READ


def _is_seam(low: Shape, high: Shape, interior: Shape) -> bool:
    """Whether a padding only puts zeros before and behind, along one axis.

    Around two axes a nest would have nine parts: one copy onto zeros is less code.
    """
    sides = list(zip(low, high, strict=True))
    return not any(interior) and min(map(min, sides), default=0) >= 0 and sum(map(any, sides)) < 2


def weight(name: str) -> int:
    """What one element of an elementwise primitive costs, in units of an addition."""
    return HEAVY.get(name, 12 if name in mathlib.NAMES else 1)


def cuts_of(equation: Equation, known: Mapping[Var, Cuts]) -> Cuts:
    """Where loops that compute a value must be cut: exact where values are only put together."""
    name, params = equation.primitive.name, equation.params
    if name == "concatenate":
        axis, at, found = params["axis"], 0, NO_CUTS
        for part in equation.inputs:
            if isinstance(part, Var):
                found |= _moved(known.get(part, NO_CUTS), axis, at)
            at += part.type.shape[axis]
            found |= {(axis, at)}
        return found - {(axis, at)}
    inner = NO_CUTS.union(*(known.get(a, NO_CUTS) for a in equation.inputs if isinstance(a, Var)))
    if name == "pad":
        shape = equation.inputs[0].type.shape
        for axis, (low, n) in enumerate(zip(params["low"], shape, strict=True)):
            inner = _moved(inner, axis, low) | {(axis, low), (axis, low + n)}
        ends = equation.outputs[0].type.shape
        return frozenset((a, at) for a, at in inner if a >= len(ends) or 0 < at < ends[a])
    if name == "slice":
        for axis, start in enumerate(params["start"]):
            inner = _moved(inner, axis, -start)
        ends = equation.outputs[0].type.shape
        if all(n == 1 for n in params["stride"]):
            return frozenset((a, at) for a, at in inner if a >= len(ends) or 0 < at < ends[a])
    return inner


def _moved(cuts: Cuts, axis: int, by: int) -> Cuts:
    return frozenset((a, at + by if a == axis else at) for a, at in cuts)


def is_seamless(equation: Equation) -> bool:
    """Whether an equation may be computed part by part: no sum over a part of the axes."""
    return (is_pointwise(equation) and equation.primitive.name != "dot_general") or (
        equation.primitive.name in REDUCTIONS and not equation.outputs[0].type.shape
    )


def in_nest(equation: Equation) -> bool:
    """Whether loop nests make the result, by themselves or as part of another."""
    name = equation.primitive.name
    return (
        is_pointwise(equation)
        or name in REDUCTIONS
        or (name == "dot_general" and is_thin(equation))
    )


def contracted(equation: Equation) -> int:
    """Number of terms of a product's sums."""
    return prod(equation.inputs[0].type.shape[a] for a in equation.params["contract"][0])


def free_axes(equation: Equation) -> tuple[list[int], list[int]]:
    """The axes of a product's operands that are neither summed nor common."""
    contract, batch = equation.params["contract"], equation.params["batch"]
    left, right = (
        [i for i in range(a.type.ndim) if i not in contract[side] and i not in batch[side]]
        for side, a in enumerate(equation.inputs[:2])
    )
    return left, right


def is_thin(equation: Equation) -> bool:
    """Whether a product is of vectors, or of a matrix and a vector: bound by memory."""
    left, right = free_axes(equation)
    x, y = equation.inputs[0].type.shape, equation.inputs[1].type.shape
    return prod(x[i] for i in left) == 1 or prod(y[i] for i in right) == 1


def matrix_of(equation: Equation) -> Atom:
    """The larger operand of a thin product."""
    x, y = equation.inputs[:2]
    return x if x.type.size >= y.type.size else y


def crosses(first: Equation, second: Equation) -> bool:
    """Whether two thin products go over one plain matrix along its rows and across them."""
    matrix = matrix_of(first)
    axes = {
        axis
        for e in (first, second)
        for axis in e.params["contract"][0 if e.inputs[0] is matrix else 1]
    }
    return matrix.type.ndim == 2 and axes == {0, 1} and not first.params["batch"][0]


def product_order(equation: Equation) -> tuple[Shape, tuple[int, ...], tuple[int, ...]]:
    """The loops of a thin product: their sizes, which are of the result, which of the sum.

    The larger operand is read along its rows: where its summed axes come first, so do their loops.
    """
    contract = equation.params["contract"]
    sums = tuple(equation.inputs[0].type.shape[a] for a in contract[0])
    out = equation.outputs[0].type.shape
    common, free = len(equation.params["batch"][0]), free_axes(equation)
    side = 0 if equation.inputs[0].type.size >= equation.inputs[1].type.size else 1
    last_free = max(free[side], default=-1)
    if last_free > max(contract[side], default=-1) and prod(out[common:]) > 1:
        space = (*out[:common], *sums, *out[common:])
        kept = (*range(common), *range(common + len(sums), len(space)))
        return space, kept, tuple(range(common, common + len(sums)))
    space = (*out, *sums)
    return space, tuple(range(len(out))), tuple(range(len(out), len(space)))


def is_unrolled(equation: Equation) -> bool:
    """Whether a product makes a few numbers out of long sums, which then run side by side."""
    out = equation.outputs[0].type
    return (
        equation.primitive.name == "dot_general"
        and not is_pointwise(equation)
        and is_thin(equation)
        and out.dtype.kind == "f"
        and 1 < out.size <= FEW
    )


def offset_of(equation: Equation) -> int | None:
    """Where a slice begins in its operand's buffer; None where it is not one piece of it."""
    shape, out = equation.inputs[0].type.shape, equation.outputs[0].type.shape
    cut = [i for i, (n, m) in enumerate(zip(shape, out, strict=True)) if n != m]
    whole = all(m == 1 for m in out[: cut[-1]]) if cut else True
    steps = all(s == 1 or m <= 1 for s, m in zip(equation.params["stride"], out, strict=True))
    if not (whole and steps and equation.outputs[0].type.size):
        return None
    offset = 0
    for start, n in zip(equation.params["start"], shape, strict=True):
        offset = offset * n + start
    return offset


def space_of(equation: Equation) -> Shape:
    """The loops that an equation of a nest needs."""
    name = equation.primitive.name
    if name in REDUCTIONS:
        return equation.inputs[0].type.shape
    if is_unrolled(equation):
        return tuple(equation.inputs[0].type.shape[a] for a in equation.params["contract"][0])
    if name == "dot_general" and not is_pointwise(equation):
        return product_order(equation)[0]
    return equation.outputs[0].type.shape


def squeezed(shape: Shape) -> Shape:
    """A shape without its axes of size 1."""
    return tuple(n for n in shape if n != 1)


def repeats(equation: Equation) -> bool:
    """Whether a broadcast puts a new axis before one of the operand's."""
    axes, shape = equation.params["axes"], equation.params["shape"]
    kept = [i for i, n in enumerate(shape) if i not in axes and n > 1]
    return bool(kept) and any(a < kept[-1] and shape[a] > 1 for a in axes)
