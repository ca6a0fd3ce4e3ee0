"""Chapters: a long Program as functions of bounded length computes what it did as one."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl import pipeline
from bayesdl.bench.compiling import CASES
from bayesdl.ir.types import ArrayType
from bayesdl.ir.walk import subprograms
from bayesdl.lower.interpret import interpret_program
from bayesdl.lower.llvm import chapters, compile_program, effort
from bayesdl.lower.llvm.emit import Unit
from bayesdl.model.density import build_density
from bayesdl.ops import numpy as bnp
from bayesdl.testing.laws import backend_is_interpreter
from bayesdl.testing.programs import STYLES, random_program
from bayesdl.tracing import trace
from bayesdl.tracing.flow import cond, scan, shared
from bayesdl.transform.derived import value_and_grad


@pytest.fixture
def a_chapter_each_step(monkeypatch) -> None:
    monkeypatch.setattr(chapters, "LONG", 0)
    monkeypatch.setattr(chapters, "LINES", 1)


def recursion(steps: int):
    """A recursion written out, and its gradient."""

    def end(x):
        state = x
        for i in range(steps):
            state = bnp.tanh(x * state + i / steps) * state.sum()
        return -bnp.sum(state**2)

    traced = trace(value_and_grad(end), np.linspace(0.1, 0.3, 8)).program
    for _, transformation in pipeline.PASSES:
        traced = transformation(traced)
    return traced


def functions(program) -> list[str]:
    unit = Unit(program)
    unit.text()
    return unit.module.functions


def test_only_long_programs_have_chapters() -> None:
    assert len(functions(recursion(10))) == 1
    long = functions(recursion(400))
    assert len(long) > 4
    assert max(f.count("\n") for f in long) < 2 * chapters.LINES


def written(case: str, part: float) -> tuple[int, Unit]:
    """Equations as traced, and the code, of a gradient of ``bayesdl bench compile``."""
    model, size = CASES[case]
    density = build_density(model, (int(size * part),), {})
    position = ArrayType((density.dim,), density.dtype)
    program = trace(value_and_grad(density.function), position, *density.data).program
    count = sum(len(p.equations) for p in subprograms(program))
    for _, transformation in pipeline.PASSES:
        program = transformation(program)
    unit = Unit(program)
    unit.text()
    return count, unit


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.parametrize("case", CASES)
def test_models_of_thousands_of_equations_are_chapters_of_bounded_length(case: str) -> None:
    """300 scalar sites, and a recursion of 700 steps: twice the size is twice the chapters, none
    longer, in no more modules. LLVM's time is then linear in the size."""
    (fewer, half), (count, whole) = written(case, 0.5), written(case, 1.0)
    assert count > 5000
    assert count < 2.1 * fewer
    lines = [[f.count("\n") for f in unit.module.functions] for unit in (half, whole)]
    assert max(map(max, lines)) < 2 * chapters.LINES
    assert sum(lines[1]) < 2.2 * sum(lines[0])
    assert half.chapters > 1
    assert 1.5 * half.chapters <= whole.chapters <= 2.5 * half.chapters
    assert len(effort.parts(whole)) <= effort.VOLUMES + 1


def test_chapters_are_the_program(same) -> None:
    same(recursion(300), np.linspace(-0.2, 0.3, 8))


@pytest.mark.usefixtures("a_chapter_each_step")
def test_numbers_cross_chapters(same) -> None:
    def f(x, y, k):
        total, large = x.sum(), k > 3
        z = bnp.where(large, y, -y) + total
        i = k + z.argmax()
        return bnp.cumsum(z) * y, total * y, large, i, (z * total).max(), k, y

    program = trace(f, np.zeros(5), np.zeros(()), np.zeros((), np.int64)).program
    assert len(functions(program)) > 3
    for k in (2, 7):
        same(program, [0.5, -1.0, 2.0, 0.25, 3.0], 1.5, k)


@pytest.mark.usefixtures("a_chapter_each_step")
def test_chapters_within_loops_and_branches(same) -> None:
    inner = shared(lambda x, y: (bnp.tanh(x) * y).sum())

    def step(c, row):
        x, n = c
        s = inner(x, row) + inner(row, x)
        x = cond(s > 0.1, lambda: x * s + bnp.sort(row), lambda: bnp.cumsum(x) - s)
        return (x / (1.0 + bnp.abs(x).max()), n + 1), (x[0] + s, x)

    program = trace(lambda x, rows: scan(step, (x, 0), rows), np.zeros(4), np.zeros((6, 4)))
    rng = np.random.default_rng(3)
    same(program.program, rng.standard_normal(4), rng.standard_normal((6, 4)))


@pytest.mark.usefixtures("a_chapter_each_step")
@pytest.mark.parametrize("seed", range(40))
def test_random_programs_in_chapters(seed: int) -> None:
    style = STYLES[seed % len(STYLES)]
    program, variants = random_program(seed, 3 + seed % 20, style.single() if seed % 2 else style)
    backend_is_interpreter([(program, variants[0])], compile_program)


def test_chapters_are_compiled_in_a_few_modules_that_are_one_program(monkeypatch) -> None:
    program = recursion(150)
    monkeypatch.setattr(chapters, "LINES", 200)
    monkeypatch.setattr(chapters, "LONG", 100)
    monkeypatch.setattr(effort, "LONG", 300)
    unit = Unit(program)
    unit.text()
    parts = effort.parts(unit)
    assert unit.chapters > effort.VOLUMES
    assert len(parts) == effort.VOLUMES + 1
    x = np.linspace(0.1, 0.3, 8)
    codes = [compile_program(program).native.codes for _ in range(2)]
    assert codes[0] == codes[1]
    for have, want in zip(compile_program(program)(x), interpret_program(program)(x), strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-12)
