"""Loop nests → instructions: every value at the outermost level where it is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import prod
from typing import Any, Protocol

import numpy as np

from bayesdl.ir.program import Atom, Var

from .code import Code, constant, value_type
from .expression import F64, Index, Node, identity, indices_of, linear, parts_of
from .fuse import Fusion
from .growth import FACTORS, FEWEST, logarithm, nodes_below, split
from .machine import registers
from .results import BLOCK, Growth, Reduce, Store, neutral
from .scalars import arithmetic, convert, element, extremum
from .spaces import weight
from .wide import Wide

DType = np.dtype[Any]

# A loop of up to so many vectors is written as whole vectors and a rest. A turn that costs so much,
# in units of an addition, keeps the processor busy by itself; of cheaper ones several are done
# at once.
SHORT, DEAR, DEAR_AT_ONCE, LIGHT_AT_ONCE = 256, 12, 2, 4
# Loops around an innermost one of so many turns, or more loops than these within one another, stay
# loops: written out, they are thousands of lines for LLVM and no faster.
FULL, DEEPEST = 8, 3
# So many rows at once are added to totals in memory, where a row is up to JAMMED elements long.
AT_ONCE, JAMMED = 4, 1024


class Scope(Protocol):
    """What a nest must know of the Program being written."""

    code: Code

    @property
    def fusion(self) -> Fusion:
        """What lies in memory."""

    def pointer(self, var: Var) -> str:
        """Where an array begins."""

    def scalar(self, atom: Atom) -> str:
        """The register or constant that holds a scalar."""

    def define(self, var: Var, value: str) -> None:
        """Name a scalar's register."""

    def scratch(self, *sizes: int) -> list[str]:
        """Buffers of so many bytes for this step."""

    def lies_in(self, part: Var, whole: Var) -> int | None:
        """The element of a buffer from which on another lies within it, if it does."""


Totals = dict[tuple[Var, int], str]
Row = tuple[str, dict[Node, str], dict[Index, str]]


def write_stores(scope: Scope, space: tuple[int, ...], stores: Sequence[Store]) -> None:
    """Write loops that store values at computed places."""
    Writer(scope, space, stores, (), ()).write({}, last=True)


class Writer:
    """One nest being written.

    Parameters
    ----------
    scope : Scope
    space : tuple of int
    stores, reduces, scalars
        What it makes.
    """

    def __init__(
        self,
        scope: Scope,
        space: tuple[int, ...],
        stores: Sequence[Store],
        reduces: Sequence[Reduce],
        scalars: Sequence[tuple[Var, Node]],
    ) -> None:
        self.scope, self.code, self.space = scope, scope.code, space
        self.stores, self.reduces, self.scalars = stores, reduces, scalars
        self.values: dict[Node, str] = {}
        self.indices: dict[Index, str] = {}
        self.counters: dict[int, str] = {}
        self.totals: Totals = {}
        self.growths: list[Growth] = []
        self._lay_out()
        sequential = any(s.add for s in stores)
        self.group = scope.code.module.group() if self.loops and not sequential else None
        if self.group is not None and self._innermost() >= max(
            FEWEST, self.code.module.short_loop + 1
        ):
            self._take_out_logarithms()

    def write(self, totals: Totals, last: bool) -> None:
        """Write everything.

        Parameters
        ----------
        totals : dict
            Where the sums of numbers start; where they end is in ``self.totals`` afterwards.
        last : bool
            Whether the nest ends here, so that results have their names.
        """
        self.last = last
        self.narrow = False
        self.rows: list[Row] = []
        self.rooms = {
            r: self.scope.scratch(r.var.type.size * r.dtype.itemsize)[0]
            for r in self.reduces
            if r.is_widened and self._in_memory(r) and prod(self.space) > 0
        }
        self.first = {r: totals.get((r.var, r.at), neutral(r)) for r in self.reduces}
        for reduce in self.reduces:
            if self._in_memory(reduce) or prod(self.space) == 0:
                self._start_memory(reduce)
        if prod(self.space) == 0:
            return
        self._level(0, {})
        for reduce, room in self.rooms.items():
            self._narrow(reduce, room)
        for var, node in self.scalars:
            self.scope.define(var, self.values[node])

    # --- what is where ---------------------------------------------------------------------------

    def _lay_out(self) -> None:
        """What is computed, in which loops."""
        self.order = self._in_order()
        self.loops = self._merged_axes()
        self.depth_of = {axis: d + 1 for d, group in enumerate(self.loops) for axis in group}
        self.levels = self._levels()

    def _innermost(self) -> int:
        """Turns of the innermost loop."""
        return prod(self.space[a] for a in self.loops[-1])

    def _take_out_logarithms(self) -> None:
        """Turn softplus in sums over the innermost loop into factors, if it is wanted nowhere else.

        See `growth`.
        """
        reduces, taken, found = [], [], []
        for reduce in self.reduces:
            rest, pairs = split(reduce.node, partial(self._is_factor, reduce))
            reduces.append(replace(reduce, node=rest) if pairs else reduce)
            taken += [node for node, _ in pairs]
            found += [(reduces[-1], factors) for _, factors in pairs]
        roots = [*(s.node for s in self.stores), *(r.node for r in reduces)]
        roots += [node for _, node in self.scalars]
        if not found or not set(taken).isdisjoint(nodes_below(roots, parts_of)):
            return
        self.reduces = reduces
        for reduce, factors in found:
            size = min(self._innermost(), FACTORS) * factors.node.dtype.itemsize
            self.growths.append(Growth(reduce, factors, self.scope.scratch(size)[0]))
        self._lay_out()

    def _is_factor(self, reduce: Reduce, node: Node) -> bool:
        """Whether a softplus differs from turn to turn of an innermost loop that sums it."""
        depth = len(self.loops)
        is_sum = reduce.op == "add" and reduce.node.dtype.kind == "f"
        return is_sum and self.register_depth(reduce) < depth and self.levels[node] == depth

    def _in_order(self) -> list[Node]:
        """All nodes, operands first."""
        found: dict[Node, None] = {}

        def visit(node: Node) -> None:
            if node not in found:
                for part in parts_of(node):
                    visit(part)
                found[node] = None

        for store in self.stores:
            for part, _ in store.offset.nodes:
                visit(part)
            visit(store.node)
        for growth in self.growths:
            visit(growth.factors.node)
        for node in (*(r.node for r in self.reduces), *(n for _, n in self.scalars)):
            visit(node)
        return list(found)

    def _levels(self) -> dict[Node, int]:
        """The number of loops around each node."""
        found: dict[Node, int] = {}
        for node in self.order:
            axes = (a for i in indices_of(node) for a, _ in i.axes)
            own = [self.depth_of.get(a, 0) for a in axes]
            found[node] = max([*own, *(found[a] for a in parts_of(node))], default=0)
        return found

    def _merged_axes(self) -> list[list[int]]:
        """Axes as loops; neighbours that every access walks through as one axis become one loop."""
        indices = [i for n in self.order for i in indices_of(n)] + [s.offset for s in self.stores]
        loops: list[list[int]] = []
        for axis, n in enumerate(self.space):
            if n == 1:
                continue
            if loops and self._merges(loops[-1][-1], axis, n, indices):
                loops[-1].append(axis)
            else:
                loops.append([axis])
        return loops

    def _merges(self, outer: int, inner: int, n: int, indices: list[Index]) -> bool:
        same = all((outer in r.kept) == (inner in r.kept) for r in self.reduces)
        return same and all(i.factor(outer) == i.factor(inner) * n for i in indices)

    def register_depth(self, reduce: Reduce) -> int:
        """Number of loops outside of the accumulator's register."""
        return max((self.depth_of[a] for a in reduce.kept if a in self.depth_of), default=0)

    def _in_memory(self, reduce: Reduce) -> bool:
        """Whether loops around the register are summed over too."""
        kept = {self.depth_of[a] for a in reduce.kept if a in self.depth_of}
        return len(kept) < self.register_depth(reduce)

    # --- loops -----------------------------------------------------------------------------------

    def _level(self, depth: int, totals: dict[Reduce, str]) -> dict[Reduce, str]:
        """Write the body at a depth; the running values of the accumulators after it."""
        if self.rows and depth == len(self.loops):
            self._rows_together(depth)
            return {}
        self._compute(depth)
        if depth == len(self.loops):
            for store in self.stores:
                self._store(store)
            for growth in self.growths:
                self._put_aside(growth)
            after = {r: self._accumulate(r, t) for r, t in totals.items()}
        else:
            after = self._loops(depth, totals)
        for reduce in self.reduces:
            if self.register_depth(reduce) == depth:
                value = after.pop(reduce) if reduce in after else self._alone(reduce)
                self._finish(reduce, value, depth)
        return after

    def _compute(self, depth: int) -> None:
        """Write the values that are known at a depth."""
        for node in self.order:
            if self.levels[node] == depth:
                self.values[node] = self._value(node, depth)

    def _alone(self, reduce: Reduce) -> str:
        """A total of one element."""
        value, first = self._widened(reduce), self.first[reduce]
        return value if first == neutral(reduce) else self._combine(reduce, first, value)

    def _loops(self, depth: int, totals: dict[Reduce, str]) -> dict[Reduce, str]:
        """Write the loop at a depth; a long sum of float32 goes over blocks.

        Each block is summed in float32, as wide as a register, and added to a total in float64, so
        that a sum of a million rows loses none of them (Higham 1993, SIAM J. Sci. Comput. 14, §2).
        """
        count = prod(self.space[a] for a in self.loops[depth])
        active = [r for r in self.reduces if self.register_depth(r) <= depth]
        totals = {r: totals.get(r, self.first[r]) for r in active}
        lanes, _ = self._lanes(depth)
        wide = lanes * F64.itemsize > registers().size
        self.narrow = wide and any(r.is_widened for r in active)
        size = self._block(depth, count)
        if count <= size:
            return self._summed(depth, "0", count, totals)
        state = [(value_type(r.dtype), totals[r]) for r in active]
        kept = dict(self.values), dict(self.indices)
        with self.code.loop(count // size, state) as blocks:
            first = self.code.scale(blocks.index, size)
            inner = dict(zip(active, blocks.state, strict=True))
            blocks.next = list(self._summed(depth, first, size, inner).values())
        totals = dict(zip(active, blocks.next, strict=True))
        if count % size:
            self.values, self.indices = kept
            totals = self._summed(depth, str(count - count % size), count % size, totals)
        return totals

    def _block(self, depth: int, count: int) -> int:
        """Turns of a loop after which its sums are put together."""
        if self.narrow:
            return BLOCK
        if not self.growths or depth + 1 < len(self.loops) or count <= FACTORS:
            return count
        even = -(-count // -(-count // FACTORS))
        return min(-(-even // AT_ONCE) * AT_ONCE, FACTORS)

    def _summed(
        self, depth: int, first: str, count: int, totals: dict[Reduce, str]
    ) -> dict[Reduce, str]:
        """Write turns of a loop, and what the factors that they put aside add to the sums."""
        self.first_turn = first
        totals = self._stretch(depth, first, count, totals)
        for growth in self.growths if depth + 1 == len(self.loops) else ():
            reduce, dtype = growth.reduce, growth.factors.node.dtype
            more = logarithm(self.code, growth.room, count, dtype)
            more = self.code.let(f"fneg double {more}") if growth.factors.sign < 0 else more
            more = convert(self.code, F64, reduce.dtype, more)
            totals[reduce] = self._combine(reduce, totals[reduce], more)
        return totals

    def _is_jammed(self, depth: int, totals: dict[Reduce, str]) -> bool:
        """Whether rows are added to totals in memory, each light enough to take several at once."""
        if depth + 2 != len(self.loops) or totals or self.group is None or not self.reduces:
            return False
        lanes, is_dear = self._lanes(depth + 1)
        width = prod(self.space[a] for a in self.loops[depth + 1])
        if is_dear or not 1 < lanes <= width <= JAMMED:
            return False
        innermost = (self.register_depth(r) == len(self.loops) for r in self.reduces)
        return all(innermost) and all(map(self._in_memory, self.reduces)) and not self.rooms

    def _jammed(self, depth: int, first: str, count: int) -> None:
        """Write a loop over rows that takes several rows at once.

        A total in memory is read and written once for all of them, and an addition to it waits for
        the one before only so often.
        """
        axis, kept = self.loops[depth][-1], (dict(self.values), dict(self.indices))
        with self.code.loop(count // AT_ONCE, rolled=self._is_long()) as loop:
            start = self.code.add(self.code.scale(loop.index, AT_ONCE), first)
            for i in range(AT_ONCE):
                self.values, self.indices = dict(kept[0]), dict(kept[1])
                self.counters[axis] = self.code.add(start, str(i))
                self._compute(depth + 1)
                self.rows.append((self.counters[axis], self.values, self.indices))
            self._loops(depth + 1, {})
            self.rows = []
        self.values, self.indices = kept

    def _rows_together(self, depth: int) -> None:
        """One column of several rows: all is read before anything is written."""
        axis, rows = self.loops[-2][-1], []
        for counter, values, indices in self.rows:
            self.counters[axis] = counter
            self.values, self.indices = dict(values), dict(indices)
            self._compute(depth)
            rows.append((counter, self.values, self.indices))
        for self.counters[axis], self.values, self.indices in rows:
            for store in self.stores:
                self._store(store)
        for reduce in self.reduces:
            terms = [values[reduce.node] for _, values, _ in rows]
            while len(terms) > 1:
                pairs = zip(terms[::2], terms[1::2], strict=True)
                terms = [self._combine(reduce, a, b) for a, b in pairs]
            self._finish(reduce, terms[0], depth)

    def _stretch(
        self, depth: int, first: str, count: int, totals: dict[Reduce, str]
    ) -> dict[Reduce, str]:
        """Write turns of a loop; of a short innermost one as whole vectors, then the rest.

        Left alone, LLVM unrolls a short loop before it looks for vectors, and does the rest of a
        longer one element by element: up to fifteen of them, each as dear as a vector.
        """
        lanes, is_dear = self._lanes(depth)
        if count >= AT_ONCE and self._is_jammed(depth, totals):
            rest = count % AT_ONCE
            self._jammed(depth, first, count)
            start = self.code.add(first, str(count - rest))
            return self._loop(depth, start, rest, totals) if rest else totals
        if self._is_innermost(depth) and self.group is not None:
            wide = Wide(self, depth)
            if wide.clears():
                wide.clear(first, count)
                return totals
            if wide.fits(count):
                return wide.write(first, count, totals)
        vectors, rest = divmod(count, lanes)
        if lanes == 1 or vectors > SHORT or (not vectors and not is_dear):
            return self._loop(depth, first, count, totals, DEAR_AT_ONCE if is_dear else 0)
        few = DEAR_AT_ONCE if is_dear else LIGHT_AT_ONCE
        at_once = max(n for n in range(1, few + 1) if vectors % n == 0)
        kept = dict(self.values), dict(self.indices)
        if vectors:
            totals = self._loop(depth, first, count - rest, totals, at_once)
        if rest:
            self.values, self.indices = kept
            start = self.code.add(first, str(count - rest))
            totals = self._loop(depth, start, rest, totals, int(is_dear), is_dear)
        return totals

    def _is_innermost(self, depth: int) -> bool:
        """Whether a loop has no other inside, and nothing to do beside its turns."""
        return depth + 1 == len(self.loops) and not self.rows and not self.growths

    def _is_long(self) -> bool:
        """Whether the loops around the innermost one shall not be written out."""
        inner = prod(self.space[a] for a in self.loops[-1])
        return inner >= FULL or len(self.loops) > DEEPEST

    def _lanes(self, depth: int) -> tuple[int, bool]:
        """Elements that an innermost loop does at once, and whether they cost much."""
        inside = [n for n in self.order if self.levels[n] == depth + 1 and n.kind == "element"]
        if depth + 1 < len(self.loops) or self.group is None or not inside:
            return 1, False
        is_dear = sum(weight(n.data[0]) for n in inside) >= DEAR
        return registers().size // max(n.dtype.itemsize for n in inside), is_dear

    def _loop(
        self,
        depth: int,
        first: str,
        count: int,
        totals: dict[Reduce, str],
        at_once: int = 0,
        masked: bool = False,
    ) -> dict[Reduce, str]:
        """Write one loop; the totals after it."""
        axes, active = self.loops[depth], list(totals)
        innermost = depth + 1 == len(self.loops)
        narrow = self.narrow and innermost
        parts = {r: constant(0, r.node.dtype) for r in active if narrow and r.is_widened}
        state = [
            (value_type(r.node.dtype if r in parts else r.dtype), parts.get(r, totals[r]))
            for r in active
        ]
        group = self.group if innermost else None
        rolled = not innermost and self._is_long()
        with self.code.loop(count, state, group, rolled, at_once, masked) as loop:
            self.counters[axes[-1]] = self.code.add(loop.index, first)
            self.code.looping = innermost and count > self.code.module.short_loop
            inner = self._level(depth + 1, dict(zip(active, loop.state, strict=True)))
            loop.next = [inner[r] for r in active]
            self.code.looping = False
        after = dict(zip(active, loop.next, strict=True))
        for r in parts:
            part = convert(self.code, r.node.dtype, r.dtype, after[r])
            after[r] = self._combine(r, totals[r], part)
        return after

    # --- values ----------------------------------------------------------------------------------

    def _value(self, node: Node, depth: int) -> str:
        if node.kind in ("number", "blank"):
            return constant(node.data, node.dtype)
        if node.kind == "scalar":
            return self.scope.scalar(node.data)
        if node.kind == "position":
            return self.offset(node.data)
        if node.kind == "load":
            source, index = node.data
            pointer = source if isinstance(source, str) else self.scope.pointer(source)
            return self.code.load(pointer, self.offset(index), node.dtype, self._tag(depth))
        name, params = node.data
        args = [self.values[a] for a in node.args]
        return element(self.code, name, [a.dtype for a in node.args], node.dtype, params, args)

    def _tag(self, depth: int) -> str:
        inside = self.group is not None and depth == len(self.loops)
        return f", !llvm.access.group {self.group}" if inside else ""

    def offset(self, index: Index) -> str:
        """An index as an i64."""
        if index not in self.indices:
            total = "0"
            for axis, factor in index.axes:
                if axis in self.counters:
                    total = self.code.add(total, self.code.scale(self.counters[axis], factor))
            for node, factor in index.nodes:
                total = self.code.add(total, self.code.scale(self.values[node], factor))
            if index.const:
                total = self.code.add(total, str(index.const)) if total != "0" else str(index.const)
            self.indices[index] = total
        return self.indices[index]

    def _store(self, store: Store) -> None:
        value, offset, dtype = self.values[store.node], self.offset(store.offset), store.node.dtype
        if store.add:
            value = arithmetic(
                self.code, "add", dtype, self.code.load(store.pointer, offset, dtype), value
            )
        self.code.store(value, store.pointer, offset, dtype, self._tag(len(self.loops)))

    def _put_aside(self, growth: Growth) -> None:
        node, at = growth.factors.node, self.counters[self.loops[-1][-1]]
        if self.first_turn != "0":
            at = self.code.let(f"sub nsw i64 {at}, {self.first_turn}")
        self.code.store(self.values[node], growth.room, at, node.dtype, self._tag(len(self.loops)))

    # --- reductions ------------------------------------------------------------------------------

    def _widened(self, reduce: Reduce) -> str:
        return convert(self.code, reduce.node.dtype, reduce.dtype, self.values[reduce.node])

    def _accumulate(self, reduce: Reduce, total: str) -> str:
        """The total after one more term."""
        if self.narrow and reduce.is_widened:
            return self._combine(reduce, total, self.values[reduce.node], reduce.node.dtype)
        return self._combine(reduce, total, self._widened(reduce))

    def _combine(self, reduce: Reduce, a: str, b: str, dtype: DType | None = None) -> str:
        dtype = dtype or reduce.dtype
        if reduce.op == "add":
            return arithmetic(self.code, "add", dtype, a, b, "reassoc nsz ")
        if reduce.op in ("max", "min"):
            return extremum(self.code, reduce.op, dtype, a, b)
        return self.code.let(f"{reduce.op} i1 {a}, {b}")

    def _finish(self, reduce: Reduce, value: str, depth: int) -> None:
        dtype = reduce.node.dtype
        if reduce.is_number:
            self.totals[reduce.var, reduce.at] = value
            if not self.last:
                return
        in_memory = self._in_memory(reduce)
        if not in_memory:
            value = convert(self.code, reduce.dtype, dtype, value)
        if not reduce.var.type.shape:
            self.scope.define(reduce.var, value)
            return
        place = identity(self.space)
        kept = tuple(place[a] for a in reduce.kept)
        shape = tuple(self.space[a] for a in reduce.kept)
        offset = self.offset(linear(kept, shape).plus(reduce.at))
        pointer = self.rooms.get(reduce) or self.scope.pointer(reduce.var)
        kind = reduce.dtype if in_memory else dtype
        if in_memory:
            before = self.code.load(pointer, offset, kind, self._tag(depth))
            value = self._combine(reduce, before, value)
        self.code.store(value, pointer, offset, kind, self._tag(depth))

    def _narrow(self, reduce: Reduce, room: str) -> None:
        """Bring a total that was accumulated in a wider room where it is wanted."""
        pointer = self.scope.pointer(reduce.var)
        with self.code.loop(reduce.var.type.size, group=self.group) as loop:
            tag = f", !llvm.access.group {self.group}"
            value = self.code.load(room, loop.index, reduce.dtype, tag)
            value = convert(self.code, reduce.dtype, reduce.node.dtype, value)
            self.code.store(value, pointer, loop.index, reduce.node.dtype, tag)

    def _start_memory(self, reduce: Reduce) -> None:
        """Fill the result with what leaves every value as it is."""
        room = self.rooms.get(reduce)
        dtype = reduce.dtype if room else reduce.node.dtype
        first = neutral(reduce, dtype)
        if not reduce.var.type.shape:
            self.scope.define(reduce.var, first)
            return
        pointer = room or self.scope.pointer(reduce.var)
        if reduce.op in ("add", "or"):
            self.code.clear(pointer, reduce.var.type.size * dtype.itemsize)
        elif reduce.var.type.size:
            with self.code.loop(reduce.var.type.size) as loop:
                self.code.store(first, pointer, loop.index, dtype)
