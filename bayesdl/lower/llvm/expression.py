"""One element of an array as an expression over loop counters: how fused equations are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any, Protocol

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.ir.program import Atom, Equation, Literal, Var
from bayesdl.ir.types import ArrayType

DType = np.dtype[Any]
I64, F64, BOOL = np.dtype(np.int64), np.dtype(np.float64), np.dtype(np.bool_)


@dataclass(frozen=True, slots=True)
class Index:
    """An integer, affine in the counters of a nest: const + Σ factor · counter + Σ factor · node.

    Parameters
    ----------
    const : int
    axes : tuple of (axis, factor)
        In the order of the axes; no factor is 0.
    nodes : tuple of (Node, factor)
        Parts that are computed.
    """

    const: int = 0
    axes: tuple[tuple[int, int], ...] = ()
    nodes: tuple[tuple[Node, int], ...] = ()

    def times(self, factor: int) -> Index:
        """factor · self."""
        if factor == 0:
            return Index()
        return Index(
            self.const * factor,
            tuple((a, f * factor) for a, f in self.axes),
            tuple((n, f * factor) for n, f in self.nodes),
        )

    def plus(self, other: Index | int) -> Index:
        """self + other."""
        if isinstance(other, int):
            return Index(self.const + other, self.axes, self.nodes)
        factors = dict(self.axes)
        for axis, factor in other.axes:
            factors[axis] = factors.get(axis, 0) + factor
        axes = tuple(sorted((a, f) for a, f in factors.items() if f))
        return Index(self.const + other.const, axes, self.nodes + other.nodes)

    def factor(self, axis: int) -> int:
        """How far one step along an axis goes."""
        return next((f for a, f in self.axes if a == axis), 0)


Place = tuple[Index, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Node:
    """A number inside a nest.

    Parameters
    ----------
    dtype : dtype
    kind : str
        ``number`` (data: the value), ``blank`` (the zero around a padded operand), ``scalar``
        (data: a Var held in a register), ``load`` (data: Var or address, Index), ``position``
        (data: Index) or ``element`` (data: name, parameters).
    data : object
    args : tuple of Node
        Operands of an ``element``.
    """

    dtype: DType
    kind: str
    data: Any
    args: tuple[Node, ...] = ()


def number(value: Any, dtype: Any) -> Node:
    """A constant."""
    return Node(np.dtype(dtype), "number", value)


def element(name: str, dtype: Any, *args: Node, params: Mapping[str, Any] | None = None) -> Node:
    """An elementwise primitive on one element."""
    return Node(np.dtype(dtype), "element", (name, params or {}), args)


def converted(node: Node, dtype: DType) -> Node:
    """A number as another dtype."""
    if node.dtype == dtype:
        return node
    return element("convert", dtype, node, params={"dtype": dtype})


def strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Row-major strides, in elements."""
    found, step = [], 1
    for n in reversed(shape):
        found.append(step)
        step *= n
    return tuple(reversed(found))


def linear(place: Place, shape: tuple[int, ...]) -> Index:
    """The offset of an element of a row-major array."""
    total = Index()
    for index, step in zip(place, strides(shape), strict=True):
        total = total.plus(index.times(step))
    return total


def identity(space: tuple[int, ...], first: tuple[int, ...] | None = None) -> Place:
    """The counters, from `first` on; an axis of size 1 has none."""
    starts = first or (0,) * len(space)
    return tuple(
        Index(a, ((i, 1),) if n != 1 else ())
        for i, (n, a) in enumerate(zip(space, starts, strict=True))
    )


def parts_of(node: Node) -> list[Node]:
    """What a node is computed from, indices included."""
    return [*node.args, *(n for i in indices_of(node) for n, _ in i.nodes)]


def indices_of(node: Node) -> list[Index]:
    """The indices that a node reads."""
    if node.kind == "load":
        return [node.data[1]]
    return [node.data] if node.kind == "position" else []


class Layout(Protocol):
    """What a reader must know of a Program."""

    def stored(self, var: Var) -> Var | None:
        """The Var whose buffer holds this one, or None."""

    def base(self, var: Var) -> Var:
        """The Var that this one is another name of."""

    def located(self, var: Var) -> tuple[Var, int]:
        """The Var whose buffer this one is a piece of, and where the piece begins."""

    def definition(self, var: Var) -> Equation:
        """The equation of a Var that is not stored."""


class Reader:
    """Builds the expressions of one nest; what is read twice is built once.

    Parameters
    ----------
    layout : Layout
        Which values lie in memory.
    space : tuple of int
        How far the counters of the nest run.
    cuts : list of set of int, optional
        Receives, per counter, where the loops must be cut so that every `concatenate` and `pad`
        reads one operand between two cuts. Without it, the loops must have been cut there.
    """

    def __init__(
        self, layout: Layout, space: tuple[int, ...], cuts: list[set[int]] | None = None
    ) -> None:
        self.layout, self.space, self.cuts = layout, space, cuts
        self.memo: dict[tuple[Var, Place], Node] = {}

    def read(self, atom: Atom, place: Place) -> Node:
        """The element of an atom at a place; scalars may stand beside arrays."""
        if isinstance(atom, Literal):
            return number(atom.value, atom.type.dtype)
        if not atom.type.shape:
            place = ()
        node = self.memo.get((atom, place))
        if node is None:
            node = self.memo[atom, place] = self._find(atom, place)
        return node

    def _find(self, var: Var, place: Place) -> Node:
        if not var.type.shape:
            return Node(var.type.dtype, "scalar", var)
        base = self.layout.stored(var)
        if base is not None:
            return Node(var.type.dtype, "load", (base, linear(place, var.type.shape)))
        if self.layout.base(var) is not var:
            # Another name, with axes of its own, of a piece of a buffer.
            owner, at = self.layout.located(var)
            return Node(var.type.dtype, "load", (owner, linear(place, var.type.shape).plus(at)))
        return self.compute(self.layout.definition(var), place)

    def inside(self, index: Index, size: int) -> bool:
        """Whether an index lies in 0 … size - 1 wherever the counters are; noted if undecided."""
        ends = [f * (self.space[a] - 1) for a, f in index.axes]
        low = index.const + sum(e for e in ends if e < 0)
        high = index.const + sum(e for e in ends if e > 0)
        if low >= 0 and high < size:
            return True
        if high < 0 or low >= size or size == 0:
            return False
        if self.cuts is None:
            raise ValueError(f"the index {index} enters or leaves 0 … {size} on the way")
        ((axis, factor),) = index.axes
        for bound in (0, size) if factor > 0 else (size - 1, -1):
            at = -(-(bound - index.const) // factor)
            if 0 < at < self.space[axis]:
                self.cuts[axis].add(at)
        return True

    def compute(self, equation: Equation, place: Place) -> Node:
        """The element of an equation's result at a place."""
        primitive = equation.primitive
        if primitive.elementwise:
            args = tuple(self.read(a, place) for a in equation.inputs)
            dtype = equation.outputs[0].type.dtype
            node = Node(dtype, "element", (primitive.name, equation.params), args)
            return _chosen_late(_without_blanks(node))
        return READ[primitive.name](self, equation, place)


def _without_blanks(node: Node) -> Node:
    """A sum without what lies around padded operands: x + 0 = x, but for the sign of a zero."""
    name, blanks = node.data[0], [a.kind == "blank" for a in node.args]
    if name == "add" and any(blanks):
        return node.args[1 if blanks[0] else 0]
    return node.args[0] if name == "neg" and blanks[0] else node


def _chosen_late(node: Node) -> Node:
    """A guarded product with a slope that is 0 or not by a condition: the product is chosen by it.

    So no slope is compared with 0, as of a rectifier.
    """
    if not _is_element(node, "guarded_mul") or not _is_element(node.args[0], "where"):
        return node
    (condition, slope, other), moved = node.args[0].args, node.args[1]
    if other.kind != "number" or other.data != 0 or not _is_never_zero(slope):
        return node
    return element("where", node.dtype, condition, element("mul", node.dtype, slope, moved), other)


def _is_element(node: Node, name: str) -> bool:
    return node.kind == "element" and node.data[0] == name


def _is_never_zero(node: Node) -> bool:
    if _is_element(node, "where"):
        return all(map(_is_never_zero, node.args[1:]))
    return node.kind == "number" and bool(node.data != 0)


Read = Callable[[Reader, Equation, Place], Node]
READ: dict[str, Read] = {}


def _reads(name: str) -> Callable[[Read], Read]:
    def enter(rule: Read) -> Read:
        READ[name] = rule
        return rule

    return enter


@_reads("broadcast")
def _broadcast(reader: Reader, equation: Equation, place: Place) -> Node:
    axes = equation.params["axes"]
    return reader.read(equation.inputs[0], tuple(p for i, p in enumerate(place) if i not in axes))


@_reads("transpose")
def _transpose(reader: Reader, equation: Equation, place: Place) -> Node:
    permutation = equation.params["permutation"]
    return reader.read(
        equation.inputs[0], tuple(place[permutation.index(i)] for i in range(len(place)))
    )


@_reads("reshape")
def _reshape(reader: Reader, equation: Equation, place: Place) -> Node:
    """Axes of size 1 come and go; every other reshape is another name of the same buffer."""
    source = equation.inputs[0]
    kept = iter([p for p, n in zip(place, equation.outputs[0].type.shape, strict=True) if n != 1])
    return reader.read(source, tuple(next(kept) if n != 1 else Index() for n in source.type.shape))


@_reads("slice")
def _slice(reader: Reader, equation: Equation, place: Place) -> Node:
    start, stride = equation.params["start"], equation.params["stride"]
    found = tuple(p.times(s).plus(a) for p, s, a in zip(place, stride, start, strict=True))
    return reader.read(equation.inputs[0], found)


@_reads("windows")
def _windows(reader: Reader, equation: Equation, place: Place) -> Node:
    """The element below an offset of a window; nothing is copied."""
    first, stride, dilation = (equation.params[k] for k in ("first", "stride", "dilation"))
    middle, end = first + len(stride), first + 2 * len(stride)
    found = (
        window.times(s).plus(offset.times(d))
        for window, offset, s, d in zip(
            place[first:middle], place[middle:end], stride, dilation, strict=True
        )
    )
    return reader.read(equation.inputs[0], (*place[:first], *found, *place[end:]))


@_reads("concatenate")
def _concatenate(reader: Reader, equation: Equation, place: Place) -> Node:
    """The operand that holds the element; the loops are cut where another one begins."""
    axis, at, found = equation.params["axis"], 0, None
    for part in equation.inputs:
        size = part.type.shape[axis]
        here = tuple(p.plus(-at) if i == axis else p for i, p in enumerate(place))
        if reader.inside(here[axis], size):
            found = reader.read(part, here)
        at += size
    assert found is not None
    return found


@_reads("pad")
def _pad(reader: Reader, equation: Equation, place: Place) -> Node:
    """The operand's element, or zero around it; the loops are cut in between."""
    x = equation.inputs[0]
    low, shape = equation.params["low"], x.type.shape
    here = tuple(p.plus(-a) for p, a in zip(place, low, strict=True))
    sides = [reader.inside(i, n) for i, n in zip(here, shape, strict=True)]
    if all(sides):
        return reader.read(x, here)
    return Node(x.type.dtype, "blank", 0)


@_reads("reverse")
def _reverse(reader: Reader, equation: Equation, place: Place) -> Node:
    axes, shape = equation.params["axes"], equation.outputs[0].type.shape
    found = tuple(
        p.times(-1).plus(n - 1) if i in axes else p
        for i, (p, n) in enumerate(zip(place, shape, strict=True))
    )
    return reader.read(equation.inputs[0], found)


@_reads("iota")
def _iota(reader: Reader, equation: Equation, place: Place) -> Node:
    dtype = equation.params["dtype"]
    node = Node(I64, "position", place[equation.params["axis"]])
    return element("convert", dtype, node, params={"dtype": np.dtype(dtype)})


@_reads("dynamic_slice")
def _dynamic_slice(reader: Reader, equation: Equation, place: Place) -> Node:
    x, *starts = equation.inputs
    first = window_start(reader, starts, x.type, equation.params["sizes"])
    return reader.read(x, tuple(p.plus(s) for p, s in zip(place, first, strict=True)))


@_reads("gather")
def _gather(reader: Reader, equation: Equation, place: Place) -> Node:
    x, indices = equation.inputs
    rank = indices.type.ndim - 1
    rows = gathered(reader, indices, x.type, place[:rank])
    return reader.read(x, (*rows, *place[rank:]))


@_reads("dot_general")
def _few_terms(reader: Reader, equation: Equation, place: Place) -> Node:
    """A product whose sums have so few terms that they are written out."""
    dtype, contract = equation.outputs[0].type.dtype, equation.params["contract"][0]
    total = None
    for at in product(*(range(equation.inputs[0].type.shape[a]) for a in contract)):
        x, y = product_places(equation, place, tuple(Index(i) for i in at))
        left, right = reader.read(equation.inputs[0], x), reader.read(equation.inputs[1], y)
        term = element("mul", dtype, left, right)
        total = term if total is None else element("add", dtype, total, term)
    assert total is not None
    return total


def product_places(equation: Equation, free: Place, contracted: Place) -> tuple[Place, Place]:
    """Where a product reads its two operands, for one element of the result and one of the sum."""
    (contract, batch), rank = (
        (equation.params["contract"], equation.params["batch"]),
        len(equation.params["batch"][0]),
    )
    rest, found = list(free[rank:]), []
    for side, operand in enumerate(equation.inputs[:2]):
        known = dict(zip(batch[side], free[:rank], strict=True)) | dict(
            zip(contract[side], contracted, strict=True)
        )
        found.append(
            tuple(known[i] if i in known else rest.pop(0) for i in range(operand.type.ndim))
        )
    return found[0], found[1]


def window_start(
    reader: Reader, starts: list[Atom], full: ArrayType, sizes: tuple[int, ...]
) -> Place:
    """The first element of a window, moved so that the window fits."""
    return tuple(
        clamped(reader.read(s, ()), n - k)
        for s, n, k in zip(starts, full.shape, sizes, strict=True)
    )


def gathered(reader: Reader, indices: Atom, full: ArrayType, place: Place) -> Place:
    """The leading indices that a row of `indices` names, each moved into its range."""
    return tuple(
        clamped(reader.read(indices, (*place, Index(i))), full.shape[i] - 1)
        for i in range(indices.type.shape[-1])
    )


def clamped(node: Node, high: int) -> Index:
    """A computed index, moved into 0 … high."""
    if node.kind == "number":
        return Index(min(max(int(node.data), 0), high))
    if high <= 0:
        return Index()
    low = element("max", node.dtype, node, number(0, node.dtype))
    inside = element("min", node.dtype, low, number(high, node.dtype))
    return Index(0, (), ((element("convert", I64, inside, params={"dtype": I64}), 1),))
