"""Shares of a loop over rows: whoever takes them, the bits are the same."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist, pipeline
from bayesdl._base.config import config
from bayesdl.ir.check import check
from bayesdl.ir.text import from_text
from bayesdl.lower import tile as tiles
from bayesdl.lower.interpret import interpret_program
from bayesdl.lower.llvm import compile_program, crew, optimise
from bayesdl.lower.llvm.native import Native, NativeExecutable

# 17 blocks of four rows: two for each of eight shares, then one block and three rows.
PROGRAM = """program f(%x: f64[71,3], %y: f32[71], %w: f64[3], %n: i64[]):
  %m: f64[71] = dot_general %x %w batch=((),()) contract=((1),(0))
  %e: f64[71] = exp %m
  %s: f64[] = reduce_sum %e axes=(0)
  %g: f64[3] = dot_general %e %x batch=((),()) contract=((0),(0))
  %f: f32[] = reduce_sum %y axes=(0)
  %k: i64[71] = broadcast %n axes=(0) shape=(71)
  %i: i64[] = reduce_sum %k axes=(0)
  return %s %g %f %i"""


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of four rows, and shares of one block or more."""
    values = {"CACHE": 0, "BLOCK": 0, "FEWEST": 4, "UNIT": 4, "BLOCKS_OF_SHARE": 1}
    for name, value in values.items():
        monkeypatch.setattr(tiles, name, value)
    monkeypatch.setattr(tiles, "_again", lambda region: 0)


def inputs(seed: int = 3) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.normal(size=71).astype(np.float32)
    return [rng.normal(size=(71, 3)), y, rng.normal(size=3), np.array(7)]


def executable() -> NativeExecutable:
    return compile_program(check(tiles.tile(check(from_text(PROGRAM)))))


def bits(outputs: list[np.ndarray]) -> list[bytes]:
    return [o.tobytes() for o in outputs]


def test_shares_add_up_to_what_the_program_means() -> None:
    program = check(from_text(PROGRAM))
    wanted = interpret_program(program)(*inputs())
    tiled = tiles.tile(program)
    assert any(e.primitive.name == "scan" and not e.params["carry"] for e in tiled.equations)
    for run in (interpret_program(tiled), executable()):
        for have, want in zip(run(*inputs()), wanted, strict=True):
            np.testing.assert_allclose(have, want, rtol=1e-6 if want.dtype == "f4" else 1e-12)


@pytest.mark.parametrize("helpers", [1, 2, 4, 9])
def test_helpers_change_no_bit_and_go_home(helpers: int) -> None:
    run, before = executable(), set(threading.enumerate())
    alone = bits(run(*inputs()))
    with run.helped(helpers):
        crew = set(threading.enumerate()) - before
        assert len(crew) == helpers
        for _ in range(300):
            assert bits(run(*inputs())) == alone
    assert not any(thread.is_alive() for thread in crew)
    assert bits(run(*inputs())) == alone


def test_helpers_take_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    # A crew whose words say that all turns are done: were it not asked, the sums would be right.
    run = executable()
    right = run(*inputs())[0]
    with run.helped(1):
        assert run._memory.crew is not None
        run._memory.crew.dismiss()
        words = run._memory.crew._words
        words[crew.NEXT] = crew.SHARES
        np.testing.assert_array_equal(run(*inputs())[0], right)
        # Turns were taken from the crew's words, and each was done once.
        assert words[crew.NEXT] > crew.SHARES
        assert words[crew.DONE] == crew.SHARES


def test_a_process_that_finds_the_code_makes_none_for_helpers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = check(from_text(PROGRAM))
    monkeypatch.setattr(config, "cache", str(tmp_path))
    cold = pipeline.compile(program)

    def fail(*args: object) -> None:
        raise AssertionError("code was made")

    monkeypatch.setattr(optimise, "object_code", fail)
    warm = pipeline.compile(program)
    assert "recall" in warm.timings
    before = threading.active_count()
    with warm.helped(2):
        assert threading.active_count() == before + 2
        assert bits(warm(*inputs())) == bits(cold(*inputs()))


def test_code_without_shares_has_no_work() -> None:
    run = compile_program(from_text("program f(%a: f64[3]):\n  %b: f64[3] = exp %a\n  return %b"))
    with pytest.raises(RuntimeError, match=f"does not define {crew.WORK}"):
        run._linked.function(crew.WORK, 1)
    before = threading.active_count()
    with run.helped(2):
        assert threading.active_count() == before


def test_many_threads_with_helpers_each() -> None:
    run = executable()
    wanted = [bits(run(*inputs(seed))) for seed in range(32)]

    def many(seed: int) -> bool:
        with run.helped(1):
            return all(bits(run(*inputs(seed))) == wanted[seed] for _ in range(20))

    with ThreadPoolExecutor(32) as pool:
        assert all(pool.map(many, range(32)))


def test_kept_code_knows_that_it_shares() -> None:
    native = executable().native
    assert native.shares
    assert Native.from_bytes(native.to_bytes()).shares
    plain = compile_program(from_text("program f(%a: f64[]):\n  return %a"))
    assert not plain.native.shares
    with plain.helped(3):
        assert plain(2.0)[0] == 2.0


def line(x: np.ndarray, y: np.ndarray) -> None:
    slope = bdl.sample("slope", dist.Normal(0.0, 1.0))
    with bdl.plate("rows", len(x)):
        bdl.sample("y", dist.Normal(slope * x, 1.0), obs=y)


def test_cores_beyond_the_chains_change_no_draw() -> None:
    x = np.linspace(-1.0, 1.0, 203)
    kept = [
        bdl.fit(
            line,
            x,
            np.sin(x),
            chains=1,
            cores=cores,
            draws=50,
            tune=50,
            random_seed=1,
            progressbar=False,
        )["slope"]
        for cores in (1, 3)
    ]
    np.testing.assert_array_equal(*kept)
