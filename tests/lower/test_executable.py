"""Executables check what they are given, run anywhere, and leave nothing behind."""

from __future__ import annotations

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from bayesdl._base.errors import CapacityError, DtypeError, ShapeError
from bayesdl.ir.program import Program
from bayesdl.ir.text import from_text
from bayesdl.lower.interpret import interpret_program
from bayesdl.lower.llvm import compile_program

BACKENDS = [interpret_program, compile_program]


def program() -> Program:
    """Needs workspace: the tanh is stored, for two readers that go over it differently."""
    return from_text(
        """program f(%a: f64[3,4], %b: f64[4]):
  %c: f64[3,4] = tanh %a
  %d: f64[3] = dot_general %c %b batch=((),()) contract=((1),(0))
  %e: f64[4] = reduce_sum %c axes=(0)
  return %d %e"""
    )


def inputs() -> list[np.ndarray]:
    return [np.linspace(-1, 1, 12).reshape(3, 4), np.arange(4.0)]


def expected(a: np.ndarray, b: np.ndarray) -> list[np.ndarray]:
    return [np.tanh(a) @ b, np.tanh(a).sum(0)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_call_and_run_agree(backend) -> None:
    executable = backend(program())
    given = [np.empty(3), np.empty(4)]
    executable.run(inputs(), given)
    for returned, written, want in zip(
        executable(*inputs()), given, expected(*inputs()), strict=True
    ):
        np.testing.assert_allclose(returned, want, rtol=1e-14)
        np.testing.assert_array_equal(returned, written)


@pytest.mark.parametrize("backend", BACKENDS)
def test_gaps_are_closed_and_inputs_kept(backend) -> None:
    wide = np.arange(24.0).reshape(3, 8) / 24
    turned = np.asfortranarray(wide[:, ::2])
    before = turned.copy()
    first = backend(program())(turned, inputs()[1])
    np.testing.assert_allclose(first[0], expected(before, inputs()[1])[0], rtol=1e-14)
    np.testing.assert_array_equal(turned, before)


@pytest.mark.parametrize("backend", BACKENDS)
def test_bad_arguments(backend) -> None:
    executable, (a, b) = backend(program()), inputs()
    with pytest.raises(ShapeError, match="has 2 inputs, but 1 were given"):
        executable(a)
    with pytest.raises(ShapeError, match=r"input 1 .* has not the shape") as shape:
        executable(a, b[:3])
    assert "float64  (4,)" in str(shape.value)
    assert shape.value.code == "T109"
    with pytest.raises(DtypeError, match=r"input 0 .* has not the dtype") as dtype:
        executable(a.astype(np.float32), b)
    assert "x.astype('float64')" in str(dtype.value)
    with pytest.raises(ShapeError, match="has 2 outputs"):
        executable.run([a, b], [np.empty(3)])
    with pytest.raises(ShapeError, match="cannot be written in place"):
        executable.run([a, b], [np.empty(6)[::2], np.empty(4)])
    fixed = np.empty(4)
    fixed.flags.writeable = False
    with pytest.raises(ShapeError, match="cannot be written in place"):
        executable.run([a, b], [np.empty(3), fixed])


def test_timings_name_the_stages() -> None:
    timings = compile_program(program()).timings
    assert set(timings) == {"fuse", "plan", "emit", "optimise", "assemble", "link"}
    assert all(seconds >= 0 for seconds in timings.values())


@pytest.mark.parametrize("backend", BACKENDS)
def test_pickle_rebuilds(backend) -> None:
    copy = pickle.loads(pickle.dumps(backend(program())))
    assert type(copy) is type(backend(program()))
    np.testing.assert_allclose(copy(*inputs())[0], expected(*inputs())[0], rtol=1e-14)


def test_unpickled_in_another_process(tmp_path: Path) -> None:
    """The registry of primitives is full there before the Program is read."""
    place = tmp_path / "executable.pkl"
    place.write_bytes(pickle.dumps(compile_program(program())))
    code = (
        f"import pickle, numpy as np; f = pickle.load(open({str(place)!r}, 'rb')); "
        "print(f(np.zeros((3, 4)), np.ones(4))[0].tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[0.0, 0.0, 0.0]", done.stderr


def test_32_threads_share_one_executable() -> None:
    """Each has a workspace of its own: in a common one the stored values of two calls would mix."""
    text = "\n  ".join(
        [
            "program f(%a: f64[20000]):",
            "%b: f64[20000] = cumulative_sum %a axis=0 reverse=false",
            "%c: f64[20000] = cumulative_sum %b axis=0 reverse=true",
            "%d: f64[20000] = cumulative_sum %c axis=0 reverse=false",
            "return %d",
        ]
    )
    executable = compile_program(from_text(text))
    rng = np.random.default_rng(0)

    def work(x: np.ndarray) -> bool:
        want = interpret_program(executable.program)(x)[0]
        return all(np.allclose(executable(x)[0], want, rtol=1e-9) for _ in range(20))

    with ThreadPoolExecutor(32) as pool:
        assert all(pool.map(work, [rng.random(20_000) for _ in range(32)]))


def test_memory_is_flat_over_many_calls() -> None:
    """10⁵ calls: one forgotten array per call would be 10 MB."""
    executable, (a, b) = compile_program(program()), inputs()
    outputs = [np.empty(3), np.empty(4)]
    for _ in range(20_000):
        executable.run([a, b], outputs)
    before = _resident()
    for _ in range(100_000):
        executable.run([a, b], outputs)
    assert _resident() - before < 4 * 2**20


def _resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_what_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is allocated: the outputs alone would be 8 TB."""
    huge = from_text(
        "program f(%a: f64[1000000]):\n"
        "  %b: f64[1000000,1000000] = broadcast %a axes=(1) shape=(1000000,1000000)\n  return %b"
    )
    executable = compile_program(huge)
    with pytest.raises(CapacityError, match="the Program 'f' needs more memory") as caught:
        executable(np.zeros(1_000_000))
    assert "8000 GB" in str(caught.value)
    assert caught.value.code == "C104"


def test_kept_workspace_is_not_counted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    executable, (a, b) = compile_program(program()), inputs()
    executable.call_bytes = 2**40
    wanted: list[dict[str, int]] = []
    monkeypatch.setattr(
        "bayesdl.lower.executable.require_memory", lambda name, parts, present: wanted.append(parts)
    )
    executable(a, b)
    executable(a, b)
    executable.run([a, b], [np.empty(3), np.empty(4)])
    assert [w["outputs"] for w in wanted] == [56, 56, 0]
    assert wanted[0]["workspace"] > 0
    assert [w["workspace"] for w in wanted[1:]] == [0, 0]
