"""Loops: every pattern of summed axes, fused producers, and code that LLVM widens."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import pytest

from bayesdl.ir.text import from_text
from bayesdl.lower.llvm import compile_program, emitted_text

SHAPE = (2, 3, 1, 4)
AXES = [c for n in range(1, 5) for c in combinations(range(4), n)]


@pytest.mark.parametrize("axes", AXES, ids=str)
@pytest.mark.parametrize("op", ["sum", "max", "min"])
@pytest.mark.parametrize("dtype", ["f64", "f32", "i32"])
def test_reductions_of_a_fused_value(same, axes: tuple[int, ...], op: str, dtype: str) -> None:
    rest = ",".join(str(n) for i, n in enumerate(SHAPE) if i not in axes)
    names = "(" + ",".join(map(str, axes)) + ")"
    text = f"""program f(%a: {dtype}[2,3,1,4]):
  %b: {dtype}[2,3,1,4] = mul %a %a
  %c: {dtype}[2,3,1,4] = neg %b
  %d: {dtype}[{rest}] = reduce_{op} %c axes={names}
  return %d"""
    values = np.random.default_rng(0).integers(-9, 9, SHAPE) / (1 if dtype == "i32" else 4)
    same(text, values)


def test_several_reductions_share_one_nest(same, avx2) -> None:
    """A total, sums along either axis, an extremum and a stored value, in one pass."""
    text = """program f(%a: f64[5,7]):
  %b: f64[5,7] = exp %a
  %s: f64[] = reduce_sum %b axes=(0,1)
  %r: f64[5] = reduce_sum %b axes=(1)
  %c: f64[7] = reduce_sum %b axes=(0)
  %m: f64[5] = reduce_max %b axes=(1)
  return %s %r %c %m %b"""
    # Rows; in them a vector, and the rest.
    assert emitted_text(from_text(text)).count("\nloop") == 3
    same(text, np.random.default_rng(0).normal(size=(5, 7)))


@pytest.mark.parametrize("op", ["and", "or"])
def test_logical_reductions(same, op: str) -> None:
    for axes, rest in (("(0)", "3"), ("(1)", "2"), ("(0,1)", "")):
        same(
            f"""program f(%a: f64[2,3]):
  %b: bool[2,3] = less %a 1.0e0:f64
  %c: bool[{rest}] = reduce_{op} %b axes={axes}
  return %c""",
            [[0.0, 2.0, 0.5], [0.0, 3.0, 1.5]],
        )


def test_nan_wins_every_extremum(same) -> None:
    for op in ("max", "min"):
        for place in range(9):
            x = np.arange(9.0)
            x[place] = np.nan
            (found,) = same(
                f"program f(%a: f64[9]):\n  %b: f64[] = reduce_{op} %a axes=(0)\n  return %b", x
            )
            assert np.isnan(found)


def test_long_sums_of_float32_do_not_drift() -> None:
    """A million times 0.1: a float32 accumulator is off by 1 %, this one by a rounding."""
    text = "program f(%a: f32[1000000]):\n  %b: f32[] = reduce_sum %a axes=(0)\n  return %b"
    found = compile_program(from_text(text))(np.full(1_000_000, 0.1, np.float32))[0]
    assert abs(float(found) / (1e6 * float(np.float32(0.1))) - 1) < 1e-7


@pytest.mark.parametrize(
    "line",
    [
        "%b: f64[99,64] = tanh %a\n  return %b",
        "%b: f64[99] = reduce_sum %a axes=(1)\n  return %b",
        "%b: f64[64] = reduce_sum %a axes=(0)\n  return %b",
        "%c: f64[99,64] = exp %a\n  %b: f64[] = reduce_sum %c axes=(0,1)\n  return %b",
        "%b: f64[] = reduce_max %a axes=(0,1)\n  return %b",
        "%r: f64[1,64] = slice %a start=(3,0) limit=(4,64) stride=(1,1)\n"
        "  %b: f64[1,64] = sqrt %r\n  return %b",
    ],
)
def test_loops_are_widened(line: str) -> None:
    """LLVM's vectoriser takes them: the arithmetic is on vectors of doubles."""
    text = emitted_text(from_text(f"program f(%a: f64[99,64]):\n  {line}"), stage="optimised")
    assert re.search(r"(fadd|fmul|call|fcmp)[a-z ]* <\d+ x double>", text)


def test_index_maps_compose(same) -> None:
    """A transposed, reversed, strided slice of a sum with a counter, read through a gather."""
    same(
        """program f(%a: f64[6,5], %i: i64[4,1]):
  %n: f64[6,5] = iota shape=(6,5) axis=1 dtype=f64
  %b: f64[6,5] = add %a %n
  %c: f64[5,6] = transpose %b permutation=(1,0)
  %d: f64[5,6] = reverse %c axes=(0,1)
  %e: f64[3,2] = slice %d start=(0,1) limit=(5,6) stride=(2,3)
  %g: f64[4,2] = gather %e %i
  %h: f64[2] = reduce_sum %g axes=(0)
  %p: f64[1,2] = reshape %h shape=(1,2)
  %q: f64[2] = reshape %p shape=(2)
  return %g %q""",
        np.arange(30.0).reshape(6, 5),
        [[0], [2], [9], [-1]],
    )


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 11, 12, 16, 30, 97, 1027])
@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize("name", ["exp", "neg"])
def test_short_loops_of_every_length(same, size: int, dtype: str, name: str) -> None:
    """Whole vectors, then the rest, dear or not; every sum goes on from the one to the other."""
    same(
        f"""program f(%a: {dtype}[{size}], %s: {dtype}[]):
  %b: {dtype}[{size}] = {name} %a
  %c: {dtype}[] = reduce_sum %b axes=(0)
  %m: {dtype}[] = reduce_max %b axes=(0)
  %p: {dtype}[{size}] = broadcast %s axes=(0) shape=({size})
  %d: {dtype}[{size}] = mul %b %p
  %e: {dtype}[] = reduce_sum %d axes=(0)
  return %b %c %d %e %m""",
        np.linspace(0.5, 1.5, size),
        3.0,
    )


@pytest.mark.parametrize("rows", [1_000_000, 1_000_001])
def test_float32_sums_of_a_million_rows(rows: int) -> None:
    """All rows count, in a total, in sums over rows, and in sums of products with rows."""
    rng = np.random.default_rng(1)
    x, w = rng.random((rows, 2), np.float32), rng.random(rows, np.float32)
    program = from_text(
        f"""program f(%x: f32[{rows},2], %w: f32[{rows}]):
  %e: f32[{rows}] = square %w
  %t: f32[] = reduce_sum %e axes=(0)
  %r: f32[2] = reduce_sum %x axes=(0)
  %p: f32[2] = dot_general %w %x contract=((0),(0)) batch=((),())
  %d: f32[] = dot_general %w %w contract=((0),(0)) batch=((),())
  return %t %r %p %d"""
    )
    total, sums, products, square = compile_program(program)(x, w)
    x, w = x.astype(np.float64), w.astype(np.float64)
    np.testing.assert_allclose(total, w @ w, rtol=1e-6)
    np.testing.assert_allclose(square, w @ w, rtol=1e-6)
    np.testing.assert_allclose(sums, x.sum(0), rtol=1e-6)
    np.testing.assert_allclose(products, w @ x, rtol=1e-6)


def test_sums_of_nothing_are_zero_in_float32_too(same) -> None:
    same(
        """program f(%x: f32[0,3], %y: f32[2,0]):
  %r: f32[3] = reduce_sum %x axes=(0)
  %c: f32[2] = reduce_sum %y axes=(1)
  return %r %c""",
        np.zeros((0, 3)),
        np.zeros((2, 0)),
    )


@pytest.mark.parametrize("rows", [3, 4, 11, 300])
@pytest.mark.parametrize("columns", [5, 8, 21])
@pytest.mark.parametrize("dtype", ["f64", "f32", "i32"])
def test_rows_are_added_to_totals_several_at_once(
    same, rows: int, columns: int, dtype: str
) -> None:
    """Where every row is also written in place, and the largest of a column is asked for too."""
    text = f"""program f(%a: {dtype}[{rows},{columns}], %w: {dtype}[{rows}]):
  %v: {dtype}[{rows},{columns}] = broadcast %w axes=(1) shape=({rows},{columns})
  %b: {dtype}[{rows},{columns}] = mul %a %v
  %s: {dtype}[{columns}] = reduce_sum %b axes=(0)
  %m: {dtype}[{columns}] = reduce_max %a axes=(0)
  return %b %s %m"""
    rng = np.random.default_rng(0)
    same(text, rng.integers(-9, 9, (rows, columns)), rng.integers(-9, 9, rows))


def test_totals_along_a_loop_in_the_middle(same) -> None:
    """Sums over the outermost and the innermost of three loops, beside sums that keep these."""
    text = """program f(%a: f64[5,8,16]):
  %b: f64[5,8,16] = mul %a %a
  %s: f64[8] = reduce_sum %b axes=(0,2)
  %t: f64[8,16] = reduce_sum %b axes=(0)
  %u: f64[5,16] = reduce_sum %b axes=(1)
  return %s %t %u"""
    same(text, np.random.default_rng(0).normal(size=(5, 8, 16)))
