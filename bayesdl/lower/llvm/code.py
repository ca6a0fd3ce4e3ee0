"""LLVM IR as text, written one function at a time: instructions, loops, branches, the module."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import field
from functools import lru_cache
from typing import Any

import numpy as np
from llvmlite import ir

from bayesdl._base.dataclass import dataclass

from . import mathlib

# Lines of a loop that only fills an array: it is bound by memory, however it is compiled.
FILL = 8
_VALUE = {
    "f8": "double",
    "f4": "float",
    "i8": "i64",
    "u8": "i64",
    "i4": "i32",
    "u4": "i32",
    "b1": "i1",
}


def value_type(dtype: np.dtype[Any]) -> str:
    """LLVM's type of a number in a register."""
    return _VALUE[f"{dtype.kind}{dtype.itemsize}"]


def memory_type(dtype: np.dtype[Any]) -> str:
    """LLVM's type of a number in memory: a bool is a byte there."""
    return "i8" if dtype.kind == "b" else value_type(dtype)


def constant(value: Any, dtype: np.dtype[Any]) -> str:
    """A number as LLVM writes it; floats by their bits, so that none is lost."""
    if dtype.kind == "b":
        return "true" if value else "false"
    if dtype.kind == "f":
        return f"0x{struct.unpack('<Q', struct.pack('<d', float(dtype.type(value))))[0]:016X}"
    return str(int(value))


class Module:
    """What the functions of one module share: declarations, constants, metadata."""

    def __init__(self) -> None:
        self.functions: list[str] = []
        # What light code calls for its products.
        self.kernels: list[str] = []
        self.declarations: dict[str, str] = {}
        self.definitions: dict[str, str] = {}
        self.metadata = ["!0 = !{}"]
        self.tables: dict[str, str] = {}
        self.constants: list[np.ndarray[Any, Any]] = []
        self.externals: set[str] = set()
        self.inline_math = True
        # Loops of up to so many turns call functions rather than have them written out.
        self.short_loop = 0

    def declare(self, name: str, result: str, arguments: Sequence[str]) -> str:
        """The name of a function that LLVM or a library defines."""
        self.declarations[name] = f"declare {result} @{name}({', '.join(arguments)})"
        return name

    def external(self, name: str, arguments: int) -> str:
        """A BLAS or LAPACK routine: every argument is an address, as Fortran has it."""
        self.externals.add(name)
        return self.declare(name, "void", ["ptr"] * arguments)

    def define(self, name: str, text: str) -> None:
        """Add a function or global of this name, once."""
        self.definitions.setdefault(name, text)

    def math(
        self, name: str, dtype: np.dtype[Any], arity: int, inline: bool, lanes: int = 1
    ) -> str:
        """The name of a function of `mathlib`, whose text joins the module.

        Inside loops it is inlined, so that the loop can be widened; elsewhere a call keeps the code
        small where there are many. A register of several numbers has a function of its own.
        """
        symbol = f"bdl.{name}.{f'v{lanes}' if lanes > 1 else ''}f{8 * dtype.itemsize}"
        if not inline and lanes == 1 and (self.short_loop or not self.inline_math):
            kind, inner = value_type(dtype), self.math(name, dtype, arity, True)
            given = ", ".join(f"{kind} %x{i}" for i in range(arity))
            body = f"  %y = call {kind} @{inner}({given})\n  ret {kind} %y"
            self.define(
                f"{symbol}.call",
                f"define internal {kind} @{symbol}.call({given}) "
                f"noinline nounwind willreturn memory(none) {{\n{body}\n}}",
            )
            return f"{symbol}.call"
        if symbol not in self.definitions:
            definitions, declarations = _math_text(name, dtype.itemsize, lanes)
            self.definitions.update(definitions)
            self.declarations.update(declarations)
        return symbol

    def keep(self, value: np.ndarray[Any, Any]) -> int:
        """The number of a constant array in the table that the caller hands over."""
        self.constants.append(np.ascontiguousarray(value))
        return len(self.constants) - 1

    def table(self, values: np.ndarray[Any, Any]) -> str:
        """The address of numbers written into the code."""
        kind = memory_type(values.dtype)
        items = ", ".join(f"{kind} {_in_memory(x, values.dtype)}" for x in values.ravel())
        text = f"private unnamed_addr constant [{values.size} x {kind}] [{items}], align 16"
        name = self.tables.setdefault(text, f"@table{len(self.tables)}")
        self.define(name, f"{name} = {text}")
        return name

    def group(self) -> str:
        """A new set of memory accesses that never meet between the turns of their loop."""
        self.metadata.append(f"!{len(self.metadata)} = distinct !{{}}")
        return f"!{len(self.metadata) - 1}"

    def advice(self, group: str | None, rolled: bool, at_once: int, masked: bool) -> str:
        """What LLVM is told about a loop: see `Code.loop`."""
        hints = []
        if group is not None:
            hints.append(f'!{{!"llvm.loop.parallel_accesses", {group}}}')
        if rolled or at_once:
            hints.append('!{!"llvm.loop.unroll.disable"}')
        if at_once:
            # No width: LLVM would complain aloud about each loop that it cannot widen.
            hints.append(f'!{{!"llvm.loop.interleave.count", i32 {at_once}}}')
        if masked:
            hints.append('!{!"llvm.loop.vectorize.predicate.enable", i1 true}')
        if not hints:
            return ""
        own, first = f"!{len(self.metadata)}", len(self.metadata) + 1
        names = ", ".join(f"!{first + i}" for i in range(len(hints)))
        self.metadata.append(f"{own} = distinct !{{{own}, {names}}}")
        self.metadata.extend(f"!{first + i} = {hint}" for i, hint in enumerate(hints))
        return f", !llvm.loop {own}"

    def text(self, functions: Sequence[str] | None = None) -> str:
        """The whole module, or one with other functions in place of its own."""
        parts = (
            self.declarations.values(),
            self.definitions.values(),
            [*self.kernels, *self.functions] if functions is None else functions,
            self.metadata,
        )
        return "\n".join(line for part in parts for line in part) + "\n"


def _in_memory(value: Any, dtype: np.dtype[Any]) -> str:
    return str(int(value)) if dtype.kind == "b" else constant(value, dtype)


@lru_cache(maxsize=256)
def _math_text(name: str, itemsize: int, lanes: int) -> tuple[dict[str, str], dict[str, str]]:
    """Definitions and declarations that one function of `mathlib` needs, as text."""
    module, kind = ir.Module(), ir.DoubleType() if itemsize == 8 else ir.FloatType()
    mathlib.scalar_function(module, name, kind, lanes)
    definitions: dict[str, str] = {}
    declarations: dict[str, str] = {}
    for name, value in module.globals.items():
        is_declared = isinstance(value, ir.Function) and value.is_declaration
        (declarations if is_declared else definitions)[name] = str(value)
    return definitions, declarations


@dataclass(slots=True)
class Loop:
    """A loop being written.

    Parameters
    ----------
    index : str
        The counter, from 0.
    state : list of str
        Values carried from one turn to the next.
    next : list of str
        What the body leaves for the next turn; after the loop, the last turn's.
    """

    index: str
    state: list[str]
    next: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Phi:
    """A value at the head of a block, written once its sources are known."""

    code: Code
    name: str
    kind: str
    line: int

    def join(self, *sources: tuple[str, str]) -> None:
        """Give the value for each block that control may come from."""
        text = ", ".join(f"[ {value}, %{block} ]" for value, block in sources)
        self.code.lines[self.line] = f"  {self.name} = phi {self.kind} {text}"


class Code:
    """The body of one function under construction.

    Parameters
    ----------
    module : Module
        Receives what the function needs beside it.

    Attributes
    ----------
    lanes : int
        Numbers in the registers of `element` and what it is made of.
    light : bool
        Whether LLVM is to compile it in a hurry.
    """

    def __init__(self, module: Module) -> None:
        self.lanes, self.light = 1, False
        self.module = module
        self.lines: list[str] = []
        self.locals: list[str] = []
        self.block = "entry"
        self.looping = False
        self.count = 0
        # Loops so far; turns × lines of the heaviest one without another inside, beyond FILL and
        # those that are spared, for which LLVM's loop passes would do nothing.
        self.loops = self.heaviest = self.spared = 0

    def let(self, instruction: str) -> str:
        """Append an instruction that has a result; the result's name."""
        self.count += 1
        name = f"%v{self.count}"
        self.lines.append(f"  {name} = {instruction}")
        return name

    def do(self, instruction: str) -> None:
        """Append an instruction without a result."""
        self.lines.append("  " + instruction)

    def fresh(self, stem: str) -> str:
        """A new block's name."""
        self.count += 1
        return f"{stem}{self.count}"

    def start(self, block: str) -> None:
        """Go on in another block."""
        self.lines.append(f"{block}:")
        self.block = block

    # --- integers of index arithmetic, folded where both sides are known -------------------------

    def add(self, a: str, b: str) -> str:
        """a + b on i64."""
        if a == "0" or b == "0":
            return b if a == "0" else a
        if a.isdecimal() and b.isdecimal():
            return str(int(a) + int(b))
        return self.let(f"add nsw i64 {a}, {b}")

    def scale(self, a: str, factor: int) -> str:
        """a · factor on i64."""
        if factor in (0, 1) or a == "0":
            return a if factor == 1 else "0"
        if a.isdecimal():
            return str(int(a) * factor)
        return self.let(f"mul nsw i64 {a}, {factor}")

    # --- memory ----------------------------------------------------------------------------------

    def at(self, pointer: str, offset: str, dtype: np.dtype[Any]) -> str:
        """The address of an element."""
        if offset == "0":
            return pointer
        return self.let(f"getelementptr inbounds {memory_type(dtype)}, ptr {pointer}, i64 {offset}")

    def load(self, pointer: str, offset: str, dtype: np.dtype[Any], group: str = "") -> str:
        """The element at an offset, in elements, or a register of them."""
        kind = _memory_register(self, dtype)
        value = self.let(
            f"load {kind}, ptr {self.at(pointer, offset, dtype)}, align {dtype.itemsize}{group}"
        )
        return self.let(f"icmp ne i8 {value}, 0") if dtype.kind == "b" else value

    def store(
        self, value: str, pointer: str, offset: str, dtype: np.dtype[Any], group: str = ""
    ) -> None:
        """Put a value, or a register of them, at an offset in elements."""
        if dtype.kind == "b":
            value = self.let(f"zext i1 {value} to i8")
        address = self.at(pointer, offset, dtype)
        kind = _memory_register(self, dtype)
        self.do(f"store {kind} {value}, ptr {address}, align {dtype.itemsize}{group}")

    def copy(self, target: str, source: str, size: int) -> None:
        """Copy bytes between buffers that do not overlap."""
        if size and target != source:
            name = self.module.declare("llvm.memcpy.p0.p0.i64", "void", ("ptr", "ptr", "i64", "i1"))
            self.do(f"call void @{name}(ptr {target}, ptr {source}, i64 {size}, i1 false)")

    def clear(self, target: str, size: int) -> None:
        """Fill with zero bytes."""
        if size:
            name = self.module.declare("llvm.memset.p0.i64", "void", ("ptr", "i8", "i64", "i1"))
            self.do(f"call void @{name}(ptr {target}, i8 0, i64 {size}, i1 false)")

    def intrinsic(self, name: str, dtype: np.dtype[Any], *args: str, flags: str = "") -> str:
        """Call one of LLVM's own functions on numbers of one type."""
        kind = register_type(self, dtype)
        suffix = f"f{8 * dtype.itemsize}" if dtype.kind == "f" else value_type(dtype)
        suffix = suffix if self.lanes == 1 else f"v{self.lanes}{suffix}"
        symbol = self.module.declare(f"llvm.{name}.{suffix}", kind, [kind] * len(args))
        return self.let(f"call {flags}{kind} @{symbol}({', '.join(f'{kind} {a}' for a in args)})")

    def local(self, kind: str, count: int = 1) -> str:
        """The address of a few numbers on the stack, for a library to fill in."""
        self.count += 1
        self.locals.append(f"  %v{self.count} = alloca {kind}, i64 {count}, align 16")
        return f"%v{self.count}"

    # --- control ---------------------------------------------------------------------------------

    @contextmanager
    def loop(
        self,
        count: int | str,
        state: Sequence[tuple[str, str]] = (),
        group: str | None = None,
        rolled: bool = False,
        at_once: int = 0,
        masked: bool = False,
    ) -> Iterator[Loop]:
        """Repeat what is written inside.

        Parameters
        ----------
        count : int or str
            Turns: a number above 0, or the name of an i64 that may be 0.
        state : sequence of (type, first value)
            What the turns hand on; the body sets ``next``.
        group : str, optional
            Accesses that never meet between turns, for the vectoriser.
        rolled : bool
            Whether LLVM shall leave the loop as it is.
        at_once : int
            Vectors that are worked on side by side; 0 leaves that to LLVM.
        masked : bool
            Whether the turns are a part of one vector.
        """
        before, head, end = self.block, self.fresh("loop"), self.fresh("end")
        self.loops += 1
        number, line = self.loops, len(self.lines) - self.spared
        self.do(f"br label %{head}")
        self.start(head)
        index, *phis = (self.phi(kind) for kind in ("i64", *(kind for kind, _ in state)))
        loop = Loop(index.name, [p.name for p in phis])
        if isinstance(count, str):
            body = self.fresh("body")
            going = self.let(f"icmp slt i64 {index.name}, {count}")
            self.do(f"br i1 {going}, label %{body}, label %{end}")
            self.start(body)
        yield loop
        following = self.let(f"add nuw nsw i64 {index.name}, 1")
        latch, tail = self.block, self.module.advice(group, rolled, at_once, masked)
        if isinstance(count, int):
            going = self.let(f"icmp ult i64 {following}, {count}")
            self.do(f"br i1 {going}, label %{head}, label %{end}{tail}")
        else:
            self.do(f"br label %{head}{tail}")
        index.join(("0", before), (following, latch))
        for phi, (_, first), last in zip(phis, state, loop.next, strict=True):
            phi.join((first, before), (last, latch))
        if isinstance(count, str):
            loop.next = loop.state
        elif number == self.loops:
            lines = len(self.lines) - self.spared - line - FILL
            self.heaviest = max(self.heaviest, count * lines)
        self.start(end)

    def phi(self, kind: str) -> Phi:
        """A value that depends on where control came from; `Phi.join` says how."""
        name = self.let("")
        return Phi(self, name, kind, len(self.lines) - 1)


def register_type(code: Code, dtype: np.dtype[Any]) -> str:
    """LLVM's type of a register."""
    one = value_type(dtype)
    return one if code.lanes == 1 else f"<{code.lanes} x {one}>"


def _memory_register(code: Code, dtype: np.dtype[Any]) -> str:
    """LLVM's type of what is read at once; truth values are read one by one."""
    return memory_type(dtype) if dtype.kind == "b" else register_type(code, dtype)


def in_each_lane(code: Code, value: Any, dtype: np.dtype[Any]) -> str:
    """A number in every lane of a register."""
    text = constant(value, dtype)
    return text if code.lanes == 1 else f"splat ({value_type(dtype)} {text})"


@contextmanager
def several(code: Code, lanes: int) -> Iterator[None]:
    """What is written inside works on registers of so many numbers."""
    before, code.lanes = code.lanes, lanes
    yield
    code.lanes = before


@contextmanager
def when(code: Code, condition: str) -> Iterator[None]:
    """Do what is written inside only where the condition holds."""
    inside, end = code.fresh("then"), code.fresh("end")
    code.do(f"br i1 {condition}, label %{inside}, label %{end}")
    code.start(inside)
    yield
    code.do(f"br label %{end}")
    code.start(end)


@contextmanager
def ahead(code: Code) -> Iterator[None]:
    """What is written inside stands at the function's beginning; no block begins there."""
    lines, code.lines = code.lines, code.locals
    yield
    code.lines = lines
