"""Sums of softplus: logarithms of products, to the accuracy of the terms."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from bayesdl.ir.text import from_text
from bayesdl.lower.llvm import compile_program, emitted_text

SEED = 20261124
SIZES = [32, 33, 40, 255, 999, 1000, 1001, 1504, 5000]
# Σ (y x - softplus(x)) where y is known, else g, beside the slope: a Bernoulli's density.
DENSITY = """program f(%x: {t}[{n}], %y: {t}[{n}], %k: bool[{n}]):
  %a: {t}[{n}] = mul %x %y
  %s: {t}[{n}] = softplus %x
  %d: {t}[{n}] = sub %a %s
  %m: {t}[{n}] = where %k %d -2.5e-1:{t}
  %r: {t}[] = reduce_sum %m axes=(0)
  %p: {t}[{n}] = sigmoid %x
  return %r %p"""
PLAIN = """program f(%x: {t}[{n}]):
  %s: {t}[{n}] = softplus %x
  %r: {t}[] = reduce_sum %s axes=(0)
  return %r"""


def terms(x: Any) -> Any:
    """softplus in numbers of 64 bits of mantissa, where the machine has them."""
    x = np.asarray(x, np.longdouble)
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def plain(x: Any) -> float:
    kind = "f64" if x.dtype == np.float64 else "f32"
    return float(compile_program(from_text(PLAIN.format(t=kind, n=x.size)))(x)[0])


@pytest.mark.parametrize("kind", ["f64", "f32"])
@pytest.mark.parametrize("size", SIZES)
def test_a_bernoulli_density_is_that_of_the_interpreter(same, size: int, kind: str) -> None:
    rng = np.random.default_rng(SEED)
    x, y, known = 4 * rng.normal(size=size), rng.integers(0, 2, size), rng.random(size) < 0.8
    same(DENSITY.format(t=kind, n=size), x, y.astype(float), known)


@pytest.mark.parametrize("low", [-700.0, -300.0, -36.0, -20.0, -1.0, 0.0, 30.0])
@pytest.mark.parametrize("size", SIZES)
def test_small_terms_and_large_ones_keep_their_accuracy(size: int, low: float) -> None:
    """To 2e-14 and 2e-6 of the sum: what 62 roundings of one product may add up to, twice."""
    x = np.random.default_rng(SEED).uniform(low, low + 2.0, size)
    for values, bound in ((x, 2e-14), (np.maximum(x, -80).astype(np.float32), 2e-6)):
        truth = terms(values).sum()
        assert abs(plain(values) - truth) <= bound * truth


def test_all_factors_may_be_two() -> None:
    """2^1000 is a number of float64, and 2^1000 of float32 never arises."""
    for size in SIZES:
        for dtype, bound in ((np.float64, 1e-14), (np.float32, 1e-6)):
            assert abs(plain(np.zeros(size, dtype)) / (size * np.log(2.0)) - 1) < bound


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_odd_values(dtype: Any) -> None:
    x = np.full(100, -1e4, dtype)
    assert plain(x) == 0.0
    for place in (0, 37, 99):
        for value in (np.inf, np.nan):
            x[place] = value
            np.testing.assert_equal(plain(x), float(value))
            x[place] = -np.inf
        assert plain(x) == 0.0


def test_what_does_not_count_does_no_harm(same) -> None:
    x = np.linspace(-3.0, 3.0, 64)
    x[5], x[6] = np.nan, np.inf
    known = np.isfinite(x)
    same(DENSITY.format(t="f64", n=64), x, np.ones(64), known)


def test_sums_along_the_last_axis_with_both_signs(same) -> None:
    """A row's sum is kept; one softplus is added, one subtracted, one of neither axis."""
    text = """program f(%x: f64[3,70], %b: f64[3]):
  %s: f64[3,70] = softplus %x
  %n: f64[3,70] = neg %x
  %t: f64[3,70] = softplus %n
  %c: f64[3] = softplus %b
  %w: f64[3,70] = broadcast %c axes=(1) shape=(3,70)
  %d: f64[3,70] = sub %s %t
  %e: f64[3,70] = add %d %w
  %r: f64[3] = reduce_sum %e axes=(1)
  %a: f64[] = reduce_sum %e axes=(0,1)
  return %r %a"""
    rng = np.random.default_rng(SEED)
    same(text, rng.normal(size=(3, 70)), rng.normal(size=3))


def test_a_logarithm_is_taken_once_for_all_rows() -> None:
    """The loop over rows holds an exponential and the division of the slope, and no logarithm."""
    text = emitted_text(from_text(DENSITY.format(t="f64", n=1000)))
    calls = re.findall(r"call double @bdl\.(\w+)\.f64", text)
    assert sorted(calls) == ["decay", "log1p", "sigmoid"]


def test_terms_that_are_wanted_themselves_are_only_added() -> None:
    """Pointwise densities need every logarithm."""
    text = PLAIN.format(t="f64", n=100).replace("return %r", "return %r %s")
    calls = re.findall(r"call double @bdl\.(\w+)\.f64", emitted_text(from_text(text)))
    assert set(calls) == {"softplus"}
