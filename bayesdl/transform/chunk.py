"""A Program for some rows of its data at a time, where rows are shown not to meet."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.ir.primitive import PRIMITIVES
from bayesdl.ir.program import Atom, Equation, Literal, Program, Var
from bayesdl.ir.types import ArrayType
from bayesdl.ir.walk import live_equations
from bayesdl.ops.axes import rows_through

STEP = 4
"""Chunks begin at multiples of so many rows: random words come in blocks of two or four."""

LARGEST, MOST = 4, 16
"""What is left for all rows may hold so many times the numbers of the largest result in one value,
and in all that it is given."""

U64 = np.dtype(np.uint64)
TURN = ArrayType((), U64)


@dataclass(frozen=True)
class Chunked:
    """What a Program computes, in two parts.

    Parameters
    ----------
    program : Program
        ``(turn, *inputs) -> values``: the inputs that hold rows have those of one chunk, and `turn`
        is the number of the chunk's first row divided by `STEP`.
    axes : tuple of (int or None)
        The axis of the rows in each of the values; None where all chunks give the same.
    rest : Program or None
        ``(*inputs, *values) -> outputs`` of all rows; None where the values are the outputs.
    """

    program: Program
    axes: tuple[int | None, ...]
    rest: Program | None


class _MeetError(Exception):
    """Rows meet, or are not shown to stay apart."""


_Known = dict[tuple[int, tuple[int | None, ...]], "tuple[_Cutter, Program]"]


def chunked(program: Program, places: Collection[int], block: int) -> Chunked | None:
    """Cut a Program along the rows of some of its inputs.

    Parameters
    ----------
    program : Program
    places : collection of int
        The inputs whose first axis is the rows; it is equally long in all of them.
    block : int
        Rows of a chunk.

    Returns
    -------
    Chunked or None
        None where what needs several rows at once is most of the Program, or nothing is left.

    Notes
    -----
    Each value of `Chunked` is that of the Program at the chunk's rows, random numbers included:
    those of a row are found by its number. Data are never looked at: an index of the data's own
    into rows counts as a meeting. Draws by rejection are not cut, for their loops end when all rows
    have been accepted; they are left to `rest`, which gets what they depend on.
    """
    rows = program.inputs[min(places)].type.shape[0]
    cutter = _Cutter(program, {program.inputs[i]: 0 for i in places}, rows, block, {})
    cutter.cut()
    late = cutter.late
    if not late.isdisjoint(program.outputs):
        return _in_two(program, cutter)
    if all(cutter.place(a) is None for a in program.outputs):
        return None
    axes = tuple(cutter.place(a) for a in program.outputs)
    return Chunked(cutter.program(program.outputs), axes, None)


def _in_two(program: Program, cutter: _Cutter) -> Chunked | None:
    """The chunks as far as they go, and the rest, if that is little."""
    left = [e for e in program.equations if not cutter.axis.keys() >= set(e.outputs)]
    left = live_equations(Program(program.name, program.inputs, tuple(left), program.outputs))
    read = {a for e in left for a in e.inputs} | set(program.outputs)
    again = {*cutter.given, *(v for e in left for v in e.outputs)}
    kept = [v for v in cutter.axis if v in read and v not in again]
    most = max(a.type.size for a in program.outputs)
    sizes = (v.type.size for e in left for v in e.outputs)
    if not kept or max(sizes, default=0) > LARGEST * most:
        return None
    if sum(v.type.size for v in kept) > MOST * most:
        return None
    rest = Program(f"{program.name}_rest", (*program.inputs, *kept), tuple(left), program.outputs)
    return Chunked(cutter.program(kept), tuple(cutter.axis[v] for v in kept), rest)


class _Cutter:
    """One Program on its way to fewer rows.

    Parameters
    ----------
    source : Program
    given : dict of Var to int
        The inputs that come row by row, with the axis of the rows.
    rows, block : int
        Of the whole, and of a chunk.
    known : dict
        The Programs inside that were cut already, so that what is shared stays shared.
    """

    def __init__(
        self, source: Program, given: dict[Var, int], rows: int, block: int, known: _Known
    ) -> None:
        self.source, self.given, self.rows, self.block = source, given, rows, block
        self.known = known
        self.axis: dict[Var, int] = {}
        self.values: dict[Var, Var] = {}
        self.parts: dict[tuple[Var, int], Atom] = {}
        self.made: dict[Var, Equation] = {}
        self.late: set[Atom] = set()
        self.equations: list[Equation] = []
        self.turn = Var(TURN)
        for var, axis in given.items():
            self._enter(var, axis, Var(self._shorter(var.type, axis)))

    def cut(self) -> None:
        """Go through the equations once, in order."""
        for equation in self.source.equations:
            if not self.late.isdisjoint(equation.inputs):
                self.late.update(equation.outputs)
            elif self.axis.keys().isdisjoint(equation.inputs):
                self.equations.append(equation)
                self.made.update(dict.fromkeys(equation.outputs, equation))
            else:
                before = len(self.equations)
                try:
                    self._by_rows(equation)
                except _MeetError:
                    del self.equations[before:]
                    self.parts = {k: v for k, v in self.parts.items() if self._is_made(v)}
                    self.late.update(equation.outputs)

    def place(self, atom: Atom) -> int | None:
        """The axis of the rows; None where a value does not depend on them."""
        return self.axis.get(atom) if isinstance(atom, Var) else None

    def program(self, outputs: Iterable[Atom]) -> Program:
        """What was cut, with the turn as its first input."""
        inputs = (self.turn, *(self._here(v) for v in self.source.inputs))
        found = tuple(self._here(a) for a in outputs)
        whole = Program(f"{self.source.name}_rows", inputs, tuple(self.equations), found)  # type: ignore[arg-type]
        return replace(whole, equations=tuple(live_equations(whole)), memo={})

    def _here(self, atom: Atom) -> Atom:
        return self.values.get(atom, atom) if isinstance(atom, Var) else atom

    def _enter(self, var: Var, axis: int, here: Var) -> None:
        self.axis[var], self.values[var] = axis, here

    def _is_made(self, atom: Atom) -> bool:
        return isinstance(atom, Literal) or any(atom in e.outputs for e in self.equations)

    def _shorter(self, kind: ArrayType, axis: int) -> ArrayType:
        return ArrayType(self._resized(kind.shape, axis), kind.dtype)

    def _resized(self, shape: Sequence[int], axis: int) -> tuple[int, ...]:
        if shape[axis] != self.rows:
            raise _MeetError
        return tuple(self.block if i == axis else n for i, n in enumerate(shape))

    # --- equations that see rows ------------------------------------------------------------------

    def _by_rows(self, equation: Equation) -> None:
        name = equation.primitive.name
        if name in ("call", "custom_call"):
            self._called(equation)
        elif name == "cond":
            self._chosen(equation)
        elif name == "scan":
            self._scanned(equation)
        else:
            fixed = {i: self.axis[a] for i, a in enumerate(equation.inputs) if a in self.axis}
            found = rows_through(equation, fixed) if not equation.primitive.has_programs else None
            if found is None or found[1] is None:
                raise _MeetError
            if any(found[0][i] != axis for i, axis in fixed.items()):
                raise _MeetError
            (out,) = equation.outputs
            inputs = [self._read(a, at) for a, at in zip(equation.inputs, found[0], strict=True)]
            self._enter(out, found[1], self._copied(equation, inputs, found[1]))

    def _copied(self, equation: Equation, inputs: Sequence[Atom], axis: int) -> Var:
        """The equation for the rows of a chunk."""
        params = dict(equation.params)
        key = {"broadcast": "shape", "reshape": "shape", "slice": "limit"}
        if (name := key.get(equation.primitive.name)) is not None:
            params[name] = self._resized(params[name], axis)
        return self._append(equation.primitive.name, inputs, params, equation)

    def _append(
        self, name: str, inputs: Sequence[Atom], params: dict[str, Any], like: Equation
    ) -> Var:
        primitive = PRIMITIVES[name]
        (kind,) = primitive.type(*(a.type for a in inputs), **params)
        out = Var(kind)
        self.equations.append(Equation(primitive, tuple(inputs), params, (out,), like.source))
        return out

    def _read(self, atom: Atom, axis: int | None) -> Atom:
        if isinstance(atom, Literal):
            return atom
        if atom in self.axis:
            return self.values[atom]
        return atom if axis is None else self._part(atom, axis)

    # --- the chunk's rows of what does not depend on the data -------------------------------------

    def _part(self, var: Var, axis: int) -> Atom:
        if (var, axis) not in self.parts:
            self.parts[var, axis] = self._new_part(var, axis)
        return self.parts[var, axis]

    def _new_part(self, var: Var, axis: int) -> Atom:
        made = self.made.get(var)
        if made is None or made.primitive.has_programs:
            raise _MeetError
        name, params = made.primitive.name, made.params
        if name == "broadcast" and axis in params["axes"]:
            return self._copied(made, made.inputs, axis)
        if name == "random_bits":
            return self._bits(made, axis)
        if made.primitive.elementwise:
            inputs = [self._read(a, axis if a.type.shape else None) for a in made.inputs]
            return self._copied(made, inputs, axis)
        for i, operand in enumerate(made.inputs):
            for at, n in enumerate(operand.type.shape):
                found = rows_through(made, {i: at}) if n == self.rows else None
                if found is not None and found[1] == axis:
                    pairs = zip(made.inputs, found[0], strict=True)
                    return self._copied(made, [self._read(a, b) for a, b in pairs], axis)
        raise _MeetError

    def _bits(self, made: Equation, axis: int) -> Var:
        """Random words from those of the chunk's first row on."""
        if axis != 0 or len(made.inputs) != 1 or made.inputs[0].type.ndim != 1:
            raise _MeetError
        shape, width = made.params["shape"], made.params.get("width", 64)
        blocks = STEP * prod(shape[1:]) * width // 128
        first = self._append("mul", (self.turn, Literal.of(np.uint64(blocks))), {}, made)
        params = {**made.params, "shape": self._resized(shape, 0)}
        return self._append("random_bits", (*made.inputs, first), params, made)

    # --- Programs inside --------------------------------------------------------------------------

    def _called(self, equation: Equation) -> None:
        places = [self.place(a) for a in equation.inputs]
        ((inner, program),), places = self._inside([equation.params["program"]], places)
        found = [inner.place(a) for a in inner.source.outputs]
        given = (self.turn, *self._given(equation.inputs, places))
        self._put("call", equation, {"program": program}, given, found)

    def _chosen(self, equation: Equation) -> None:
        predicate, *operands = equation.inputs
        branches = [equation.params[k] for k in ("true", "false")]
        pairs, places = self._inside(branches, [self.place(a) for a in operands])
        first, second = ([i.place(a) for a in i.source.outputs] for i, _ in pairs)
        if self.place(predicate) is not None or first != second:
            raise _MeetError
        params = {**equation.params, "true": pairs[0][1], "false": pairs[1][1]}
        given = (predicate, self.turn, *self._given(operands, places))
        self._put("cond", equation, params, given, first)

    def _scanned(self, equation: Equation) -> None:
        first, body = equation.params["constants"], equation.params["body"]
        stop = first + equation.params["carry"]
        places = [self.place(a) for a in equation.inputs]
        if 0 in places[stop:]:
            raise _MeetError
        places = [p if p is None or i < stop else p - 1 for i, p in enumerate(places)]
        while True:
            ((inner, program),), places = self._inside([body], places)
            found, carry = [inner.place(a) for a in body.outputs], places[first:stop]
            after = [p if q is None else q for p, q in zip(carry, found, strict=False)]
            if after == carry:
                break
            if any(p is not None and p != q for p, q in zip(carry, after, strict=True)):
                raise _MeetError
            places = [*places[:first], *after, *places[stop:]]
        if found[: stop - first] != carry:
            raise _MeetError
        params = {**equation.params, "body": program, "constants": first + 1}
        whole = [p if p is None or i < stop else p + 1 for i, p in enumerate(places)]
        stacked = [p if p is None or i < stop - first else p + 1 for i, p in enumerate(found)]
        given = (self.turn, *self._given(equation.inputs, whole))
        self._put("scan", equation, params, given, stacked)

    def _given(self, atoms: Iterable[Atom], places: Iterable[int | None]) -> tuple[Atom, ...]:
        return tuple(self._read(a, p) for a, p in zip(atoms, places, strict=True))

    def _inside(
        self, programs: Sequence[Program], places: list[int | None]
    ) -> tuple[list[tuple[_Cutter, Program]], list[int | None]]:
        """The Programs for the rows of a chunk, and which of their inputs come row by row."""
        try:
            return [self._inner(p, places) for p in programs], places
        except _MeetError:
            # Constants that are as long, such as a first state of zeros, come row by row too.
            shapes = [v.type.shape for v in programs[0].inputs]
            guess = [
                s.index(self.rows) if p is None and self.rows in s else p
                for s, p in zip(shapes, places, strict=True)
            ]
            if guess == places:
                raise
            return [self._inner(p, guess) for p in programs], guess

    def _inner(self, program: Program, places: Sequence[int | None]) -> tuple[_Cutter, Program]:
        key = id(program), tuple(places)
        if key not in self.known:
            pairs = zip(program.inputs, places, strict=True)
            given = {v: p for v, p in pairs if p is not None}
            inner = _Cutter(program, given, self.rows, self.block, self.known)
            inner.cut()
            if not inner.late.isdisjoint(program.outputs):
                raise _MeetError
            self.known[key] = inner, inner.program(program.outputs)
        return self.known[key]

    def _put(
        self,
        name: str,
        equation: Equation,
        params: dict[str, Any],
        inputs: tuple[Atom, ...],
        places: Sequence[int | None],
    ) -> None:
        """Append the equation; what does not depend on the rows keeps its own name."""
        pairs = list(zip(equation.outputs, places, strict=True))
        outputs = tuple(v if p is None else Var(self._shorter(v.type, p)) for v, p in pairs)
        found = Equation(PRIMITIVES[name], inputs, params, outputs, equation.source)
        self.equations.append(found)
        for (var, axis), here in zip(pairs, outputs, strict=True):
            if axis is not None:
                self._enter(var, axis, here)
