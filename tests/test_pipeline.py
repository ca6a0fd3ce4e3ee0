"""compile runs passes and a backend; jit keeps what it compiled, and vanishes under a transform."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from bayesdl import pipeline
from bayesdl._base.config import config
from bayesdl._base.errors import ArgumentError, CompileError, ShapeError
from bayesdl.ir.program import Program, Var
from bayesdl.ops import numpy as bnp
from bayesdl.tracing import trace
from bayesdl.tracing.flow import scan
from bayesdl.transform.derived import grad, hessian, value_and_grad, vmap

BACKENDS = sorted(pipeline.BACKENDS)
X = np.linspace(0.1, 1.2, 5)


@pytest.fixture(params=BACKENDS)
def backend(request: Any, monkeypatch: Any) -> str:
    """Each backend in turn is the configured one."""
    monkeypatch.setattr(config, "backend", request.param)
    return str(request.param)


@pytest.fixture
def traces(monkeypatch: Any) -> list[str]:
    """The names of the Programs that `jit` has traced."""
    names: list[str] = []

    def counted(*args: Any, **kwargs: Any) -> Any:
        traced = trace(*args, **kwargs)
        names.append(traced.program.name)
        return traced

    monkeypatch.setattr(pipeline, "trace", counted)
    return names


# --- compile ----------------------------------------------------------------------------------


def test_both_backends_agree(backend: str) -> None:
    program = trace(lambda x: (bnp.tanh(x).sum(), x[::-1] * 2.0, bnp.argmax(x)), X).program
    exe = pipeline.compile(program)
    found = exe(X)
    np.testing.assert_allclose(found[0], np.tanh(X).sum(), rtol=1e-14)
    np.testing.assert_array_equal(found[1], X[::-1] * 2.0)
    assert (found[2].dtype, int(found[2])) == (np.int64, 4)


def test_times_are_told(backend: str) -> None:
    exe = pipeline.compile(trace(lambda x: x + 1.0, X).program)
    assert exe.timings["simplify"] >= 0.0


def test_tracing_and_deriving_are_told_apart() -> None:
    inner = trace(value_and_grad(lambda x: bnp.tanh(x).sum()), X).program
    timings = pipeline.compile(inner).timings
    assert timings["trace"] > 0.0
    assert timings["derive"] > 0.0
    lines = pipeline.compile(inner).timings_text().splitlines()
    assert [line.split()[0] for line in lines][:2] == ["trace", "derive"]
    assert lines[-1].startswith("sum")


def test_timings_and_code_are_printed_on_request(monkeypatch: Any, capsys: Any) -> None:
    program = trace(lambda x: x * 3.0, X, name="f").program
    monkeypatch.setattr(config, "dump", frozenset(["timings", "asm"]))
    pipeline.compile(program)
    printed = capsys.readouterr().err
    assert "--- timings of f\ntrace" in printed
    assert "--- asm\n" in printed


def test_backend_may_be_named() -> None:
    program = trace(lambda x: x + 1.0, X).program
    results = [pipeline.compile(program, backend=name)(X)[0] for name in BACKENDS]
    np.testing.assert_array_equal(results[0], results[1])


def test_unknown_backend() -> None:
    with pytest.raises(ArgumentError, match="no backend 'cuda'") as caught:
        pipeline.compile(trace(lambda x: x, X).program, backend="cuda")
    assert "interpret, llvm" in str(caught.value)
    assert caught.value.fix == 'use "llvm" or "interpret" (BAYESDL_BACKEND).'


def test_a_misspelt_backend_is_guessed(monkeypatch: Any) -> None:
    monkeypatch.setattr(config, "backend", "interpreter")
    with pytest.raises(ArgumentError, match="no backend 'interpreter'") as caught:
        pipeline.compile(trace(lambda x: x, X).program)
    assert caught.value.fix == 'use "interpret" (BAYESDL_BACKEND).'


def test_programs_are_checked_before_and_after_each_pass(monkeypatch: Any) -> None:
    bad = Program("bad", (), (), (Var(trace(lambda x: x, X).program.input_types[0]),))
    monkeypatch.setattr(pipeline, "PASSES", [("spoil", lambda p: bad)])
    with pytest.raises(CompileError, match="'bad' is not well formed"):
        pipeline.compile(trace(lambda x: x, X).program, backend="interpret")


def test_stages_are_printed_on_request(monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr(config, "dump", frozenset(["simplify"]))
    pipeline.compile(trace(lambda x: x * 1.0, X, name="f").program, backend="interpret")
    printed = capsys.readouterr().err
    assert printed == "--- simplify\nprogram f(%a: f64[5]):\n  return %a\n"


def test_a_misspelt_stage_is_refused(monkeypatch: Any) -> None:
    monkeypatch.setattr(config, "dump", frozenset(["trace", "simplif"]))
    with pytest.raises(ArgumentError) as caught:
        pipeline.compile(trace(lambda x: x, X).program, backend="interpret")
    passes = ", ".join(name for name, _ in pipeline.PASSES)
    assert str(caught.value).splitlines() == [
        "there is no stage 'simplif' of a compilation.",
        "    BAYESDL_DUMP  simplif,trace",
        f"    stages        trace, {passes}, fuse, plan, llvm, optimised, asm, timings",
        "  Fix: did you mean 'simplify'?",
        "  [A120]",
    ]


def test_every_stage_can_be_asked_for(monkeypatch: Any, capsys: Any) -> None:
    stages = ["trace", *(name for name, _ in pipeline.PASSES), *pipeline.CODE_STAGES, "timings"]
    monkeypatch.setattr(config, "dump", frozenset(stages))
    pipeline.compile(trace(lambda x: x + 1.0, X, name="f").program, backend="llvm")
    printed = capsys.readouterr().err
    assert all(f"--- {stage}" in printed for stage in stages)


# --- jit --------------------------------------------------------------------------------------


def test_jit_traces_once_per_types(backend: str, traces: list[str]) -> None:
    f = pipeline.jit(lambda x, n: bnp.exp(x).sum() * n)
    for x in (X, X + 1.0):
        np.testing.assert_allclose(f(x, 2), np.exp(x).sum() * 2, rtol=1e-14)
    assert len(traces) == 1
    f(X[:3], 2)
    f(X, 2.0)
    f(X.astype(np.float32), 2)
    assert len(traces) == 4


def test_jit_knows_the_default_dtype(traces: list[str]) -> None:
    f = pipeline.jit(lambda n: n * 0.5)
    assert f(3).dtype == np.float64
    with bnp.using_dtype(np.float32):
        assert f(3).dtype == np.float32
    assert len(traces) == 2


@dataclass(frozen=True)
class Pair:
    """A container with names."""

    __tree__: ClassVar[bool] = True
    left: Any
    right: Any


def test_containers_go_in_and_out(backend: str) -> None:
    @pipeline.jit
    def f(p, *, shift):
        return {"sum": p.left + p.right[0] + shift["by"], "pair": Pair(p.left * 2.0, None)}

    out = f(Pair(X, (X, None)), shift={"by": 1.0})
    np.testing.assert_allclose(out["sum"], 2 * X + 1.0)
    np.testing.assert_allclose(out["pair"].left, 2 * X)
    assert out["pair"].right is None
    assert f.__name__ == "f"


def test_structure_is_part_of_the_key(traces: list[str]) -> None:
    f = pipeline.jit(lambda d: sum(d.values()))
    assert f({"a": 1.0, "b": 2.0}) == 3.0
    assert f({"a": 1.0, "c": 2.0}) == 3.0
    assert len(traces) == 2


def test_jit_vanishes_under_transforms(backend: str) -> None:
    f = pipeline.jit(lambda x: (bnp.sin(x) * x).sum())
    wanted = np.cos(X) * X + np.sin(X)
    np.testing.assert_allclose(grad(f)(X), wanted, rtol=1e-13)
    np.testing.assert_allclose(vmap(pipeline.jit(bnp.sin))(X), np.sin(X), rtol=1e-15)
    np.testing.assert_allclose(np.diag(hessian(f)(X)), 2 * np.cos(X) - X * np.sin(X), rtol=1e-12)
    assert "call" not in repr(trace(f, X).program)


def test_transforms_are_compiled_inside(backend: str) -> None:
    value, found = pipeline.jit(value_and_grad(lambda x: (x**3).sum()))(X)
    np.testing.assert_allclose(value, (X**3).sum(), rtol=1e-14)
    np.testing.assert_allclose(found, 3 * X**2, rtol=1e-14)


def test_control_flow_is_compiled(backend: str) -> None:
    f = pipeline.jit(lambda x: scan(lambda c, v: (c * v + 1.0, c), 1.0, x))
    carry, ys = f(X)
    c, wanted = 1.0, []
    for v in X:
        wanted.append(c)
        c = c * v + 1.0
    np.testing.assert_allclose(carry, c, rtol=1e-14)
    np.testing.assert_allclose(ys, wanted, rtol=1e-14)


def test_captured_arrays_are_not_remembered() -> None:
    """A jitted closure is used in two traces; each sees its own array."""
    data: list[Any] = []
    f = pipeline.jit(lambda x: x * data[-1])

    def g(x, y):
        data.append(y)
        return f(x) + f(x)

    for y in (2.0, 3.0):
        assert pipeline.compile(trace(g, 1.0, y).program)(np.float64(5.0), np.float64(y)) == [
            10 * y
        ]


def test_constants_are_compiled_in(backend: str) -> None:
    table = np.arange(5.0)
    look_up = pipeline.jit(lambda i: bnp.take(table, i))
    np.testing.assert_array_equal(look_up(np.array([4, 0])), [4.0, 0.0])


def test_errors_come_from_the_trace() -> None:
    with pytest.raises(ShapeError) as caught:
        pipeline.jit(lambda x, y: x + y)(X, X[:2])  # this line
    assert "# this line" in str(caught.value)


def test_threads_may_share_one(backend: str) -> None:
    f = pipeline.jit(lambda x: bnp.cumsum(x * 2.0))
    results: list[Any] = [None] * 8

    def work(i: int) -> None:
        results[i] = [f(X + i) for _ in range(20)]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, found in enumerate(results):
        for x in found:
            np.testing.assert_allclose(x, np.cumsum((X + i) * 2.0), rtol=1e-14)
