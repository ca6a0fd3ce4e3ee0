"""Gradients of sites are put side by side, not added up."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl.ir.check import check
from bayesdl.ir.program import Program
from bayesdl.ir.text import from_text
from bayesdl.ir.walk import subprograms
from bayesdl.lower.interpret import interpret_program
from bayesdl.lower.join import join

SITES = """program f(%a: f64[2], %b: f64[3], %c: f64[1]):
  %p: f64[8] = pad %a low=(1) high=(5) interior=(0)
  %q: f64[8] = pad %b low=(5) high=(0) interior=(0)
  %r: f64[8] = pad %c low=(3) high=(4) interior=(0)
  %s: f64[8] = add %q %p
  %t: f64[8] = add %r %s
  return %t"""
INPUTS = [np.array([1.0, 2.0]), np.array([3.0, 4.0, 5.0]), np.array([6.0])]


def joined(text: str) -> tuple[Program, list[str]]:
    program = check(join(check(from_text(text))))
    return program, [e.primitive.name for p in subprograms(program) for e in p.equations]


def test_pieces_lie_side_by_side_with_zeros_in_the_gaps() -> None:
    program, names = joined(SITES)
    assert names == ["broadcast", "broadcast", "concatenate"]
    (found,) = interpret_program(program)(*INPUTS)
    np.testing.assert_array_equal(found, [0, 1, 2, 6, 0, 3, 4, 5])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("%c low=(3) high=(4) interior=(0)", "%c low=(2) high=(5) interior=(0)"),
        ("%a low=(1) high=(5) interior=(0)", "%a low=(0) high=(5) interior=(1)"),
        ("return %t", "return %t %s %p"),
    ],
    ids=["overlap", "gaps", "needed"],
)
def test_what_overlaps_or_is_needed_otherwise(old: str, new: str) -> None:
    text = SITES.replace(old, new)
    program, _ = joined(text)
    wanted = interpret_program(from_text(text))(*INPUTS)
    for have, want in zip(interpret_program(program)(*INPUTS), wanted, strict=True):
        np.testing.assert_array_equal(have, want)


def test_inner_programs_and_matrices() -> None:
    text = """program f(%a: f64[2,3], %b: f64[2,1]):
  %y: f64[2,4] = call %a %b program={
program g(%a: f64[2,3], %b: f64[2,1]):
  %p: f64[2,4] = pad %a low=(0,0) high=(0,1) interior=(0,0)
  %q: f64[2,4] = pad %b low=(0,3) high=(0,0) interior=(0,0)
  %s: f64[2,4] = add %p %q
  return %s
}
  return %y"""
    program, names = joined(text)
    assert names == ["concatenate", "call"]
    a, b = np.arange(6.0).reshape(2, 3), np.array([[7.0], [8.0]])
    (found,) = interpret_program(program)(a, b)
    np.testing.assert_array_equal(found, np.concatenate([a, b], axis=1))


def test_nothing_to_do_is_nothing_done() -> None:
    program = from_text("program f(%a: f64[3], %b: f64[3]):\n  %c: f64[3] = add %a %b\n  return %c")
    assert join(program) is program
