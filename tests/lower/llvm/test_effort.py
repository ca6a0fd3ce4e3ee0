"""What is used in several places gets all of LLVM's passes; what surrounds it, only if heavy."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bayesdl import pipeline
from bayesdl.lower.interpret import interpret_program
from bayesdl.lower.llvm import compile_program, effort
from bayesdl.lower.llvm.effort import ALL, HUGE, LEAST, MEDIUM, SHORT, SOME, parts
from bayesdl.lower.llvm.emit import Unit
from bayesdl.ops import numpy as bnp
from bayesdl.tracing import trace
from bayesdl.tracing.flow import scan, shared, while_loop


def program(size: int, twice: bool = True):
    """A sampler in small: a shared function in a loop, and arithmetic of its own around it."""
    density = shared(lambda x: (bnp.tanh(x) * bnp.exp(-x * x) + bnp.sin(x) - 0.1 * x).mean())

    def step(x, _):
        x = x + 0.01 * density(x) * bnp.cos(x)
        return (x - 0.01 * density(2.0 * x)) if twice else x, x.sum()

    traced = trace(lambda x: scan(step, x, bnp.arange(5)), np.linspace(0.0, 1.0, size)).program
    for _, transformation in pipeline.PASSES:
        traced = transformation(traced)
    return traced


def levels(compiled) -> list[int]:
    unit = Unit(compiled)
    unit.text()
    return [part.level for part in parts(unit)]


def test_a_small_surrounding_gets_little() -> None:
    assert levels(program(8)) == [ALL, LEAST]
    assert levels(program(SHORT)) == [ALL]
    assert levels(program(8, twice=False)) == [ALL]


def test_a_large_surrounding_of_long_functions_is_compiled_beside_them(monkeypatch) -> None:
    monkeypatch.setattr(effort, "LONG", 1)
    assert levels(program(SHORT)) == [ALL, ALL]
    test_parts_are_one_program(SHORT)


def trajectory(size: int):
    """Steps along a shared gradient, in a loop of their own, and arithmetic around that loop."""
    gradient = shared(lambda x: bnp.tanh(x) * bnp.exp(-x * x) - 0.1 * x)

    def draw(x, goal):
        x = bnp.exp(-x * x) + bnp.tanh(bnp.sin(x))
        x, v, _ = while_loop(
            lambda c: c[2] < goal,
            lambda c: (c[0] + 0.1 * c[1], c[1] - 0.1 * gradient(c[0]), c[2] + 1),
            (x, gradient(x), 0),
        )
        return x, (x * v).sum()

    traced = trace(lambda x: scan(draw, x, bnp.arange(4)), np.linspace(0.0, 1.0, size)).program
    for _, transformation in pipeline.PASSES:
        traced = transformation(traced)
    return traced


@pytest.mark.parametrize(("size", "around"), [(8, LEAST), (SHORT, SOME)])
def test_the_step_of_a_trajectory_is_hot_and_what_surrounds_it_is_not(size, around) -> None:
    compiled = trajectory(size)
    unit = Unit(compiled)
    unit.text()
    hot, rest = parts(unit)
    assert (hot.level, rest.level) == (ALL, around)
    assert unit.turns == (around == SOME)
    assert ("@program2(" in hot.text) == (around == SOME)
    x = np.linspace(-1.0, 2.0, size)
    for have, want in zip(
        compile_program(compiled)(x), interpret_program(compiled)(x), strict=True
    ):
        np.testing.assert_allclose(have, want, rtol=1e-12, atol=1e-12)


def test_long_functions_of_a_trajectory_are_compiled_side_by_side(monkeypatch) -> None:
    monkeypatch.setattr(effort, "LONG", 1)
    assert levels(trajectory(SHORT)) == [ALL, ALL, SOME]
    x, compiled = np.linspace(-1.0, 2.0, SHORT), trajectory(SHORT)
    for have, want in zip(
        compile_program(compiled)(x), interpret_program(compiled)(x), strict=True
    ):
        np.testing.assert_allclose(have, want, rtol=1e-12, atol=1e-12)


def test_clearing_an_array_is_not_a_heavy_loop() -> None:
    density = shared(lambda x: (bnp.tanh(x) * bnp.exp(-x * x) - 0.1 * x).mean())

    def fill():
        return bnp.zeros(10 * SHORT), density(bnp.ones(8)) + density(bnp.zeros(8) - 1.0)

    assert levels(trace(fill).program) == [ALL, LEAST]


def test_huge_loops_around_a_trajectory_get_all() -> None:
    assert levels(trajectory(HUGE)) == [ALL]


def test_many_threads_make_the_same_code_of_many_parts() -> None:
    programs = [program(size) for size in (8, 9, 10, 11)] * 8
    with ThreadPoolExecutor(32) as pool:
        found = list(pool.map(compile_program, programs))
    alone = [compile_program(p).native.codes for p in programs[:4]]
    assert all(len(codes) == 2 for codes in alone)
    for i, executable in enumerate(found):
        assert executable.native.codes == alone[i % 4]
        x = np.linspace(0.0, 1.0, 8 + i % 4)
        want = interpret_program(programs[i])(x)
        np.testing.assert_allclose(executable(x)[1], want[1], rtol=1e-12)


@pytest.mark.parametrize("size", [8, 33, 2000])
def test_parts_are_one_program(size: int) -> None:
    x = np.linspace(-1.0, 2.0, size)
    compiled = program(size)
    for have, want in zip(
        compile_program(compiled)(x), interpret_program(compiled)(x), strict=True
    ):
        np.testing.assert_allclose(have, want, rtol=1e-12, atol=1e-12)


def test_what_is_brief_is_light_and_the_same() -> None:
    x, compiled = np.linspace(-1.0, 2.0, 8), program(8)
    unit = Unit(compiled, brief=True)
    unit.text()
    assert [part.level for part in parts(unit)] == [LEAST]
    for have, want in zip(
        compile_program(compiled, brief=True)(x), interpret_program(compiled)(x), strict=True
    ):
        np.testing.assert_allclose(have, want, rtol=1e-12, atol=1e-12)


def test_light_code_calls_its_functions() -> None:
    unit = Unit(program(8))
    unit.text()
    hot, light = parts(unit)
    assert "alwaysinline" in hot.text
    assert "alwaysinline" not in light.text
    assert "noinline" in light.text


def test_products_of_a_surrounding_are_functions_and_stand_once_for_a_layout() -> None:
    density = shared(lambda x: (bnp.tanh(x) * bnp.exp(-x * x) - 0.1 * x).mean())

    def around(x, m):
        y = m @ (m @ m)
        return (density(x) + density(2.0 * x)) * y, y @ x, m @ y[0]

    x, m = np.linspace(0.0, 1.0, 20), np.random.default_rng(1).normal(size=(20, 20))
    compiled = trace(around, x, m).program
    unit = Unit(compiled)
    unit.text()
    hot, kernels, rest = parts(unit)
    assert (hot.level, kernels.level, rest.level) == (ALL, SOME, LEAST)
    # Of two square matrices, and of a matrix and a vector.
    assert kernels.text.count("define void @kernel") == 2
    assert rest.text.count("call void @kernel") == 4
    for have, want in zip(
        compile_program(compiled)(x, m), interpret_program(compiled)(x, m), strict=True
    ):
        np.testing.assert_allclose(have, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("turns", "level"), [(SHORT // 80, LEAST), (MEDIUM // 80, SOME), (MEDIUM, ALL)]
)
def test_a_surrounding_of_short_arrays_is_worth_its_longest_loop(turns: int, level: int) -> None:
    density = shared(lambda x: (bnp.tanh(x) * bnp.exp(-x * x) - 0.1 * x).mean())

    def around(x, n):
        # Integers are divided one by one, whatever the registers.
        rest = bnp.remainder(n, np.int64(7)) + bnp.floor_divide(n, np.int64(3))
        return density(x) + density(2.0 * x) + rest.sum()

    compiled = trace(around, np.zeros(8), np.arange(turns)).program
    assert levels(compiled)[-1] == level
