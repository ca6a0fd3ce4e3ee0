"""Innermost loops over registers of several numbers; what is left is done in halves of one.

A short loop is written out. LLVM makes the same of it where it is given time; what lies around hot
code is compiled in a hurry, and would work on one number after the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from . import mathlib
from .code import Code, constant, in_each_lane, register_type, several, value_type
from .expression import Index, Node
from .lanes import Lanes
from .machine import registers
from .results import Reduce, Store
from .scalars import arithmetic, element, is_wide

DType = np.dtype[Any]

# Full registers that are written out, at most, and those of a loop that LLVM has no time for. What
# is longer is worth its time.
MOST, MOST_LIGHT = 4, 128


class Nest(Protocol):
    """What must be known of the nest whose innermost loop is written."""

    code: Code
    order: list[Node]
    levels: dict[Node, int]
    loops: list[list[int]]
    counters: dict[int, str]
    values: dict[Node, str]
    indices: dict[Index, str]
    stores: Sequence[Store]
    reduces: Sequence[Reduce]

    @property
    def scope(self) -> Any:
        """Where arrays are."""

    def offset(self, index: Index) -> str:
        """An index as an i64."""

    def register_depth(self, reduce: Reduce) -> int:
        """Number of loops outside of the accumulator's register."""


class Wide:
    """The innermost loop of a nest, as registers.

    Parameters
    ----------
    nest : Nest
    depth : int
        Number of loops around it.
    """

    def __init__(self, nest: Nest, depth: int) -> None:
        self.nest, self.code, self.depth = nest, nest.code, depth
        self.axis = nest.loops[depth][-1]
        self.inside = [n for n in nest.order if nest.levels[n] > depth]
        touched = [a for n in self.inside for a in (n, *n.args)] + [s.node for s in nest.stores]
        self.sizes = {n.dtype.itemsize for n in touched if n.dtype.kind != "b"}
        self.lanes = registers().size // max(self.sizes, default=registers().size)
        self.terms: dict[Reduce, list[tuple[str, int]]] = {}
        self._spread: dict[tuple[str, int], str] = {}

    def clears(self) -> bool:
        """Whether it only fills stretches of memory with zeros."""
        stores = self.nest.stores
        rows = all(_is_zero(s.node) and self._is_row(s.offset) for s in stores)
        return rows and not self.inside and not self.nest.reduces

    def clear(self, first: str, count: int) -> None:
        """Fill them: LLVM sees that a loop does no more only where it is given time."""
        self.nest.counters[self.axis] = first
        for store in self.nest.stores:
            dtype = store.node.dtype
            target = self.code.at(store.pointer, self.nest.offset(store.offset), dtype)
            self.code.clear(target, count * dtype.itemsize)

    def fits(self, count: int) -> bool:
        """Whether so many turns can be written in this way, and are few enough."""
        most = MOST_LIGHT if self.code.light else MOST
        if not 1 < count <= most * self.lanes or len(self.sizes) != 1:
            return False
        if count <= self.code.module.short_loop and any(map(_is_math, self.inside)):
            return False
        sums = all(map(self._is_plain, self.nest.reduces))
        stores = all(self._is_row(s.offset) and _in_memory(s.node) for s in self.nest.stores)
        return sums and stores and all(map(self._can_hold, self.inside))

    def _is_plain(self, reduce: Reduce) -> bool:
        floats = reduce.op == "add" and reduce.node.dtype.kind == "f" and not reduce.is_widened
        return (floats or reduce.op in ("and", "or")) and (
            self.nest.register_depth(reduce) <= self.depth
        )

    def _is_row(self, index: Index) -> bool:
        """Whether neighbours in the loop are neighbours in memory."""
        outside = all(self.nest.levels[n] <= self.depth for n, _ in index.nodes)
        return outside and index.factor(self.axis) == 1

    def _can_hold(self, node: Node) -> bool:
        if node.kind == "load":
            return _in_memory(node) and self._is_row(node.data[1])
        inputs = [a.dtype for a in node.args]
        return node.kind == "element" and is_wide(node.data[0], inputs, node.dtype)

    def write(self, first: str, count: int, totals: Mapping[Reduce, str]) -> dict[Reduce, str]:
        """Write so many turns; the totals after them.

        Parameters
        ----------
        first : str
            The first turn.
        count : int
        totals : mapping of Reduce to str
            The totals before them.
        """
        known, lines = dict(self.nest.indices), len(self.code.lines)
        self.terms = {r: [] for r in totals}
        many = count // self.lanes if count > MOST * self.lanes else 0
        if many:
            self._loop(first, many, known)
        at = many * self.lanes
        for width in _pieces(count - at, self.lanes):
            self._turn(self.code.add(first, str(at)), width, known)
            at += width
        self.nest.indices = known
        found = {r: self._total(r, before, self.terms[r]) for r, before in totals.items()}
        self.code.spared += len(self.code.lines) - lines
        return found

    def _turn(self, at: str, width: int, known: Mapping[Index, str]) -> None:
        """Write one register's width of turns, from `at` on."""
        nest, values = self.nest, dict[Node, str]()
        nest.counters[self.axis], nest.indices = at, dict(known)
        with several(self.code, width):
            for node in self.inside:
                values[node] = self._value(node, values)
            for s in nest.stores:
                offset = nest.offset(s.offset)
                self.code.store(self._held(s.node, values), s.pointer, offset, s.node.dtype)
            for reduce, terms in self.terms.items():
                terms.append((self._held(reduce.node, values), width))

    def _loop(self, first: str, count: int, known: Mapping[Index, str]) -> None:
        """Write a loop over full registers; its sums are terms."""
        code, before = self.code, dict(self._spread)
        with several(code, self.lanes):
            state = [
                (register_type(code, r.node.dtype), in_each_lane(code, r.op == "and", r.node.dtype))
                for r in self.terms
            ]
        with code.loop(count, state) as loop:
            self._turn(code.add(first, code.scale(loop.index, self.lanes)), self.lanes, known)
            for (reduce, terms), total in zip(self.terms.items(), loop.state, strict=True):
                loop.next.append(self._added(reduce, total, terms.pop()[0]))
        # What was spread inside of the loop is not known behind it.
        self._spread = before
        for terms, total in zip(self.terms.values(), loop.next, strict=True):
            terms.append((total, self.lanes))

    def _added(self, reduce: Reduce, a: str, b: str) -> str:
        """Two full registers as one."""
        with several(self.code, self.lanes):
            if reduce.op == "add":
                return arithmetic(self.code, "add", reduce.node.dtype, a, b, "reassoc nsz ")
            return self.code.let(
                f"{reduce.op} {register_type(self.code, reduce.node.dtype)} {a}, {b}"
            )

    def _value(self, node: Node, values: Mapping[Node, str]) -> str:
        if node.kind == "load":
            source, index = node.data
            pointer = source if isinstance(source, str) else self.nest.scope.pointer(source)
            return self.code.load(pointer, self.nest.offset(index), node.dtype)
        name, params = node.data
        inputs = [a.dtype for a in node.args]
        args = [self._held(a, values) for a in node.args]
        if not _is_math(node) or self.code.lanes == self.lanes:
            return element(self.code, name, inputs, node.dtype, params, args)
        args = [self._padded(x, dtype) for x, dtype in zip(args, inputs, strict=True)]
        with several(self.code, self.lanes):
            found = element(self.code, name, inputs, node.dtype, params, args)
        return self._first(found, node.dtype)

    def _held(self, node: Node, values: Mapping[Node, str]) -> str:
        """A value in every lane, where it does not depend on the loop."""
        if node in values:
            return values[node]
        if node.kind in ("number", "blank"):
            return in_each_lane(self.code, node.data, node.dtype)
        one, width = self.nest.values[node], self.code.lanes
        if width == 1:
            return one
        if (one, width) not in self._spread:
            self._spread[one, width] = Lanes(self.code, node.dtype).spread(one, width)
        return self._spread[one, width]

    def _padded(self, x: str, dtype: DType) -> str:
        """A full register that begins with what is left."""
        lanes, width = Lanes(self.code, dtype), self.code.lanes
        return lanes.spread(x) if width == 1 else lanes.padded(x, width)

    def _first(self, x: str, dtype: DType) -> str:
        """What is left, of a full register."""
        lanes, width = Lanes(self.code, dtype), self.code.lanes
        if width > 1:
            return lanes.first(x, width)
        return self.code.let(f"extractelement {lanes.kind()} {x}, i64 0")

    def _total(self, reduce: Reduce, before: str, terms: Sequence[tuple[str, int]]) -> str:
        """A total after all terms: full registers are added up first."""
        code, dtype = self.code, reduce.node.dtype
        kind, full = value_type(dtype), [x for x, width in terms if width == self.lanes]
        while len(full) > 1:
            full = [self._added(reduce, *full[:2]), *full[2:]]
        rest = [term for term in terms if term[1] < self.lanes]
        for value, width in [*((x, self.lanes) for x in full), *rest]:
            if reduce.op == "add" and width > 1:
                before = self._sum(before, value, dtype, width)
            elif reduce.op == "add":
                before = arithmetic(code, "add", dtype, before, value, "reassoc nsz ")
            else:
                one = value if width == 1 else self._any_or_all(reduce.op, value, width)
                before = code.let(f"{reduce.op} {kind} {before}, {one}")
        return before

    def _sum(self, before: str, value: str, dtype: DType, width: int) -> str:
        """A number and the sum of a register's lanes."""
        kind, wide = value_type(dtype), f"<{width} x {value_type(dtype)}>"
        name = self.code.module.declare(
            f"llvm.vector.reduce.fadd.v{width}f{8 * dtype.itemsize}", kind, (kind, wide)
        )
        first = constant(-0.0, dtype)
        found = self.code.let(f"call reassoc nsz {kind} @{name}({kind} {first}, {wide} {value})")
        return arithmetic(self.code, "add", dtype, before, found, "reassoc nsz ")

    def _any_or_all(self, op: str, value: str, width: int) -> str:
        kind = f"<{width} x i1>"
        name = self.code.module.declare(f"llvm.vector.reduce.{op}.v{width}i1", "i1", (kind,))
        return self.code.let(f"call i1 @{name}({kind} {value})")


def _pieces(count: int, lanes: int) -> list[int]:
    """Full registers, then each half of one at most once.

    >>> _pieces(21, 8)
    [8, 8, 4, 1]
    """
    found = [lanes] * (count // lanes)
    rest, half = count % lanes, lanes // 2
    while rest:
        found += [half] * (rest >= half)
        rest, half = rest % half, half // 2
    return found


def _is_math(node: Node) -> bool:
    return node.kind == "element" and node.data[0] in mathlib.NAMES


def _in_memory(node: Node) -> bool:
    """Whether numbers lie in memory as they do in a register: truth values are bytes there."""
    return node.dtype.kind != "b"


def _is_zero(node: Node) -> bool:
    """Whether a number is made of zero bytes, which −0 is not."""
    return node.kind in ("number", "blank") and not any(np.asarray(node.data, node.dtype).tobytes())
