"""Innermost loops over registers: what is written, and that every length gives the same numbers."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl.ir.primitive import PRIMITIVES
from bayesdl.ir.program import Program
from bayesdl.ir.text import from_text
from bayesdl.lower.llvm import compile_program, emitted_text, mathlib
from bayesdl.lower.llvm.effort import LEAST, parts
from bayesdl.lower.llvm.emit import Unit
from bayesdl.lower.llvm.scalars import ALONE

LENGTHS = [2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65]


def mixed(n: int, dtype: str = "f64") -> str:
    """Arithmetic, a function, a condition, a value from outside and three sums."""
    return f"""program f(%a: {dtype}[{n}], %b: {dtype}[{n}], %s: {dtype}[]):
  %c: {dtype}[{n}] = broadcast %s axes=(0) shape=({n},)
  %d: bool[{n}] = less %a %b
  %e: {dtype}[{n}] = tanh %a
  %f: {dtype}[{n}] = div %c %b
  %g: {dtype}[{n}] = where %d %e %f
  %h: {dtype}[{n}] = sub %g %a
  %i: {dtype}[] = reduce_sum %h axes=(0)
  %j: bool[] = reduce_and %d axes=(0)
  %k: bool[] = reduce_or %d axes=(0)
  return %h %i %j %k"""


def data(n: int, dtype: str = "f64") -> list[np.ndarray]:
    rng = np.random.default_rng(n)
    kind = np.float64 if dtype == "f64" else np.float32
    return [rng.normal(size=n).astype(kind), 1 + rng.random(n).astype(kind), kind(0.7)]


@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize("n", LENGTHS)
def test_every_length_gives_the_interpreters_numbers(same, registers, n: int, dtype: str) -> None:
    for seed in range(2):
        a, b, s = data(n + 100 * seed, dtype)
        same(mixed(n, dtype), a[:n], b[:n], s)
    # All below, so that `and` is true as well.
    same(mixed(n, dtype), data(n, dtype)[0] - 5, data(n, dtype)[1], 0.5)


def test_a_short_loop_is_none(avx2) -> None:
    assert "\nloop" not in emitted_text(from_text(mixed(16)))
    assert "\nloop" in emitted_text(from_text(mixed(17)))


@pytest.mark.parametrize("n", [5, 40, 300])
def test_code_for_a_hurry_has_registers_in_its_loops(same, avx2, n: int) -> None:
    """What LLVM compiles without its loop passes is written with them."""
    program = from_text(mixed(n))
    unit = Unit(program, brief=True)
    unit.text()
    (part,) = parts(unit)
    assert part.level == LEAST
    assert "call <4 x double> @bdl.tanh.v4f64" in part.text
    assert ("\nloop" in part.text) is (n > 16)
    assert "reduce.fadd" in part.text


FUNCTIONS = sorted(n for n in mathlib.NAMES - ALONE if n in PRIMITIVES)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", ["f64", "f32"])
def test_every_function_of_several_numbers_has_the_bits_of_one(registers, name, dtype) -> None:
    names = "ab"[: mathlib.FUNCTIONS[name].arity]

    def program(shape: str) -> Program:
        kinds = ", ".join(f"%{x}: {dtype}[{shape}]" for x in names)
        given = " ".join(f"%{x}" for x in names)
        text = f"program f({kinds}):\n  %c: {dtype}[{shape}] = {name} {given}\n  return %c"
        return from_text(text)

    assert f"@bdl.{name}.v" in emitted_text(program("11"))
    special = np.array([0.0, -0.0, 1.0, -1.0, 0.3, 0.999, 5.0, -7.5, 30.0, np.inf, np.nan])
    arrays = [special, special[::-1] + 0.25][: len(names)]
    arrays = [x.astype(np.float64 if dtype == "f64" else np.float32) for x in arrays]
    one, several = (compile_program(program(shape)) for shape in ("", "11"))
    wanted = [one(*x)[0] for x in zip(*arrays, strict=True)]
    np.testing.assert_array_equal(several(*arrays)[0], wanted)


def test_integers_and_bits(same, registers) -> None:
    program = """program f(%a: i64[11], %b: i64[11]):
  %c: i64[11] = add %a %b
  %d: i64[11] = abs %c
  %e: i64[11] = neg %d
  %f: i64[11] = not %e
  %g: i64[11] = sign %f
  %h: i64[11] = shift_left %a %b
  %i: i64[11] = shift_right %a %b
  %j: i64[11] = max %a %b
  %k: f64[11] = convert %c dtype=f64
  %l: f64[11] = bitcast %a dtype=f64
  %m: i64[11] = bitcast %l dtype=i64
  return %d %e %f %g %h %i %j %k %m"""
    rng = np.random.default_rng(1)
    same(program, rng.integers(-(2**62), 2**62, 11), rng.integers(-3, 70, 11))


def test_integers_are_divided_one_by_one(same, registers) -> None:
    program = """program f(%a: i64[11], %b: i64[11]):
  %c: i64[11] = floor_div %a %b
  %d: i64[11] = remainder %a %b
  return %c %d"""
    rng = np.random.default_rng(2)
    same(program, rng.integers(-50, 50, 11), rng.integers(-4, 5, 11))


def test_what_is_not_in_a_row_is_left_to_loops(same, registers) -> None:
    program = """program f(%a: f64[6], %m: f64[5,6]):
  %b: f64[6] = reverse %a axes=(0)
  %c: f64[6] = add %a %b
  %t: f64[6,5] = transpose %m permutation=(1,0)
  %u: f64[6,5] = neg %t
  return %c %u"""
    same(program, np.arange(6.0), np.arange(30.0).reshape(5, 6))


@pytest.mark.parametrize("fill", ["0.0", "-0.0", "1.0"])
def test_zeros_are_cleared_and_minus_zero_is_kept(same, fill: str) -> None:
    program = f"""program f(%a: f64[7]):
  %b: f64[7] = broadcast {fill}:f64 axes=(0) shape=(7,)
  %c: f64[7] = broadcast {fill}:f64 axes=(0) shape=(7,)
  return %b %a"""
    text = emitted_text(from_text(program))
    assert ("llvm.memset" in text) is (fill == "0.0")
    found = same(program, np.arange(7.0))
    assert np.signbit(found[0]).all() == fill.startswith("-")
