"""Loops that are cut where operands are put together: nothing is copied, and nothing mixed up."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl.ir.text import from_text
from bayesdl.lower.llvm.boxes import Box, boxes_of
from bayesdl.lower.llvm.fuse import Fusion, Nest

PACKED = """program f(%a: f64[3], %s: f64[], %b: f64[9]):
  %e: f64[3] = exp %a
  %r: f64[1] = reshape %s shape=(1)
  %c: f64[13] = concatenate %e %r %b axis=0
  %d: f64[13] = sin %c
  %t: f64[] = reduce_sum %d axes=(0)
  return %d %t"""
INPUTS = (np.arange(3.0) / 5, 0.7, np.arange(9.0) / 3)


def test_parts_are_read_in_place_and_sums_go_on(same) -> None:
    fusion = Fusion(from_text(PACKED))
    (nest,) = fusion.steps
    assert isinstance(nest, Nest)
    assert boxes_of(fusion, nest) == [Box((0,), (3,)), Box((3,), (1,)), Box((4,), (9,))]
    assert len([v for v in fusion.memory if v.type.shape]) == 3  # Two come in, one goes out.
    same(PACKED, *INPUTS)


def test_a_gradient_of_padded_parts(same) -> None:
    """Windows that meet, overlap, or leave a gap; read shifted, and backwards."""
    text = """program f(%a: f64[4], %b: f64[5], %x: f64[9]):
  %p: f64[9] = pad %a low=(2) high=(3) interior=(0)
  %q: f64[9] = pad %b low=(4) high=(0) interior=(0)
  %m: f64[9] = neg %q
  %s: f64[9] = add %p %m
  %g: f64[9] = add %x %s
  %h: f64[4] = slice %s start=(1) limit=(9) stride=(2)
  %r: f64[9] = reverse %s axes=(0)
  return %g %h %r"""
    fusion = Fusion(from_text(text))
    assert len(fusion.memory) == 6
    same(text, np.arange(4.0) + 1, np.arange(5.0) - 7, np.ones(9))


@pytest.mark.parametrize("axes", ["(0)", "(1)", "(0,1)"])
def test_sums_along_either_axis_of_what_is_put_together(same, axes: str) -> None:
    shape = {"(0)": "[7]", "(1)": "[5]", "(0,1)": "[]"}[axes]
    same(
        f"""program f(%a: f64[2,3], %b: f64[3,3], %c: f64[5,4]):
  %d: f64[5,3] = concatenate %a %b axis=0
  %e: f64[5,7] = concatenate %d %c axis=1
  %g: f64[5,7] = square %e
  %s: f64{shape} = reduce_sum %g axes={axes}
  %m: f64{shape} = reduce_max %g axes={axes}
  return %s %m""",
        np.arange(6.0).reshape(2, 3),
        np.arange(9.0).reshape(3, 3),
        -np.arange(20.0).reshape(5, 4),
    )


def test_many_parts_are_put_together_once(same) -> None:
    """Beyond a few parts the whole is stored, so that its readers need not be cut."""
    letters = [a + b for a in "abc" for b in "klmnopqrst"]
    arguments = ", ".join(f"%{n}: f64[]" for n in letters)
    shaped = "".join(f"  %{n}y: f64[1] = reshape %{n} shape=(1)\n" for n in letters)
    parts = " ".join(f"%{n}y" for n in letters)
    text = f"""program f({arguments}):
{shaped}  %c: f64[30] = concatenate {parts} axis=0
  %d: f64[30] = sin %c
  %e: f64[] = reduce_sum %d axes=(0)
  return %d %e"""
    fusion = Fusion(from_text(text))
    assert [s.is_cut for s in fusion.steps if isinstance(s, Nest) and s.space] == [True, False]
    same(text, *np.linspace(0, 3, 30))


def test_a_window_around_nothing_is_zero(same) -> None:
    same(
        """program f(%a: f64[0], %b: f64[2,2]):
  %p: f64[3] = pad %a low=(1) high=(2) interior=(0)
  %q: f64[4,5] = pad %b low=(1,2) high=(1,1) interior=(0,0)
  %n: f64[3] = exp %p
  %m: f64[4,5] = exp %q
  return %n %m %q""",
        np.zeros(0),
        np.ones((2, 2)),
    )


@pytest.mark.parametrize("dtype", ["i64", "bool", "f32"])
def test_other_numbers_are_put_together_too(same, dtype: str) -> None:
    same(
        f"""program f(%a: {dtype}[2], %b: {dtype}[3]):
  %c: {dtype}[5] = concatenate %a %b axis=0
  %p: {dtype}[4] = pad %b low=(1) high=(0) interior=(0)
  return %c %p""",
        [1, 0],
        [0, 1, 1],
    )


def test_a_part_updated_in_place_is_not_read_too_late(same) -> None:
    """A shifted sum of a buffer that dies must not be written over it."""
    same(
        """program f(%x: f64[6]):
  %a: f64[6] = cumulative_sum %x axis=0 reverse=false
  %b: f64[5] = slice %a start=(0) limit=(5) stride=(1)
  %p: f64[6] = pad %b low=(1) high=(0) interior=(0)
  %s: f64[6] = add %a %p
  %c: f64[6] = cumulative_sum %s axis=0 reverse=false
  return %c""",
        np.arange(6.0),
    )
