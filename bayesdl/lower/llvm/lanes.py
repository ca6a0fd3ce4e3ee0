"""Registers of several numbers: what the product kernels, which choose their own width, write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .code import Code, value_type
from .machine import registers

DType = np.dtype[Any]


class Lanes:
    """Instructions on registers of one dtype.

    Parameters
    ----------
    code : Code
        Where they are written.
    dtype : dtype
        float32 or float64.

    Attributes
    ----------
    count : int
        Numbers in a full register.
    registers : int
        How many of these there are.
    """

    def __init__(self, code: Code, dtype: DType) -> None:
        self.code, self.dtype = code, dtype
        self.count, self.registers = registers().size // dtype.itemsize, registers().count

    def kind(self, width: int | None = None) -> str:
        """LLVM's type of a register of so many lanes, a full one by default."""
        return f"<{width or self.count} x {value_type(self.dtype)}>"

    def share(self, part: float) -> int:
        """So many of all registers."""
        return int(part * self.registers)

    def parts(self, size: int) -> list[tuple[int, int]]:
        """(start, width) of the registers that cover an axis; the last may be narrower."""
        return [(s, min(self.count, size - s)) for s in range(0, size, self.count)]

    def overlapping(self, size: int, whole: int) -> list[tuple[int, int]]:
        """(start, width) of full registers at the end of `whole` columns, the last moved back."""
        if whole < self.count:
            return [(0, whole)]
        return [(min(s, size - self.count), self.count) for s in range(0, size, self.count)]

    def load(self, pointer: str, at: str, width: int | None = None) -> str:
        """So many numbers in a row."""
        address = self.code.at(pointer, at, self.dtype)
        return self.code.let(f"load {self.kind(width)}, ptr {address}, align {self.dtype.itemsize}")

    def load_padded(self, pointer: str, at: str, width: int) -> str:
        """So many numbers in a row in a full register, with zeros behind them."""
        return self.padded(self.load(pointer, at, width), width)

    def padded(self, value: str, width: int) -> str:
        """A register of so many lanes as a full one, with zeros behind them."""
        if width == self.count:
            return value
        lanes = ", ".join(f"i32 {min(i, width)}" for i in range(self.count))
        kind = self.kind(width)
        return self.code.let(
            f"shufflevector {kind} {value}, {kind} zeroinitializer, <{self.count} x i32> <{lanes}>"
        )

    def first(self, value: str, width: int) -> str:
        """The first lanes of a full register."""
        if width == self.count:
            return value
        lanes = ", ".join(f"i32 {i}" for i in range(width))
        return self.code.let(
            f"shufflevector {self.kind()} {value}, {self.kind()} poison, <{width} x i32> <{lanes}>"
        )

    def store(self, value: str, pointer: str, at: str, width: int | None = None) -> None:
        """Put a register of so many lanes into memory."""
        address = self.code.at(pointer, at, self.dtype)
        self.code.do(
            f"store {self.kind(width)} {value}, ptr {address}, align {self.dtype.itemsize}"
        )

    def store_first(self, value: str, pointer: str, at: str, width: int) -> None:
        """Put the first lanes of a full register into memory."""
        self.store(self.first(value, width), pointer, at, width)

    def spread(self, x: str, width: int | None = None) -> str:
        """One number in every lane."""
        width = width or self.count
        kind = self.kind(width)
        one = self.code.let(f"insertelement {kind} poison, {value_type(self.dtype)} {x}, i64 0")
        return self.code.let(
            f"shufflevector {kind} {one}, {kind} poison, <{width} x i32> zeroinitializer"
        )

    def spread_from(self, pointer: str, at: str, width: int | None = None) -> str:
        """A number in memory in every lane."""
        return self.spread(self.code.load(pointer, at, self.dtype), width)

    def muladd(self, x: str, y: str, total: str, width: int | None = None) -> str:
        """x · y + total, rounded once where the processor can."""
        width = width or self.count
        name, kind = f"llvm.fmuladd.v{width}f{8 * self.dtype.itemsize}", self.kind(width)
        self.code.module.declare(name, kind, [kind] * 3)
        return self.code.let(f"call {kind} @{name}({kind} {x}, {kind} {y}, {kind} {total})")

    def sums(self, registers: Sequence[str]) -> list[str]:
        """Registers whose lanes are the sums over the lanes of the given ones, in order."""
        found = []
        for start in range(0, len(registers), self.count):
            group = list(registers[start : start + self.count])
            group += ["zeroinitializer"] * (self.count - len(group))
            step = 1
            while step < self.count:
                group = [
                    self._folded(group[i], group[i + 1], step) for i in range(0, len(group), 2)
                ]
                step *= 2
            found.append(group[0])
        return found

    def _folded(self, a: str, b: str, step: int) -> str:
        """Sums of lanes `step` apart: of `a` where that bit of the lane is 0, else of `b`."""
        if a == b == "zeroinitializer":
            return a
        lanes = range(self.count)
        # Lanes that stay where they are cost less to choose than those that move.
        still = [i + self.count if i & step else i for i in lanes]
        moved = [i + self.count - step if i & step else i + step for i in lanes]
        x, y = (self._shuffled(a, b, chosen) for chosen in (still, moved))
        return self.code.let(f"fadd {self.kind()} {x}, {y}")

    def _shuffled(self, a: str, b: str, chosen: Sequence[int]) -> str:
        kind, lanes = self.kind(), ", ".join(f"i32 {i}" for i in chosen)
        return self.code.let(
            f"shufflevector {kind} {a}, {kind} {b}, <{self.count} x i32> <{lanes}>"
        )
