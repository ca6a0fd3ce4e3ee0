"""The disk cache: a second process compiles nothing, and nothing wrong is ever loaded."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bayesdl import pipeline
from bayesdl._base.config import config
from bayesdl.bench.models import CASES
from bayesdl.ir.primitive import PRIMITIVES, Primitive
from bayesdl.ir.program import Equation, Program
from bayesdl.ir.text import from_text
from bayesdl.ir.types import ArrayType
from bayesdl.lower.llvm import cache, lowering, machine
from bayesdl.lower.llvm.native import Native
from bayesdl.model.density import build_density
from bayesdl.ops import numpy as bnp
from bayesdl.tracing import trace
from bayesdl.transform.derived import value_and_grad

X = np.linspace(-1.0, 1.0, 40)
TABLE = np.arange(40.0) ** 2


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of its own for each test, and a process that has not warned."""
    monkeypatch.setattr(config, "cache", str(tmp_path / "cache"))
    cache._warn.cache_clear()
    yield tmp_path / "cache"
    cache._warn.cache_clear()


def program(scale: float = 1.0) -> Program:
    """With a table of constants, scratch space, and a library routine."""

    def f(x):
        rows = bnp.outer(bnp.tanh(x * scale), x + TABLE)
        return rows @ bnp.ones((40, 30)), bnp.linalg.cholesky(rows @ rows.T + 50.0 * bnp.eye(40))

    return trace(f, X).program


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*")) if folder.exists() else []


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on whoever compiles fails."""

    def fail(*args: object) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setattr(lowering, "begin_program", fail)


def test_compiled_once(folder: Path, request: pytest.FixtureRequest) -> None:
    cold = pipeline.compile(program())
    assert len(files(folder)) == 1
    assert {"simplify", "fuse", "plan", "emit", "optimise", "assemble", "link"} <= set(cold.timings)
    request.getfixturevalue("no_compiler")
    warm = pipeline.compile(program())
    assert set(warm.timings) == {"trace", "recall", "link"}
    for have, want in zip(warm(X), cold(X), strict=True):
        np.testing.assert_array_equal(have, want)
    copy = pickle.loads(pickle.dumps(warm))
    np.testing.assert_array_equal(copy(X)[0], cold(X)[0])


def test_other_programs_are_other_entries(folder: Path) -> None:
    for scale in (1.0, 2.0, 1.0):
        found = pipeline.compile(program(scale))(X)[0]
        np.testing.assert_allclose(found, pipeline.compile(program(scale), "interpret")(X)[0])
    assert len(files(folder)) == 2


def test_code_made_quickly_is_another_entry(folder: Path) -> None:
    quick, best = (pipeline.compile(program(), brief=b)(X)[0] for b in (True, False))
    assert len(files(folder)) == 2
    np.testing.assert_allclose(quick, best, rtol=1e-13)


def test_an_entry_of_another_format_is_rebuilt(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its digest is right, but a field is missing that this version has."""
    with monkeypatch.context() as m:
        m.setattr(Native, "to_bytes", lambda self: (2).to_bytes(8, "little") + b"{}")
        want = pipeline.compile(program())(X)
    (path,) = files(folder)
    assert path.stat().st_size < 100
    assert "optimise" in pipeline.compile(program()).timings
    again = pipeline.compile(program())
    assert "recall" in again.timings
    np.testing.assert_array_equal(again(X)[0], want[0])


@pytest.mark.parametrize("damage", ["cut", "bit", "foreign"])
def test_a_damaged_file_is_rebuilt(folder: Path, damage: str) -> None:
    want = pipeline.compile(program())(X)
    (path,) = files(folder)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    path.write_bytes({"cut": whole[:-100], "bit": flipped, "foreign": b"\x7fELF" * 99}[damage])
    np.testing.assert_array_equal(pipeline.compile(program())(X)[0], want[0])
    assert path.read_bytes()[-200:] == whole[-200:]


def test_a_file_under_a_wrong_name_is_rebuilt(folder: Path) -> None:
    """Its content is sound, but it is another Program's."""
    pipeline.compile(trace(lambda x: x * 3.0, X).program)
    (other,) = files(folder)
    key = cache.key(program())
    other.rename(folder / f"{key}.bdl")
    want = pipeline.compile(program(), "interpret")(X)
    np.testing.assert_allclose(pipeline.compile(program())(X)[0], want[0])
    assert "recall" in pipeline.compile(program()).timings


def test_off(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "cache", "off")
    pipeline.compile(program())
    assert cache.store() is None
    assert not folder.exists()


def test_dumps_are_not_skipped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline.compile(program())
    monkeypatch.setattr(config, "dump", frozenset(["simplify"]))
    pipeline.compile(program())
    assert "--- simplify" in capsys.readouterr().err


def test_an_unwritable_folder_warns_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(config, "cache", str(tmp_path / "file" / "cache"))
    with pytest.warns(RuntimeWarning, match="compiled code cannot be kept in"):
        first = pipeline.compile(program())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second = pipeline.compile(program(2.0))
    assert np.isfinite(first(X)[0]).all()
    assert np.isfinite(second(X)[0]).all()


def test_the_key_knows_processor_and_maker(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {cache.key(program())}
    with monkeypatch.context() as m:
        m.setattr(config, "cpu", "core2")
        keys.add(cache.key(program()))
    with monkeypatch.context() as m:
        m.setattr(cache, "_maker", lambda: b"another code generator")
        keys.add(cache.key(program()))
    with monkeypatch.context() as m:
        m.setattr(cache, "description", lambda: "another LLVM")
        keys.add(cache.key(program()))
    assert len(keys) == 4
    assert None not in keys


def test_nothing_is_kept_while_the_package_is_edited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "STARTED", 0.0)
    assert cache._maker.__wrapped__() is None
    monkeypatch.setattr(cache, "_maker", lambda: None)
    assert cache.key(program()) is None


def test_every_source_of_the_compiler_counts() -> None:
    names = {os.path.relpath(p, cache._PACKAGE).replace(os.sep, "/") for p in cache._sources()}
    for name in ("pipeline.py", "ops/elementwise.py", "lower/simplify.py", "lower/llvm/emit.py"):
        assert name in names
    assert all(name.endswith(".py") for name in names)


def test_a_users_own_primitive_is_not_kept() -> None:
    """Its rule is code that the key does not cover."""
    (exp,) = trace(lambda x: bnp.exp(x), X).program.equations
    mine = Primitive(
        "mine", exp.primitive.type, np.exp, elementwise=True, llvm=lambda b, x: b.exp(x)
    )
    equation = Equation(mine, exp.inputs, {}, exp.outputs)
    assert cache.key(Program("f", exp.inputs, (equation,), exp.outputs)) is None
    assert "mine" not in PRIMITIVES


SCRIPT = """
import sys, numpy as np
from bayesdl import pipeline
from bayesdl.ir.text import from_text
import bayesdl.lower.executable
exe = pipeline.compile(from_text(open({0!r}).read()))
emitter = "bayesdl.lower.llvm.emit" in sys.modules
print(sorted(exe.timings)[0], exe(np.arange(3.0))[0].tolist(), emitter)
"""
TEXT = "program f(%a: f64[3]):\n  %b: f64[3] = add %a 1.0:f64\n  return %b"


def test_two_processes_at_once_leave_one_entry(folder: Path, tmp_path: Path) -> None:
    """And a third one loads it, without the code that writes code."""
    (tmp_path / "program.txt").write_text(TEXT)
    code = SCRIPT.format(str(tmp_path / "program.txt"))
    env = {**os.environ, "BAYESDL_CACHE": str(folder), "BAYESDL_CHECK": "0"}
    both = [
        subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in both:
        assert "[1.0, 2.0, 3.0]" in process.communicate(timeout=120)[0]
    assert len(files(folder)) == 1
    third = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    assert third.stdout.split() == ["link", "[1.0,", "2.0,", "3.0]", "False"]


def test_code_for_a_processor_without_avx(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither AVX nor fused products: everything is still right."""
    want = pipeline.compile(program(), "interpret")(X)
    monkeypatch.setattr(config, "cpu", "x86-64")
    if not machine.target_machine().triple.startswith("x86_64"):
        pytest.skip("another kind of processor")
    found = pipeline.compile(program())(X)
    for have, expected in zip(found, want, strict=True):
        np.testing.assert_allclose(have, expected, rtol=1e-9, atol=1e-9)
    assert "ymm" not in lowering.emitted_text(from_text(TEXT), "asm")


# Instructions of AVX and its successors have names that begin with a v; their registers are wider.
ENCODED = re.compile(r"^\s+v[a-z0-9]+\s.*%[xyz]mm|%[yz]mm", re.M)


@pytest.mark.parametrize("name", ["hierarchical", "network_one"])
def test_a_models_gradient_has_no_instruction_of_avx(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    case = CASES[name]
    density = build_density(case.model, case.arguments(), {})
    position = ArrayType((density.dim,), density.dtype)
    gradient = trace(value_and_grad(density.function), position, *density.data).program
    for _, transformation in pipeline.PASSES:
        gradient = transformation(gradient)
    if "+avx2" in machine.features():
        assert len(ENCODED.findall(lowering.emitted_text(gradient, "asm"))) > 100
    monkeypatch.setattr(config, "cpu", "x86-64")
    if not machine.target_machine().triple.startswith("x86_64"):
        pytest.skip("another kind of processor")
    text = lowering.emitted_text(gradient, "asm")
    assert text.count("%xmm") > 100
    assert ENCODED.findall(text) == []
