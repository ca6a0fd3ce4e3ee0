"""Subnormal numbers as zeros, while a Program runs that may take them so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl._base.config import config
from bayesdl.infer import run as loop
from bayesdl.ir.text import from_text
from bayesdl.lower.llvm import cache, compile_program
from bayesdl.lower.llvm.machine import is_x86
from bayesdl.pipeline import compile

needs_x86 = pytest.mark.skipif(not is_x86(), reason="other processors have no such switches")
HALVES = """program f(%a: {t}[8]):
  %b: {t}[8] = mul %a 5.0e-01:{t}
  return %b"""
SUMS = """program f(%x: f64[60000,30], %w: f64[30], %k: f64[]):
  %a: f64[60000] = dot_general %x %w batch=((),()) contract=((1),(0))
  %b: f64[60000] = exp %a
  %c: f64[60000] = broadcast %k axes=(0) shape=(60000)
  %d: f64[60000] = mul %b %c
  %s: f64[] = reduce_sum %d axes=(0)
  %g: f64[30] = dot_general %d %x batch=((),()) contract=((0),(0))
  return %s %g"""


def least(dtype: type) -> np.ndarray:
    return np.full(8, np.finfo(dtype).tiny, dtype)


@needs_x86
@pytest.mark.parametrize(("kind", "dtype"), [("f64", np.float64), ("f32", np.float32)])
def test_results_and_operands_that_are_subnormal_count_as_zero(kind: str, dtype: type) -> None:
    program, numbers = from_text(HALVES.format(t=kind)), least(dtype)
    half = numbers / 2
    assert half.all()
    np.testing.assert_array_equal(compile_program(program)(numbers)[0], half)
    np.testing.assert_array_equal(compile_program(program, flushes=True)(numbers)[0], 0.0)
    doubled = from_text(HALVES.format(t=kind).replace("5.0e-01", "4.0e+00"))
    np.testing.assert_array_equal(compile_program(doubled, flushes=True)(half)[0], 0.0)


def test_the_thread_is_left_as_it_was() -> None:
    compile_program(from_text(HALVES.format(t="f64")), flushes=True)(least(np.float64))
    assert (least(np.float64) / 2).all()


@needs_x86
def test_helpers_do_as_the_thread_that_they_help() -> None:
    """Terms of which each is subnormal, dealt out in shares: all of them count as zero."""
    executable = compile(from_text(SUMS), flushes=True)
    x = np.random.default_rng(0).normal(size=(60_000, 30))
    inputs = x, np.zeros(30), np.asarray(np.finfo(float).tiny / 2)
    assert executable.native.shares
    for helpers in (0, 1, 3):
        with executable.helped(helpers):
            for _ in range(20):
                total, slope = executable(*inputs)
                assert total == 0.0
                assert not slope.any()
    assert compile(from_text(SUMS))(*inputs)[0] > 0.0


@needs_x86
def test_the_cache_tells_the_two_apart(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    program = from_text(HALVES.format(t="f64"))
    monkeypatch.setattr(config, "cache", str(tmp_path))
    monkeypatch.setattr(cache, "STARTED", float("inf"))
    for flushes, left in ((False, 8), (True, 0), (False, 8)):
        found = compile(program, flushes=flushes)(least(np.float64))[0]
        assert np.count_nonzero(found) == left


@pytest.mark.parametrize(("method", "flushes"), [("mc_dropout", True), ("hmc", False)])
def test_optimisations_flush_and_chains_do_not(
    monkeypatch: pytest.MonkeyPatch, method: str, flushes: bool
) -> None:
    """Adam's means of a unit without a gradient decay, a factor a step."""

    def net(x: Any, y: Any = None) -> None:
        f = nn.MLP((5,), 1, activation="relu")(x)[:, 0]
        bdl.sample("y", dist.Normal(f, 1.0), obs=y)

    seen, real = [], loop.pipeline.begin

    def noted(*args: Any, **settings: Any) -> Any:
        seen.append(settings.get("flushes", False))
        return real(*args, **settings)

    monkeypatch.setattr(loop.pipeline, "begin", noted)
    x = np.random.default_rng(0).normal(size=(20, 2))
    bdl.fit(
        net, x, x[:, 0], method=method, draws=20, tune=20, chains=2, random_seed=0,
        progressbar=False,
    )  # fmt: skip
    assert seen[0] is flushes
