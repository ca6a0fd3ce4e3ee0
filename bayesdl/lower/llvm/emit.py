"""Programs → functions: walks the steps of a plan and lets each write itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import BayesdlError, CompileError
from bayesdl.ir.program import Atom, Equation, Literal, Program, Var
from bayesdl.ir.walk import programs_in, subprograms

from . import mathlib
from .ahead import Window, fetch
from .boxes import write_nest
from .buffers import ALIGNMENT, Given, Plan, Seat, Slot, Storage, Target, plan
from .chapters import chapters_of
from .code import Code, Module, constant, value_type
from .crew import WORKER
from .fuse import Fusion, Nest, Products
from .link import ENTRY
from .subnormal import flushed

DType = np.dtype[Any]
Emit = Callable[..., None]
EMIT: dict[str, Emit] = {}

SMALL_TABLE = 16  # constants up to this size are written into the code, where LLVM can fold them
FEW_CALLS = 40  # up to so many functions of scalars are written out where they are used
# Above so many functions of small arrays they are called, element by element: the code would grow
# by a hundred instructions for each, and LLVM's time faster than the code.
MANY_CALLS, SMALL_ARRAY = 100, 16
# From so many elements on, a loop's body that calls a function is one too, so that it is hot.
LONG_CARRY = 16
SMALL_PROGRAM = 3  # a Program this short is written out wherever it is used


def emits(*names: str) -> Callable[[Emit], Emit]:
    """Declare how a primitive that is not part of a loop nest writes itself."""

    def enter(rule: Emit) -> Emit:
        EMIT.update(dict.fromkeys(names, rule))
        return rule

    return enter


class Unit:
    """One module under construction: its functions, and the Programs that are used more than once.

    Parameters
    ----------
    program : Program
        The outermost one.
    flushes : bool, default False
        Whether subnormal numbers count as zero while it runs.
    brief : bool, default False
        Whether it runs so seldom that it is to be compiled in a hurry.
    """

    def __init__(self, program: Program, flushes: bool = False, brief: bool = False) -> None:
        self.program, self.flushes, self.brief = program, flushes, brief
        self.module = Module()
        self.uses = Counter(
            id(q) for p in subprograms(program) for e in p.equations for q in programs_in(e)
        )
        self.module.inline_math = _count_math(program, 1) <= FEW_CALLS
        if _count_math(program, SMALL_ARRAY) > MANY_CALLS:
            self.module.short_loop = SMALL_ARRAY
        self.functions: dict[Any, tuple[str, int]] = {}
        self.kernels: dict[Any, str] = {}
        self.fusions: dict[int, Fusion] = {}
        self.plans: dict[Any, Plan] = {}
        self.windows: dict[int, list[Window]] = {}
        self.timings = {"fuse": 0.0, "plan": 0.0, "emit": 0.0}
        self.workspace = self.named = self.entry_loop = self.turns = self.chapters = 0

    def is_inline(self, program: Program) -> bool:
        """Whether a Program is written out where it is used: at one place only, or it is short."""
        return self.uses[id(program)] == 1 or len(program.equations) <= SMALL_PROGRAM

    def is_turn(self, program: Program) -> bool:
        """Whether a loop's body is worth a function of its own: it calls one, and has long arrays.

        Such is the step of a trajectory, which runs as often as the gradient that it calls.
        """
        longest = max((t.shape[-1] for t in program.output_types if t.shape), default=0)
        return longest >= LONG_CARRY and any(map(self._calls, program.equations))

    def _calls(self, equation: Equation) -> bool:
        """Whether a named function is called here, once a turn."""
        inner = programs_in(equation)
        if equation.primitive.name not in ("call", "custom_call"):
            return False
        return any(not self.is_inline(p) or any(map(self._calls, p.equations)) for p in inner)

    def plan(self, program: Program, shared: Mapping[int, int]) -> Plan:
        """The plan of a Program, made once."""
        key = id(program), tuple(sorted(shared.items()))
        if key not in self.plans:
            start = perf_counter()
            if id(program) not in self.fusions:
                self.fusions[id(program)] = Fusion(program, self.is_inline)
            fused = perf_counter()
            self.plans[key] = plan(self.fusions[id(program)], shared)
            self.timings["fuse"] += fused - start
            self.timings["plan"] += perf_counter() - fused
        return self.plans[key]

    def text(self) -> str:
        """The whole module, written."""
        start = perf_counter()
        self._write()
        text = self.module.text()
        spent = self.timings["fuse"] + self.timings["plan"]
        self.timings["emit"] = perf_counter() - start - spent
        return text

    def _write(self) -> None:
        """Write the entry: ``void (ptr arrays, ptr workspace, ptr constants)``.

        The arrays are inputs, then outputs.
        """
        frame = Frame(self)
        code, count = frame.code, len(self.program.inputs)
        inner = (p for p in subprograms(self.program) if p is not self.program)
        code.light = self.brief or not all(map(self.is_inline, inner))
        pointers = [frame.entry_of("%arrays", i) for i in range(count + len(self.program.outputs))]
        inputs = [
            p if t.shape else code.load(p, "0", t.dtype)
            for p, t in zip(pointers[:count], self.program.input_types, strict=True)
        ]
        with flushed(code, self.flushes):
            results = frame.inline(self.program, inputs, pointers[count:], {}, 0)
            for value, pointer, kind in zip(
                results, pointers[count:], self.program.output_types, strict=True
            ):
                if not kind.shape:
                    code.store(value, pointer, "0", kind.dtype)
        code.do("ret void")
        frame.close(
            f"define void @{ENTRY}"
            "(ptr noalias %arrays, ptr noalias %workspace, ptr noalias %constants)"
        )
        if "share" in self.module.definitions:
            # With the entry, which stands in one of several modules.
            self.module.functions[-1] += f"\n{WORKER}"
        self.workspace, self.entry_loop = frame.extent, code.heaviest

    def function(self, program: Program, shared: Mapping[int, int]) -> tuple[str, int]:
        """The function of a Program that is used in several places, and its workspace."""
        key = id(program), tuple(sorted(shared.items()))
        if key not in self.functions:
            self.functions[key] = self._write_function(program, shared)
        return self.functions[key]

    def kernel(self, key: Any, arguments: int, write: Callable[[Code, list[str]], None]) -> str:
        """A function on so many addresses; of one key there is one."""
        if key not in self.kernels:
            frame, given = Frame(self), [f"%at{i}" for i in range(arguments)]
            write(frame.code, given)
            frame.code.do("ret void")
            self.kernels[key] = f"kernel{len(self.kernels)}"
            head = f"define internal void @{self.kernels[key]}"
            text = frame.text(f"{head}({', '.join(f'ptr {x}' for x in given)}) noinline")
            self.module.kernels.append(text)
        return self.kernels[key]

    def _write_function(self, program: Program, shared: Mapping[int, int]) -> tuple[str, int]:
        frame = Frame(self)
        self.named += 1
        name = f"program{self.named}"
        inputs = [f"%input{i}" for i in range(len(program.inputs))]
        targets = [f"%output{i}" for i in range(len(program.outputs))]
        results = frame.inline(program, inputs, targets, shared, 0)
        kinds = [value_type(t.dtype) for t in program.output_types if not t.shape]
        returned = [r for r, t in zip(results, program.output_types, strict=True) if not t.shape]
        frame.give(kinds, returned)
        frame.close(f"define internal {struct(kinds)} @{name}({_parameters(program, shared)})")
        return name, frame.extent


def _count_math(program: Program, size: int) -> int:
    """The uses of `mathlib` on arrays up to a size."""
    equations = (e for p in subprograms(program) for e in p.equations)
    return sum(
        e.primitive.name in mathlib.NAMES and e.outputs[0].type.size <= size for e in equations
    )


def struct(kinds: Sequence[str]) -> str:
    """The type in which a function returns its scalars."""
    return f"{{ {', '.join(kinds)} }}" if kinds else "void"


def _parameters(program: Program, shared: Mapping[int, int]) -> str:
    parts = ["ptr %workspace", "ptr %constants"]
    for i, t in enumerate(program.input_types):
        plain = "ptr" if i in shared.values() else "ptr noalias readonly"
        parts.append(f"{plain if t.shape else value_type(t.dtype)} %input{i}")
    for i, t in enumerate(program.output_types):
        if t.shape:
            parts.append(f"{'ptr' if i in shared else 'ptr noalias'} %output{i}")
    return ", ".join(parts)


class Frame:
    """One function being written: its code, and how much workspace it reaches into.

    Parameters
    ----------
    unit : Unit
    is_share : bool
        Whether it is a turn that some thread takes, and so deals out none itself.
    """

    def __init__(self, unit: Unit, is_share: bool = False) -> None:
        self.unit, self.is_share = unit, is_share
        self.code = Code(unit.module)
        self.extent = 0

    def entry_of(self, table: str, index: int) -> str:
        """An address out of a table of addresses."""
        address = self.code.let(f"getelementptr inbounds ptr, ptr {table}, i64 {index}")
        return self.code.let(f"load ptr, ptr {address}, align 8, !invariant.load !0")

    def inline(
        self,
        program: Program,
        inputs: Sequence[str],
        targets: Sequence[str],
        shared: Mapping[int, int],
        base: int,
    ) -> list[str]:
        """Write a Program here; the registers of its scalar outputs, and "" for arrays.

        Parameters
        ----------
        program : Program
        inputs : sequence of str
            Registers of scalars, addresses of arrays.
        targets : sequence of str
            Where array outputs are wanted.
        shared : mapping of output to input
            Outputs whose target is the buffer of an input.
        base : int
            Where free workspace begins.
        """
        return Scope(self, program, inputs, targets, shared, base).write()

    def give(self, kinds: Sequence[str], values: Sequence[str]) -> None:
        """Return scalars from the function."""
        result = "undef"
        for i, (kind, value) in enumerate(zip(kinds, values, strict=True)):
            result = self.code.let(f"insertvalue {struct(kinds)} {result}, {kind} {value}, {i}")
        self.code.do(f"ret {struct(kinds)}{' ' + result if kinds else ''}")

    def beside(self) -> Frame:
        """A function beside this one, for a part of the same Program."""
        self.unit.chapters += 1
        return Frame(self.unit, self.is_share)

    def close(self, head: str) -> None:
        """Hand the function to the module."""
        self.unit.module.functions.append(self.text(head))

    def text(self, head: str) -> str:
        """The whole function."""
        lines = [f"{head} nounwind {{", "entry:", *self.code.locals, *self.code.lines, "}"]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of another array, from an offset on."""

    source: Storage | Var | Piece
    offset: int
    var: Var


class Scope:
    """One Program being written into a function: where its values are.

    Parameters
    ----------
    frame : Frame
    program : Program
    inputs, targets, shared, base
        See `Frame.inline`.
    """

    def __init__(
        self,
        frame: Frame,
        program: Program,
        inputs: Sequence[str],
        targets: Sequence[str],
        shared: Mapping[int, int],
        base: int,
    ) -> None:
        self.frame, self.code, self.program = frame, frame.code, program
        self.plan = frame.unit.plan(program, shared)
        self.inputs, self.targets, self.shared, self.base = inputs, targets, shared, base
        self.free = self.top = base + self.plan.size
        self.registers = {
            v: r for v, r in zip(program.inputs, inputs, strict=True) if not v.type.shape
        }
        self._reach(self.free)
        self.chapters = chapters_of(self)

    @property
    def fusion(self) -> Fusion:
        """What lies in memory."""
        return self.plan.fusion

    def write(self) -> list[str]:
        """Write all steps; the registers of the scalar outputs."""
        steps, windows = self.fusion.steps, self.frame.unit.windows.get(id(self.program), ())
        for at, step in enumerate(steps):
            for window in windows:
                source, start = self.pointer(window.source), self.scalar(window.start)
                fetch(self.code, source, start, window, at, len(steps))
            equations = step.roots if isinstance(step, Nest) else [step.equation]
            self.top = self.free
            try:
                if isinstance(step, Products):
                    EMIT["dot_general"](self, *step.roots)
                elif isinstance(step, Nest):
                    write_nest(self, step)
                else:
                    EMIT[step.equation.primitive.name](self, step.equation)
            except BayesdlError:
                raise
            except Exception as error:
                raise _failure(self.program, equations, error) from error
            if self.chapters is not None:
                self.chapters.turn(at)
        self._move()
        return [self.scalar(a) if not a.type.shape else "" for a in self.program.outputs]

    # --- values ----------------------------------------------------------------------------------

    def scalar(self, atom: Atom) -> str:
        """The register or constant that holds a scalar."""
        if isinstance(atom, Literal):
            return constant(atom.value, atom.type.dtype)
        if atom not in self.registers and self.chapters is not None:
            self.registers[atom] = self.chapters.number(atom)
        return self.registers[atom]

    def define(self, var: Var, value: str) -> None:
        """Name a scalar's register."""
        self.registers[var] = value

    def place(self, atom: Atom) -> Storage | Var | Piece:
        """Where an array lies; equal for equal buffers."""
        assert isinstance(atom, Var)
        base = self.fusion.base(atom)
        if base in self.fusion.views:
            source, offset = self.fusion.views[base]
            return Piece(self.place(source), offset, base)
        if base in self.plan.constants:
            return base
        storage = self.plan.storage[base]
        if isinstance(storage, Target) and storage.index in self.shared:
            return Given(self.shared[storage.index])
        return storage

    def pointer(self, atom: Atom) -> str:
        """The address of an array."""
        place = self.place(atom)
        if isinstance(place, Piece):
            source, offset = self.fusion.views[place.var]
            return self.code.at(self.pointer(source), str(offset), source.type.dtype)
        if isinstance(place, Seat):
            return self.code.at(self._buffer(place.whole), str(place.offset), atom.type.dtype)
        if isinstance(place, Slot | Target):
            return self._buffer(place)
        if isinstance(place, Given):
            return self._known(self.inputs[place.index])
        return self._constant(self.plan.constants[place].params["value"])

    def _buffer(self, place: Slot | Target) -> str:
        if isinstance(place, Target):
            return self._known(self.targets[place.index])
        return self._workspace(self.base + place.offset)

    def _known(self, pointer: str) -> str:
        """An address that the Program was given."""
        return pointer if self.chapters is None else self.chapters.take(pointer)

    def lies_in(self, part: Var, whole: Var) -> int | None:
        """The element of a buffer from which on another lies within it, if it does."""
        place = self.place(part)
        if not isinstance(place, Seat) or place.whole != self.place(whole):
            return None
        return place.offset

    def value(self, atom: Atom) -> str:
        """The register of a scalar, the address of an array."""
        return self.pointer(atom) if atom.type.shape else self.scalar(atom)

    def scratch(self, *sizes: int) -> list[str]:
        """Buffers that are free again after this step, of so many bytes each."""
        found = []
        for size in sizes:
            found.append(self._workspace(self.top))
            self.top += -(-size // ALIGNMENT) * ALIGNMENT
        self._reach(self.top)
        return found

    def _workspace(self, offset: int) -> str:
        return self.code.let(f"getelementptr inbounds i8, ptr %workspace, i64 {offset}")

    def _reach(self, extent: int) -> None:
        self.frame.extent = max(self.frame.extent, extent)

    def _constant(self, value: np.ndarray[Any, Any]) -> str:
        module = self.frame.unit.module
        if value.size > SMALL_TABLE:
            # The first entry is that of the crew.
            return self.frame.entry_of("%constants", module.keep(value) + 1)
        return module.table(value)

    # --- Programs inside -------------------------------------------------------------------------

    def apply(
        self,
        program: Program,
        inputs: Sequence[str],
        targets: Sequence[str],
        shared: Mapping[int, int],
        apart: bool = False,
    ) -> list[str]:
        """Write or call a Program; as `Frame.inline`. One that is to stand `apart` is called."""
        unit = self.frame.unit
        unit.turns += apart
        if unit.is_inline(program) and not apart:
            return self.frame.inline(program, inputs, targets, shared, self.top)
        name, extent = unit.function(program, shared)
        self._reach(self.top + extent)
        arguments = [f"ptr {self._workspace(self.top)}", "ptr %constants"]
        for value, t in zip(inputs, program.input_types, strict=True):
            arguments.append(f"{'ptr' if t.shape else value_type(t.dtype)} {value}")
        arguments += [
            f"ptr {p}" for p, t in zip(targets, program.output_types, strict=True) if t.shape
        ]
        kinds = [value_type(t.dtype) for t in program.output_types if not t.shape]
        call = f"call {struct(kinds)} @{name}({', '.join(arguments)})"
        if not kinds:
            self.code.do(call)
            return [""] * len(program.outputs)
        result, at, found = self.code.let(call), 0, []
        for t in program.output_types:
            found.append(
                "" if t.shape else self.code.let(f"extractvalue {struct(kinds)} {result}, {at}")
            )
            at += not t.shape
        return found

    # --- outputs ---------------------------------------------------------------------------------

    def _move(self) -> None:
        """Bring outputs where they are wanted; what another move may overwrite is saved first."""
        sources = []
        for _, var, aside in self.plan.moves:
            source = self.pointer(var)
            if aside is not None:
                saved = self._workspace(self.base + aside.offset)
                self.code.copy(saved, source, nbytes(var))
                source = saved
            sources.append(source)
        for (index, var, _), source in zip(self.plan.moves, sources, strict=True):
            self.code.copy(self.targets[index], source, nbytes(var))


def nbytes(atom: Atom) -> int:
    """Size of an array in bytes."""
    return atom.type.size * atom.type.dtype.itemsize


def _failure(program: Program, equations: Sequence[Equation], error: Exception) -> CompileError:
    names = ", ".join(e.primitive.name for e in equations)
    where = next((e.source for e in equations if e.source is not None), None)
    return CompileError(
        f"no native code could be written for `{names}` in the Program {program.name!r}.",
        facts=[("cause", type(error).__name__, str(error))],
        note=f"\n{program!r}",
        fix="please report this with the Program above.",
        where=where,
        code="C102",
    )
