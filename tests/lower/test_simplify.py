"""Simplifying keeps the meaning; the golden files show what it does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bayesdl.ir.check import check
from bayesdl.ir.primitive import PRIMITIVES
from bayesdl.ir.text import from_text, to_text
from bayesdl.ir.walk import count_equations, subprograms
from bayesdl.lower.simplify import simplify
from bayesdl.ops import numpy as bnp
from bayesdl.ops._bind import evaluate
from bayesdl.testing.programs import random_program
from bayesdl.tracing import trace
from bayesdl.tracing.flow import cond, scan, shared
from bayesdl.transform.derived import grad, vmap

SEEDS = range(40)


def same(found: list, wanted: list, rtol: float = 0.0) -> None:
    for x, y in zip(found, wanted, strict=True):
        assert (np.shape(x), np.asarray(x).dtype) == (np.shape(y), np.asarray(y).dtype)
        np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_programs_keep_their_meaning(seed: int) -> None:
    program, variants = random_program(seed, 25)
    short = check(simplify(program))
    assert (short.input_types, short.output_types) == (program.input_types, program.output_types)
    assert count_equations(short) <= count_equations(program)
    for inputs in variants:
        same(evaluate(short, *inputs), evaluate(program, *inputs), rtol=1e-13)


@pytest.mark.parametrize("seed", SEEDS)
def test_twice_is_once(seed: int) -> None:
    once = simplify(random_program(seed, 25)[0])
    assert to_text(simplify(once)) == to_text(once)


@pytest.mark.parametrize(
    "wrap", [grad, lambda f: vmap(grad(f)), lambda f: grad(lambda x: grad(f)(x).sum())]
)
def test_derived_programs_keep_their_meaning(wrap) -> None:
    """Derivatives are full of zeros, ones and broadcasts."""

    def f(x):
        y = bnp.tanh(x * 2.0) + bnp.where(x > 0.5, x, 1.0).sum()
        return scan(lambda c, v: (c * 0.5 + bnp.sin(v), None), 1.0, y)[0] + bnp.mean(y**2)

    x = (
        np.random.default_rng(0).random((2, 3))
        if "vmap" in wrap.__code__.co_names
        else np.linspace(0.1, 0.9, 3)
    )
    program = trace(wrap(f), x).program
    short = check(simplify(program))
    assert count_equations(short) < count_equations(program)
    same(evaluate(short, x), evaluate(program, x), rtol=1e-13)


@pytest.mark.parametrize(
    "x", [np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, 1.0])], ids=["special values"]
)
def test_special_values_keep_their_bits(x: np.ndarray) -> None:
    """Signed zeros, infinities and NaN tell apart what looks alike."""
    text = """program f(%a: f64[7]):
  %b: f64[7] = add %a 0.0e+00:f64
  %c: f64[7] = sub %a 0.0e+00:f64
  %d: f64[7] = sub %a -0.0e+00:f64
  %e: f64[7] = mul %a 1.0e+00:f64
  %f: f64[7] = mul %a 0.0e+00:f64
  %g: f64[7] = div %a 1.0e+00:f64
  %h: f64[7] = neg %a
  %i: f64[7] = neg %h
  %j: f64[7] = add %a -0.0e+00:f64
  return %b %c %d %e %f %g %i %j"""
    program = from_text(text)
    short = simplify(program)
    assert len(short.equations) < len(program.equations)
    for found, wanted in zip(evaluate(short, x), evaluate(program, x), strict=True):
        assert found.tobytes() == np.asarray(wanted).tobytes()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("inf", np.inf),
        ("nan", np.nan),
        ("1.0e+308", np.inf),
    ],
)
def test_sums_of_what_is_not_finite(text: str, value: float) -> None:
    program = from_text(
        f"program f():\n  %a: f64[4] = broadcast {text}:f64 axes=(0) shape=(4)\n"
        "  %b: f64[] = reduce_sum %a axes=(0)\n  return %b"
    )
    np.testing.assert_equal(evaluate(simplify(program))[0], value)


def test_integer_sums_wrap_as_they_did() -> None:
    program = from_text(
        "program f():\n  %a: i32[3] = broadcast 2147483647:i32 axes=(0) shape=(3)\n"
        "  %b: i32[] = reduce_sum %a axes=(0)\n  return %b"
    )
    same(evaluate(simplify(program)), evaluate(program))


def test_literals_do_not_stand_in_for_arrays() -> None:
    """The only operand that has the shape keeps it."""
    program = from_text(
        "program f(%p: bool[]):\n  %a: f64[4] = broadcast 2.0e+00:f64 axes=(0) shape=(4)\n"
        "  %b: bool[4] = broadcast %p axes=(0) shape=(4)\n"
        "  %c: f64[4] = where %b %a 1.0e+00:f64\n  %d: f64[4] = mul %a 1.0e+00:f64\n"
        "  return %c %d %a"
    )
    short = check(simplify(program))
    for p in (True, False):
        same(evaluate(short, np.bool_(p)), evaluate(program, np.bool_(p)))


def test_shared_programs_stay_shared() -> None:
    """A body that two equations call is simplified once and remains one object."""
    twice = shared(lambda v: bnp.sin(v) * 1.0)
    program = trace(
        lambda x: cond(x > 0.0, lambda v: twice(v), lambda v: twice(twice(v)), x), 0.5
    ).program
    short = simplify(program)
    calls = {
        id(e.params["program"])
        for p in subprograms(short)
        for e in p.equations
        if e.primitive.name == "call"
    }
    assert len(calls) == 1


def test_inputs_are_kept() -> None:
    program = simplify(trace(lambda x, y: x * 1.0, 1.0, 2.0).program)
    assert len(program.inputs) == 2
    assert program.outputs == program.inputs[:1]


def test_rewrites_name_primitives() -> None:
    """A rewrite of a primitive that was renamed would never run."""
    from_here = simplify.__globals__
    assert set(from_here["REWRITES"]) | set(from_here["RECASTS"]) <= set(PRIMITIVES)


TURNED = """program f(%x: f64[4,5], %y: f64[4,3]):
  %p: f64[5,3] = dot_general %x %y batch=((),()) contract=((0),(0))
  %t: f64[3,5] = transpose %p permutation=(1,0)
  return %t"""


def test_a_product_is_made_the_way_round_in_which_it_is_read() -> None:
    program = from_text(TURNED)
    short = simplify(program)
    assert [e.primitive.name for e in short.equations] == ["dot_general"]
    x, y = (np.random.default_rng(0).normal(size=(4, n)) for n in (5, 3))
    same(evaluate(short, x, y), evaluate(program, x, y), rtol=1e-14)


@pytest.mark.parametrize(
    ("change", "to"),
    [("return %t", "return %t %p"), ("batch=((),()) contract=((0),(0))", "")],
)
def test_a_product_that_is_read_both_ways_stays(change: str, to: str) -> None:
    """So does one of a batch, whose axes no swap of the operands puts in that order."""
    text = TURNED.replace(change, to)
    if not to:
        text = """program f(%x: f64[4,5], %y: f64[4,3]):
  %p: f64[4,5,3] = dot_general %x %y batch=((0),(0)) contract=((),())
  %t: f64[3,4,5] = transpose %p permutation=(2,0,1)
  return %t"""
    names = [e.primitive.name for e in simplify(from_text(text)).equations]
    assert names == ["dot_general", "transpose"]


@pytest.mark.parametrize(
    ("order", "left"), [((1, 0), ["dot_general"]), ((2, 0, 1), ["transpose", "dot_general"])]
)
def test_a_product_reads_a_transposed_operand_as_it_lies(order: tuple[int, ...], left: Any) -> None:
    """Unless the axes that stay would change places."""
    shape = (4, 5, 6)[: len(order)]
    turned = [shape[i] for i in order]

    def product(x: Any, y: Any) -> Any:
        return bnp.tensordot(bnp.transpose(x, order), y, axes=([len(order) - 2], [0]))

    values = [np.random.default_rng(0).normal(size=s) for s in (shape, (turned[-2], 3))]
    program = trace(product, *map(bnp.type_of, values)).program
    short = simplify(program)
    assert [e.primitive.name for e in short.equations] == left
    same(evaluate(short, *values), evaluate(program, *values), rtol=1e-14)
