"""A nest as parts of its space, each with loops of its own, where operands are put together.

Packing numbers into a position and padding a gradient are not copies then: the loops that read the
whole are cut where another operand begins.
"""

from __future__ import annotations

from itertools import pairwise, product
from math import prod

from bayesdl._base.dataclass import dataclass
from bayesdl.ir.program import Equation, Var

from .expression import Index, Node, Place, Reader, element, identity, linear, product_places
from .fuse import Fusion, Nest
from .nests import Scope, Totals, Writer
from .results import Reduce, Store
from .spaces import REDUCTIONS, is_pointwise, is_unrolled, product_order


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a nest's space in which every `concatenate` and `pad` reads one operand.

    Parameters
    ----------
    first, space : tuple of int
        Where it begins, and its sizes.
    """

    first: tuple[int, ...]
    space: tuple[int, ...]


def write_nest(scope: Scope, nest: Nest) -> None:
    """Write the loops of a nest, and name the scalars it makes."""
    totals: Totals = {}
    boxes = boxes_of(scope.fusion, nest)
    for box in boxes:
        totals = _write_box(scope, nest, box, totals, box is boxes[-1])


def boxes_of(fusion: Fusion, nest: Nest) -> list[Box]:
    """The parts of a nest's space, in order."""
    edges: list[set[int]] = [{0, n} for n in nest.space]
    if nest.is_cut:
        reader = Reader(fusion, nest.space, edges)
        for equation in nest.roots:
            _read_root(reader, equation, nest.space, identity(nest.space))
    sides = [
        list(pairwise(sorted(e))) if n else [(0, 0)] for e, n in zip(edges, nest.space, strict=True)
    ]
    return [
        Box(tuple(a for a, _ in corner), tuple(b - a for a, b in corner))
        for corner in product(*sides)
    ]


def _write_box(scope: Scope, nest: Nest, box: Box, totals: Totals, last: bool) -> Totals:
    """Write the loops over one part; the running totals of numbers after it."""
    reader, place = Reader(scope.fusion, box.space), identity(box.space, box.first)
    stores: list[Store] = []
    reduces: list[Reduce] = []
    scalars: list[tuple[Var, Node]] = []
    for equation in nest.roots:
        var = equation.outputs[0]
        found = _read_root(reader, equation, nest.space, place)
        if isinstance(found, list):
            reduces.extend(found)
        elif not var.type.shape:
            scalars.append((var, found))
        elif var in scope.fusion.memory and not _is_there(scope, var, found, place, nest):
            stores.append(Store(scope.pointer(var), linear(place, nest.space), found))
    if not (stores or reduces or scalars):
        return totals
    writer = Writer(scope, box.space, stores, reduces, scalars)
    writer.write(totals, last)
    return writer.totals


def _is_there(scope: Scope, var: Var, node: Node, place: Place, nest: Nest) -> bool:
    """Whether a value that is only put where it belongs was made there."""
    if node.kind != "load" or not isinstance(node.data[0], Var):
        return False
    part, index = node.data
    first = scope.lies_in(part, var)
    return first is not None and index.plus(first) == linear(place, nest.space)


def _read_root(
    reader: Reader, equation: Equation, space: tuple[int, ...], place: Place
) -> Node | list[Reduce]:
    """What a root computes at a place; later roots may read it."""
    if is_pointwise(equation):
        node = reader.memo[equation.outputs[0], place] = reader.compute(equation, place)
        return node
    name, var = equation.primitive.name, equation.outputs[0]
    if name in REDUCTIONS:
        kept = tuple(i for i in range(len(space)) if i not in equation.params["axes"])
        node, terms = reader.read(equation.inputs[0], place), prod(space) // max(var.type.size, 1)
        return [Reduce(var, node, REDUCTIONS[name], kept, terms=terms)]
    if is_unrolled(equation):
        ends = product(*(range(n) for n in var.type.shape))
        frees = [tuple(Index(i) for i in end) for end in ends]
        return [
            Reduce(var, _term(reader, equation, free, place), "add", (), at)
            for at, free in enumerate(frees)
        ]
    _, kept, summed = product_order(equation)
    free, along = tuple(place[i] for i in kept), tuple(place[i] for i in summed)
    terms = prod(space[i] for i in summed)
    return [Reduce(var, _term(reader, equation, free, along), "add", kept, terms=terms)]


def _term(reader: Reader, equation: Equation, free: Place, along: Place) -> Node:
    """One term of a product's sums."""
    x, y = product_places(equation, free, along)
    left, right = reader.read(equation.inputs[0], x), reader.read(equation.inputs[1], y)
    return element("mul", equation.outputs[0].type.dtype, left, right)
