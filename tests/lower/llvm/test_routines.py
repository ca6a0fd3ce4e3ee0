"""Sorting, positions of extrema, cumulative sums, random bits: NumPy and published numbers."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl.ir.text import from_text
from bayesdl.lower.llvm import compile_program
from bayesdl.ops import random
from bayesdl.ops.random.bits import random_bits


@pytest.mark.parametrize("n", [1, 2, 3, 7, 64, 1000, 1025])
@pytest.mark.parametrize("dtype", ["f64", "f32", "i64", "i32", "u64", "bool"])
def test_argsort_is_stable_with_nan_last(same, n: int, dtype: str) -> None:
    rng = np.random.default_rng(n)
    x = rng.integers(0, max(2, n // 4), n).astype({"f": float, "b": bool}.get(dtype[0], int))
    if dtype[0] == "f":
        x[rng.random(n) < 0.1] = np.nan
        x[rng.random(n) < 0.1] = -np.inf
    same(f"program f(%a: {dtype}[{n}]):\n  %b: i64[{n}] = argsort %a axis=0\n  return %b", x)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_argsort_along_any_axis(same, axis: int) -> None:
    x = np.random.default_rng(0).integers(0, 3, (3, 4, 5))
    same(f"program f(%a: i64[3,4,5]):\n  %b: i64[3,4,5] = argsort %a axis={axis}\n  return %b", x)


@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_positions_of_extrema(same, name: str) -> None:
    """The first of equals; the first NaN where there is one."""
    for x in (
        [1.0, 3.0, 3.0, 0.0],
        [2.0, np.nan, 9.0, np.nan],
        [np.nan] * 4,
        [0.0, -0.0, 0.0, -0.0],
    ):
        same(f"program f(%a: f64[4]):\n  %b: i64[] = {name} %a axis=0\n  return %b", x)
    same(
        f"program f(%a: u32[2,3]):\n  %b: i64[3] = {name} %a axis=0\n  return %b",
        [[1, 2**31, 3]] * 2,
    )


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("reverse", ["true", "false"])
def test_cumulative_sums(same, axis: int, reverse: str) -> None:
    for dtype in ("f64", "f32", "i32"):
        same(
            f"program f(%a: {dtype}[3,4,5]):\n"
            f"  %b: {dtype}[3,4,5] = cumulative_sum %a axis={axis} reverse={reverse}\n  return %b",
            np.random.default_rng(0).integers(-9, 9, (3, 4, 5)),
        )


def bits(shape: str, key: list[int], domain: int = 0) -> np.ndarray:
    text = (
        f"program f(%k: u32[2]):\n  %b: u64[{shape}] = random_bits %k domain={domain} "
        f"shape=({shape})\n  return %b"
    )
    return compile_program(from_text(text))(np.array(key, np.uint32))[0]


def test_philox_is_the_published_one() -> None:
    """First block of zero key and zero counter, from the authors' known answers (kat_vectors)."""
    words = [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    found = bits("2", [0, 0])
    assert found.tolist() == [words[0] | words[1] << 32, words[2] | words[3] << 32]
    assert bits("", [0, 0]) == found[0]


@pytest.mark.parametrize("shape", ["", "1", "2", "7", "3,5", "0", "131"])
@pytest.mark.parametrize("domain", [0, 3])
def test_random_bits(same, shape: str, domain: int) -> None:
    same(
        f"""program f(%k: u32[2], %l: u32[4,2]):
  %b: u64[{shape}] = random_bits %k domain={domain} shape=({shape})
  %c: u64[4{"," + shape if shape else ""}] = random_bits %l domain={domain} shape=({shape})
  %d: u32[4{"," + shape if shape else ""}] = random_bits %l domain={domain} shape=({shape}) width=32
  return %b %c %d""",
        [2**32 - 1, 12345],
        np.arange(8).reshape(4, 2),
    )


@pytest.mark.parametrize("width", [64, 32])
@pytest.mark.parametrize("first", [0, 1, 2**32 - 1, 2**32 + 5])
def test_bits_from_a_block_on(same, first: int, width: int) -> None:
    """For one key, for many with one number, and for many with one each."""
    words = f"domain=0 shape=(7) width={width}"
    same(
        f"""program f(%k: u32[2], %l: u32[3,2], %f: u64[], %g: u64[3]):
  %b: u{width}[7] = random_bits %k %f {words}
  %c: u{width}[3,7] = random_bits %l %f {words}
  %d: u{width}[3,7] = random_bits %l %g {words}
  %e: u{width}[] = random_bits %k %f domain=0 shape=() width={width}
  return %b %c %d %e""",
        [2**32 - 1, 12345],
        np.arange(6).reshape(3, 2),
        first,
        [first, 0, 3],
    )


@pytest.mark.parametrize("width", [64, 32])
def test_a_block_begins_where_those_before_it_end(width: int) -> None:
    each = 128 // width
    key = random.key(3)
    whole = random.bits(key, (12, each), width)
    part = random_bits(key, np.uint64(5), shape=(7, each), domain=0, width=width)
    np.testing.assert_array_equal(part, whole[5:])


def test_more_bits_begin_with_fewer() -> None:
    long = bits("101", [7, 8])
    assert (bits("50", [7, 8]) == long[:50]).all()
    assert np.unique(long).size == 101
