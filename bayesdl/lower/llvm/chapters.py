"""Chapters of a long Program: functions of bounded length, called one after the other.

LLVM's schedulers and its register allocator need time that grows faster than the code without a
branch which they are given, and short loops written out are such code. Arrays that cross from one
chapter to another lie in memory anyway; numbers that do are put on a shelf there.
"""

from __future__ import annotations

from typing import Any, Protocol

from bayesdl.ir.program import Var

from .buffers import ALIGNMENT
from .code import Code, ahead, value_type
from .fuse import Fusion

# A Program of more equations has chapters, each of which ends with the step that brings it to so
# many lines.
LONG, LINES = 1000, 1000
ITEM = 8  # bytes of a place on the shelf


class Frame(Protocol):
    """What a chapter must know of the function being written."""

    code: Code
    extent: int

    def beside(self) -> Frame:
        """A function beside this one."""

    def close(self, head: str) -> None:
        """Hand the function to the module."""


class Scope(Protocol):
    """What a chapter must know of the Program being written."""

    frame: Any  # A Frame, of a class of its own.
    code: Code
    registers: dict[Var, str]
    free: int
    top: int

    @property
    def fusion(self) -> Fusion:
        """What lies in memory."""


def chapters_of(scope: Scope) -> Chapters | None:
    """The chapters of a Program that is long enough to have any."""
    steps, equations = scope.fusion.steps, scope.fusion.equations
    return Chapters(scope) if steps and len(equations) > LONG else None


class Chapters:
    """The chapters of one Program.

    Parameters
    ----------
    scope : Scope
        The Program, of which nothing is written yet.
    """

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.parent: Frame = scope.frame
        self.given = dict(scope.registers)
        self.last = _last_reads(scope.fusion)
        self.shelf: dict[Var, int] = {}
        self.start = scope.free
        scope.free = scope.top = _rounded(self.start + ITEM * len(self.last))
        self.parent.extent = max(self.parent.extent, scope.free)
        self._open()

    def take(self, name: str, kind: str = "ptr") -> str:
        """A register of the function around the chapters, made known in this one."""
        if name.startswith("%"):
            self.taken[name] = kind
        return name

    def number(self, var: Var) -> str:
        """The register of a number that this chapter has not made."""
        if var in self.given:
            return self.take(self.given[var], value_type(var.type.dtype))
        if self.scope.frame is self.parent:
            return self._fetched(var)
        with ahead(self.scope.code):
            return self._fetched(var)

    def turn(self, step: int) -> None:
        """End the chapter after a step, where it is long enough; the next begins."""
        is_last = step + 1 == len(self.scope.fusion.steps)
        if len(self.scope.code.lines) < LINES and not is_last:
            return
        self._close(step)
        if is_last:
            self._enter(self.parent)
        else:
            self._open()

    def _enter(self, frame: Frame) -> None:
        """Go on in another function, in which no number has a register yet."""
        self.scope.frame, self.scope.code, self.scope.registers = frame, frame.code, {}

    def _open(self) -> None:
        frame = self.parent.beside()
        # Registers of the function around keep their names, so those of the chapter are others.
        frame.code.count = self.parent.code.count
        self.taken = {"%workspace": "ptr", "%constants": "ptr"}
        self._enter(frame)

    def _close(self, step: int) -> None:
        frame: Frame = self.scope.frame
        code = frame.code
        for var, register in list(self.scope.registers.items()):
            if self.last.get(var, step) > step and var not in self.shelf:
                self.shelf[var] = self.start + ITEM * len(self.shelf)
                code.store(register, self._place(var), "0", var.type.dtype)
        code.do("ret void")
        name = f"chapter{len(code.module.functions)}"
        arguments = ", ".join(f"{kind} {value}" for value, kind in self.taken.items())
        frame.close(f"define internal void @{name}({arguments}) noinline")
        self.parent.code.do(f"call void @{name}({arguments})")
        self.parent.extent = max(self.parent.extent, frame.extent)

    def _fetched(self, var: Var) -> str:
        return self.scope.code.load(self._place(var), "0", var.type.dtype)

    def _place(self, var: Var) -> str:
        """The address of a number on the shelf."""
        offset = self.shelf[var]
        return self.scope.code.let(f"getelementptr inbounds i8, ptr %workspace, i64 {offset}")


def _last_reads(fusion: Fusion) -> dict[Var, int]:
    """The last step that reads each number made by an earlier one."""
    found: dict[Var, int] = {}
    for step, reads in enumerate(fusion.step_reads):
        found.update((v, step) for v in reads if not v.type.shape)
    ends = (a for a in fusion.program.outputs if isinstance(a, Var) and not a.type.shape)
    found.update(dict.fromkeys(ends, len(fusion.steps)))
    return {v: at for v, at in found.items() if fusion.step_of.get(v, at) < at}


def _rounded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
