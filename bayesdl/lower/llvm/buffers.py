"""What lives where: which values share a buffer, and what is updated in place."""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping
from dataclasses import field

from bayesdl._base.dataclass import dataclass
from bayesdl.ir.program import Atom, Equation, Literal, Program, Var

from .fuse import WINDOWS, Fusion, Nest, Step
from .spaces import is_pointwise

ALIGNMENT = 64


@dataclass(frozen=True, slots=True)
class Slot:
    """A piece of the workspace, in bytes from where the Program's own part begins."""

    offset: int


@dataclass(frozen=True, slots=True)
class Given:
    """The buffer of an input."""

    index: int


@dataclass(frozen=True, slots=True)
class Target:
    """The buffer that the caller wants an output in."""

    index: int


@dataclass(frozen=True, slots=True)
class Seat:
    """A piece of the buffer of a value that others are put together to, from an element on."""

    whole: Slot | Target
    offset: int


Storage = Slot | Given | Target | Seat


@dataclass(eq=False)
class _Room:
    """Values that follow each other in one buffer."""

    tenants: list[Var]
    start: int
    end: int
    target: int | None = None
    whole: _Room | None = None
    offset: int = 0


@dataclass(frozen=True)
class Plan:
    """Where every array of a Program lies.

    Parameters
    ----------
    fusion : Fusion
    storage : dict of Var to Storage
        For every array in memory.
    moves : list of (output, Var, Slot or None)
        Outputs that were not made where they are wanted, and the buffer to save them in first if
        another move may overwrite them.
    size : int
        Bytes of workspace.
    constants : dict of Var to Equation
        Arrays that were known at trace time.
    """

    fusion: Fusion
    storage: dict[Var, Storage]
    moves: list[tuple[int, Var, Slot | None]]
    size: int
    constants: dict[Var, Equation] = field(default_factory=dict)


def plan(fusion: Fusion, shared: Mapping[int, int]) -> Plan:
    """Give every array of a Program its buffer.

    Parameters
    ----------
    fusion : Fusion
        The Program, as steps.
    shared : mapping of output to input
        Outputs whose buffer holds an input when the Program starts: a loop's carry.
    """
    return _Planner(fusion, shared).plan()


class _Planner:
    """Goes over the steps backwards to let values follow each other, then finds places for them."""

    def __init__(self, fusion: Fusion, shared: Mapping[int, int]) -> None:
        self.fusion, self.program, self.shared = fusion, fusion.program, dict(shared)
        self.end = len(self.fusion.steps)
        self.constants = {
            e.outputs[0]: e
            for e in self.fusion.equations
            if e.primitive.name == "constant" and e.outputs[0].type.shape
        }
        self.last: dict[Var, int] = {}
        for i, reads in enumerate(self.fusion.step_reads):
            self.last.update(dict.fromkeys(reads, i))
        self.given = {v: i for i, v in enumerate(self.program.inputs)}
        self.rooms: dict[Var, _Room] = {}
        self.parts = _parts_put_together(fusion)

    def plan(self) -> Plan:
        wanted, loose = self._claim_targets()
        for var in sorted(self._owned(), key=lambda v: -self.fusion.step_of[v]):
            if var not in self.rooms:
                self.rooms[var] = self._seated(var) or self._open(var, wanted.get(var))
            self._take_over(var)
        for room in self.rooms.values():
            if room.whole is not None:
                room.whole.start = min(room.whole.start, room.start)
        loose.extend(
            (index, var) for var, index in wanted.items() if self.rooms[var].target is None
        )
        storage, size = self._allot()
        storage.update({v: Given(i) for v, i in self.given.items() if v.type.shape})
        moves: list[tuple[int, Var, Slot | None]] = []
        overwritten = {self.program.inputs[j] for j in self.shared.values()}
        for index, var in sorted(loose, key=lambda m: m[0]):
            aside = None
            if var in overwritten and len(loose) > 1:
                aside, size = Slot(size), _rounded(size + _bytes(var))
            moves.append((index, var, aside))
        return Plan(self.fusion, storage, moves, size, self.constants)

    # --- outputs ---------------------------------------------------------------------------------

    def _claim_targets(self) -> tuple[dict[Var, int], list[tuple[int, Var]]]:
        """The output that each value is made in the place of, and the outputs that need a copy."""
        wanted: dict[Var, int] = {}
        loose: list[tuple[int, Var]] = []
        for index, atom in enumerate(self.program.outputs):
            if isinstance(atom, Literal) or not atom.type.shape:
                continue
            var = self.fusion.base(atom)
            self.last[var] = self.end
            if var in self.given:
                if self.shared.get(index) != self.given[var]:
                    loose.append((index, var))
            elif var in self.constants or var in wanted:
                loose.append((index, var))
            else:
                wanted[var] = index
        return wanted, loose

    def _owned(self) -> list[Var]:
        found = []
        for step in self.fusion.steps:
            for var in _writes(step):
                if var in self.fusion.memory and var not in self.constants:
                    found.append(var)
        return found

    def _open(self, var: Var, target: int | None) -> _Room:
        """A buffer for a value, the caller's where its former content is no longer needed."""
        start, end = self.fusion.step_of[var], max(self.last.get(var, 0), self.fusion.step_of[var])
        room = _Room([var], start, end)
        if target is not None and self._is_free(target, var, start):
            room.target = target
        return room

    def _seated(self, var: Var) -> _Room | None:
        """A buffer within that of the value that a var is a part of, if it is read there last."""
        whole, offset = self.parts.get(var, (var, 0))
        start, end = self.fusion.step_of[var], self.fusion.step_of[whole]
        room = self.rooms.get(whole)
        if room is None or len(room.tenants) > 1 or room.target in self.shared:
            return None
        if room.whole is not None or self.last.get(var) != end:
            return None
        return _Room([var], start, end, whole=room, offset=offset)

    def _is_free(self, target: int, var: Var, start: int) -> bool:
        if target not in self.shared:
            return True
        former = self.program.inputs[self.shared[target]]
        last = self.last.get(former, -1)
        return last < start or (last == start and self._follows(former, var))

    def _take_over(self, var: Var) -> None:
        """Let an operand that dies where a value is made have that value's buffer before it."""
        room, at = self.rooms[var], self.fusion.step_of[var]
        for operand in heirs(self.fusion, at, var):
            made = self.fusion.step_of.get(operand)
            if (
                made is not None
                and made < at
                and operand not in self.rooms
                and operand not in self.constants
                and self.last.get(operand) == at
                and room.start == at
                and _bytes(operand) == _bytes(var)
                and (room.target is None or self._is_free(room.target, operand, made))
            ):
                room.tenants.append(operand)
                room.start = made
                self.rooms[operand] = room
                return

    def _follows(self, former: Var, var: Var) -> bool:
        """Whether a value may be written over another in the step that reads that one last."""
        return _bytes(former) == _bytes(var) and former in heirs(
            self.fusion, self.fusion.step_of[var], var
        )

    # --- offsets ---------------------------------------------------------------------------------

    def _allot(self) -> tuple[dict[Var, Storage], int]:
        """First fit, the largest first, among rooms that live at the same time."""
        storage: dict[Var, Storage] = {}
        placed: list[tuple[int, int, int, int]] = []
        seated: list[_Room] = []
        size = 0
        # A set has another order in each process, and its ties would lay buffers out differently.
        rooms = dict.fromkeys(self.rooms.values())
        for room in sorted(rooms, key=lambda r: (-_bytes(r.tenants[0]), r.start)):
            if room.whole is not None:
                seated.append(room)
                continue
            if room.target is not None:
                storage.update(dict.fromkeys(room.tenants, Target(room.target)))
                continue
            need, offset = _rounded(_bytes(room.tenants[0])), 0
            for other, length, start, end in placed:
                if end < room.start or room.end < start:
                    continue
                if offset + need <= other:
                    break
                if offset < other + length:
                    offset = other + length
            insort(placed, (offset, need, room.start, room.end))
            storage.update(dict.fromkeys(room.tenants, Slot(offset)))
            size = max(size, offset + need)
        for room in seated:
            assert room.whole is not None
            whole = storage[room.whole.tenants[0]]
            assert isinstance(whole, Slot | Target)
            storage.update(dict.fromkeys(room.tenants, Seat(whole, room.offset)))
        return storage, size


def _parts_put_together(fusion: Fusion) -> dict[Var, tuple[Var, int]]:
    """What is put together with others along whole rows: the result, and where in it it belongs."""
    found: dict[Var, tuple[Var, int]] = {}
    for equation in fusion.equations:
        (whole, *_) = equation.outputs
        if equation.primitive.name != "concatenate" or whole not in fusion.memory:
            continue
        if any(n != 1 for n in whole.type.shape[: equation.params["axis"]]):
            continue
        parts = [fusion.base(a) if isinstance(a, Var) else a for a in equation.inputs]
        at = 0
        for part in parts:
            made_here = part in fusion.memory and part in fusion.step_of
            if isinstance(part, Var) and made_here and parts.count(part) == 1:
                found[part] = whole, at
            at += part.type.size
    return found


def heirs(fusion: Fusion, at: int, var: Var) -> list[Var]:
    """The operands whose buffer a step may turn into that of a value it makes.

    A nest may where it reads an operand only at the place that it writes; a window and a loop's
    carry always, if nothing else in the step reads the operand.
    """
    step = fusion.steps[at]
    if isinstance(step, Nest):
        if not any(e.outputs[0] is var and is_pointwise(e) for e in step.roots):
            return []
        size = var.type.dtype.itemsize
        return [
            u
            for u, here in fusion.step_reads[at].items()
            if here and u.type.shape and u.type.dtype.itemsize == size
        ]
    equation = step.equation
    atoms = [
        a
        for a in (
            equation.inputs[i] for i in _handed(fusion, equation, equation.outputs.index(var))
        )
        if isinstance(a, Var)
    ]
    if not atoms:
        return []
    uses = fusion.uses(equation)
    return [
        fusion.base(a) for a in atoms if uses[fusion.owner(a)] == 1 and fusion.stored(a) is not None
    ]


def _handed(fusion: Fusion, equation: Equation, output: int) -> list[int]:
    """The operands that an output grows out of."""
    name, params = equation.primitive.name, equation.params
    if name in WINDOWS:
        return list(WINDOWS[name])
    if name == "while_loop" or (name == "scan" and output < params["carry"]):
        return [params["constants"] + output]
    if name == "cond":
        return [i + 1 for p in (params["true"], params["false"]) for i in origin(fusion, p, output)]
    if name in ("call", "custom_call") and fusion.is_inline(params["program"]):
        return origin(fusion, params["program"], output)
    return []


def origin(fusion: Fusion, program: Program, output: int) -> list[int]:
    """The inputs that a Program may update in place to make an output, as far as can be told."""
    made = {v: e for e in program.equations for v in e.outputs}
    found: list[int] = []
    waiting: list[Atom] = [program.outputs[output]]
    while waiting:
        atom = waiting.pop()
        if not isinstance(atom, Var):
            continue
        if atom not in made:
            found.append(program.inputs.index(atom))
            continue
        equation = made[atom]
        handed = _handed(fusion, equation, equation.outputs.index(atom))
        if equation.primitive.name == "where":
            handed = [i for i in (1, 2) if equation.inputs[i].type == atom.type]
        waiting.extend(equation.inputs[i] for i in handed)
    return sorted(set(found))


def _writes(step: Step) -> list[Var]:
    roots = step.roots if isinstance(step, Nest) else [step.equation]
    return [v for e in roots for v in e.outputs if v.type.shape]


def _bytes(var: Var) -> int:
    return var.type.size * var.type.dtype.itemsize


def _rounded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
