"""Loops over rows ask for later rows: how far ahead, for which arrays, and all of them."""

from __future__ import annotations

import re

import numpy as np
import pytest

from bayesdl.ir.program import Program
from bayesdl.ir.text import from_text
from bayesdl.lower.llvm import ahead, emitted_text
from bayesdl.lower.llvm.ahead import Window, fetch, windows_of
from bayesdl.lower.llvm.code import Code, Module

# Sums of a matrix's rows times a vector, eight rows at a time.
LOOP = """program f(%x: f64[{n},25], %w: f64[25]):
  %i: i64[], %t: f64[], %g: f64[25] = scan %x %w 0:i64 0.0:f64 %w body={{
    program turn(%x: f64[{n},25], %w: f64[25], %i: i64[], %t: f64[], %g: f64[25]):
      %r: f64[8,25] = dynamic_slice %x {start} 0:i64 sizes=(8,25)
      %p: f64[8] = dot_general %r %w batch=((),()) contract=((1),(0))
      %e: f64[8] = exp %p
      %s: f64[] = reduce_sum %e axes=(0)
      %u: f64[] = add %t %s
      %q: f64[25] = dot_general %e %r batch=((),()) contract=((0),(0))
      %h: f64[25] = add %g %q
      %j: i64[] = add %i {step}:i64
      return %j %u %h
  }} carry=3 constants=2 length={length} reverse=false
  return %t %g"""


def loop(rows: int, start: str = "%i", step: int = 8) -> Program:
    return from_text(LOOP.format(n=rows, start=start, step=step, length=rows // 8))


def windows(program: Program) -> list[Window]:
    return windows_of(program.equations[0])


def test_rows_read_one_block_after_the_other_are_asked_for() -> None:
    (window,) = windows(loop(8000))
    assert (window.row, window.size) == (200, 1600)


@pytest.mark.parametrize(
    "program",
    [loop(80), loop(8000, step=4), loop(8000, start="0:i64")],
    ids=["near", "again", "always_the_same"],
)
def test_what_is_near_or_read_again_is_not(program: Program) -> None:
    assert windows(program) == []
    assert "llvm.prefetch" not in emitted_text(program)


def test_turns_that_read_much_do_not_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "MOST", 1599)
    assert windows(loop(8000)) == []


def test_every_line_of_a_later_turn_is_asked_for_once() -> None:
    (window,) = windows(loop(8000))
    code = Code(Module())
    for part in range(3):
        fetch(code, "%x", "%i", window, part, 3)
    asked = [int(n) for n in re.findall(r"add nsw i64 %v\d+, (\d+)", "\n".join(code.lines))]
    assert asked == [ahead.DISTANCE + 64 * n for n in range(25)]


def test_nothing_depends_on_it(same) -> None:
    """Up to the last turn, which asks for what lies behind the array."""
    rng = np.random.default_rng(0)
    text = LOOP.format(n=4096, start="%i", step=8, length=512)
    assert "llvm.prefetch" in emitted_text(from_text(text))
    same(text, rng.normal(size=(4096, 25)), 0.1 * rng.normal(size=25), rtol=1e-12)
