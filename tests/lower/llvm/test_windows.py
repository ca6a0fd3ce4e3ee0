"""Writes into parts of buffers: where they go at the edges, and what they may read meanwhile."""

from __future__ import annotations

import numpy as np
import pytest

X = np.arange(20.0).reshape(5, 4)


@pytest.mark.parametrize("start", [-3, 0, 2, 9])
def test_windows_are_moved_inside(same, start: int) -> None:
    same(
        """program f(%x: f64[5,4], %u: f64[2,3], %i: i64[]):
  %y: f64[5,4] = dynamic_update_slice %x %u %i %i
  %z: f64[2,3] = dynamic_slice %x %i %i sizes=(2,3)
  return %y %z""",
        X,
        -np.ones((2, 3)),
        start,
    )


def test_a_window_computed_from_its_own_surroundings(same) -> None:
    """In place, the loop that writes the window would read what it has just written."""
    same(
        """program f(%x: f64[9]):
  %a: f64[9] = cumulative_sum %x axis=0 reverse=false
  %b: f64[8] = slice %a start=(0) limit=(8) stride=(1)
  %c: f64[9] = dynamic_update_slice %a %b 1:i64
  %d: f64[9] = cumulative_sum %c axis=0 reverse=false
  return %d""",
        np.arange(9.0),
    )


def test_a_single_element_computed_from_its_surroundings(same) -> None:
    same(
        """program f(%x: f64[9], %i: i64[]):
  %y: f64[9] = scan %i %x constants=1 carry=1 length=7 reverse=false body={
program b(%i: i64[], %x: f64[9]):
  %a: f64[1] = dynamic_slice %x %i sizes=(1)
  %b: f64[1] = slice %x start=(8) limit=(9) stride=(1)
  %c: f64[1] = add %a %b
  %d: f64[9] = dynamic_update_slice %x %c %i
  return %d
}
  return %y""",
        np.arange(9.0),
        3,
    )


def test_scatter_adds_every_time(same) -> None:
    """Repeated rows, rows out of range, and updates computed from the target."""
    same(
        """program f(%x: f64[5,4], %i: i64[6,1]):
  %a: f64[5,4] = cumulative_sum %x axis=0 reverse=false
  %u: f64[6,4] = gather %a %i
  %y: f64[5,4] = scatter_add %a %i %u
  return %y""",
        X,
        [[0], [0], [4], [-7], [99], [0]],
    )


def test_padding_between_and_around(same) -> None:
    same(
        """program f(%x: f64[5,4], %s: f64[]):
  %y: f64[5,4] = exp %x
  %z: f64[12,6] = pad %y low=(2,0) high=(1,2) interior=(1,0)
  %p: f64[] = pad %s low=() high=() interior=()
  return %z %p""",
        X / 20,
        1.5,
    )


def test_parts_of_any_size(same) -> None:
    same(
        """program f(%a: f64[2,3], %b: f64[2,0], %c: f64[2,1]):
  %d: f64[2,3] = neg %a
  %e: f64[2,5] = concatenate %d %b %c %c axis=1
  %g: i64[2] = iota shape=(2) axis=0 dtype=i64
  %h: i64[4] = concatenate %g %g axis=0
  return %e %h""",
        np.arange(6.0).reshape(2, 3),
        np.zeros((2, 0)),
        [[8.0], [9.0]],
    )


def test_scalars_have_no_window(same) -> None:
    same(
        "program f(%a: f64[], %b: f64[]):\n  %c: f64[] = dynamic_update_slice %a %b\n  return %c",
        1.0,
        2.0,
    )


@pytest.mark.parametrize("rows", [64, 70, 71])
@pytest.mark.parametrize("dtype", ["f64", "f32", "i64"])
def test_many_rows_into_few_places(same, rows: int, dtype: str) -> None:
    """Added in lanes; the rows that fill no turn, and rows out of range, are counted too."""
    rng = np.random.default_rng(rows)
    same(
        f"""program f(%x: {dtype}[5], %i: i64[{rows},1], %u: {dtype}[{rows}]):
  %v: {dtype}[{rows}] = add %u %u
  %y: {dtype}[5] = scatter_add %x %i %v
  return %y""",
        np.arange(5.0),
        rng.integers(-3, 9, (rows, 1)),
        rng.integers(0, 9, rows),
    )


def test_a_long_float32_sum_loses_no_rows(same) -> None:
    rows = 1_000_000
    (found,) = same(
        f"""program f(%i: i64[{rows},1], %u: f32[{rows}]):
  %x: f32[2] = broadcast 0.0e+00:f32 axes=(0) shape=(2)
  %y: f32[2] = scatter_add %x %i %u
  return %y""",
        np.zeros((rows, 1)),
        np.full(rows, 0.1),
        rtol=1e-8,
    )
    np.testing.assert_allclose(found[0], rows * np.float64(np.float32(0.1)), rtol=1e-7)


STEPS = [(1, 1), (2, 1), (1, 2), (3, 2)]


@pytest.mark.parametrize(("stride", "dilation"), STEPS)
def test_windows_and_what_is_folded_of_them(same, stride: int, dilation: int) -> None:
    """Overlaps are added up, gaps stay empty, and what is in front of and behind the axes stays."""
    count = (9 - 2 * dilation - 1) // stride + 1
    steps = f"stride=({stride},1) dilation=({dilation},1)"
    shape = f"f64[2,{count},4,3,2,3]"
    same(
        f"""program f(%x: f64[2,9,5,3]):
  %e: f64[2,9,5,3] = exp %x
  %w: {shape} = windows %e first=1 window=(3,2) {steps}
  %y: {shape} = square %w
  %z: f64[2,9,5,3] = fold %y first=1 shape=(9,5) {steps}
  %m: f64[2,{count},4,3] = reduce_max %w axes=(3,4)
  return %z %m""",
        np.random.default_rng(0).normal(size=(2, 9, 5, 3)),
    )


def test_windows_of_a_part_and_of_something_padded(same) -> None:
    """Zeros around two axes are written at once; a slice is read where it lies."""
    same(
        """program f(%x: f32[4,6]):
  %p: f32[6,7] = pad %x low=(1,0) high=(1,1) interior=(0,0)
  %w: f32[4,5,3,3] = windows %p first=0 window=(3,3) stride=(1,1) dilation=(1,1)
  %s: f32[4,5] = reduce_sum %w axes=(2,3)
  %a: f32[2,6] = slice %x start=(1,0) limit=(3,6) stride=(1,1)
  %v: f32[1,3,2,2] = windows %a first=0 window=(2,2) stride=(1,2) dilation=(1,1)
  return %s %v""",
        np.arange(24, dtype=np.float32).reshape(4, 6),
    )
