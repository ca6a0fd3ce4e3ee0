"""The laws hold for Programs that nobody wrote: transforms, text and native code on random ones.

The seeds are fixed, so a test that passed passes again; `pytest -m slow` tries two thousand more.
"""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl.ir.check import check
from bayesdl.ir.primitive import PRIMITIVES
from bayesdl.ir.program import to_text
from bayesdl.ir.text import from_text
from bayesdl.ir.walk import subprograms
from bayesdl.lower.llvm import compile_program
from bayesdl.ops._bind import evaluate
from bayesdl.testing.laws import (
    backend_is_interpreter,
    batching_is_a_loop,
    check_derivatives,
    derived_programs,
    passes_keep_the_meaning,
    text_round_trip,
)
from bayesdl.testing.programs import SMOOTH, STYLES, random_program

FEW, MANY, CHUNK = 60, 2000, 50


def all_laws(seed: int, single: bool = False) -> None:
    style = STYLES[seed % len(STYLES)]
    style = style.single() if single else style
    program, variants = random_program(seed, 3 + seed % 20, style)
    rng = np.random.default_rng(seed)
    text_round_trip(check(program), variants[0])
    tasks = [(program, variants[0])]
    if style.smooth:
        check_derivatives(program, variants[0], rng)
        tasks += [(p, [*variants[0], *more]) for p, more in derived_programs(program, rng)]
    batched = tuple(bool(b) for b in rng.random(len(program.inputs)) < 0.6)
    if any(batched):
        tasks.append(batching_is_a_loop(program, variants, batched))
    passed = [(passes_keep_the_meaning(p, x), x) for p, x in tasks]
    # The backend must take Programs as they are written and as the passes leave them.
    backend_is_interpreter(passed if seed % 2 else tasks, compile_program)


@pytest.mark.parametrize("seed", range(FEW))
def test_laws(seed: int) -> None:
    all_laws(seed)


@pytest.mark.parametrize("seed", range(FEW // 3))
def test_laws_in_single_precision(seed: int) -> None:
    all_laws(seed, single=True)


@pytest.mark.slow
@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("start", range(FEW, FEW + MANY, CHUNK))
def test_laws_on_many(start: int, single: bool) -> None:
    for seed in range(start, start + CHUNK):
        all_laws(seed, single)


@pytest.mark.parametrize("seed", range(0, FEW, 6))
def test_derivatives_of_derivatives(seed: int) -> None:
    program, variants = random_program(seed, 3 + seed % 6, SMOOTH)
    rng = np.random.default_rng(seed)
    for derived, more in derived_programs(program, rng):
        check_derivatives(derived, [*variants[0], *more], rng)


def test_the_same_seed_gives_the_same_program() -> None:
    first, second = (random_program(7, 10)[0] for _ in range(2))
    assert to_text(first) == to_text(second)


@pytest.mark.parametrize("single", [False, True])
def test_the_programs_use_the_whole_language(single: bool) -> None:
    # A generator that stopped finding operands would let every law pass.
    styles = [s.single() if single else s for s in STYLES]
    used = {
        e.primitive.name
        for seed in range(300)
        for p in subprograms(random_program(seed, 20, styles[seed % 3])[0])
        for e in p.equations
    }
    assert used >= set(PRIMITIVES)


def test_most_outputs_are_finite_and_depend_on_the_inputs() -> None:
    finite = moved = total = 0
    for seed in range(30):
        program, (first, second, _) = random_program(seed, 15, SMOOTH)
        outputs = [[np.asarray(o) for o in evaluate(program, *x)] for x in (first, second)]
        for x, y in zip(*outputs, strict=True):
            total += 1
            finite += bool(np.all(np.isfinite(x)))
            moved += not np.array_equal(x, y)
    assert finite > 0.95 * total
    assert moved > 0.5 * total


LOOP = """program f(%a: f64[{width}]):
  %c: i64[], %d: f64[{width}] = while_loop 0:i64 %a body={{
    program body(%a: i64[], %b: f64[{width}]):
      %d: i64[] = add %a 1:i64
      %e: f64[{width}] = tanh %b
      return %d %e
  }} constants=0 test={{
    program test(%a: i64[], %b: f64[{width}]):
      %c: bool[] = less %a {turns}:i64
      return %c
  }}
  return %d"""


@pytest.mark.parametrize("width", [1, 3, 4, 5, 17])
@pytest.mark.parametrize("turns", [0, 2, 3, 9])
def test_a_native_loop_over_a_short_array_keeps_all_its_turns(width: int, turns: int) -> None:
    # Found by seed 66: a carry of exactly one vector, changed in place, lost three turns of four.
    program = from_text(LOOP.format(width=width, turns=turns))
    start = np.linspace(0.1, 1.0, width)
    np.testing.assert_allclose(
        compile_program(program)(start)[0], evaluate(program, start)[0], rtol=1e-12
    )
