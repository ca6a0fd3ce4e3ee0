"""Sums over rows become loops over blocks of rows, and mean what they meant."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bayesdl.ir.check import check
from bayesdl.ir.program import Program, Var
from bayesdl.ir.text import from_text
from bayesdl.lower import tile as tiles
from bayesdl.lower.interpret import interpret_program
from bayesdl.lower.llvm import compile_program
from bayesdl.lower.tile import tile
from bayesdl.testing.programs import SMOOTH, SMOOTH_LOOPS, Style, random_program

ROWS = 23

# The head and the tail of Programs whose middle makes %v: f64[23] out of the data %x and %y.
HEAD = """program f(%x: f64[23,3], %y: f64[23], %g: i64[23,1], %w: f64[3], %z: f64[23]):
"""
TAIL = """
  %s: f64[] = reduce_sum %v axes=(0)
  return %s"""


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of four rows, however little would be gained."""
    for name, value in {"CACHE": 0, "BLOCK": 0, "FEWEST": 4, "UNIT": 4}.items():
        monkeypatch.setattr(tiles, name, value)


def inputs() -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [
        rng.normal(size=(ROWS, 3)),
        rng.normal(size=ROWS),
        rng.integers(0, 3, (ROWS, 1)),
        rng.normal(size=3),
        rng.normal(size=ROWS),
    ]


def tiled(text: str) -> Program:
    """The tiled Program, after a comparison with what it was made of."""
    program = check(from_text(text))
    found = check(tile(program))
    wanted = interpret_program(program)(*inputs())
    for run in (interpret_program(found), compile_program(found)):
        for have, want in zip(run(*inputs()), wanted, strict=True):
            np.testing.assert_allclose(have, want, rtol=1e-12, atol=1e-12)
    return found


def body(program: Program) -> Program | None:
    """What the loop over blocks does."""
    scans = [e for e in program.equations if e.primitive.name == "scan"]
    return scans[0].params["body"] if scans else None


def made(program: Program) -> list[Var]:
    return [v for e in program.equations for v in e.outputs]


BY_ROWS = {
    "elementwise": "%v: f64[23] = mul %y 2.0:f64",
    "matrix": "%v: f64[23] = dot_general %x %w batch=((),()) contract=((1),(0))",
    "matrix_on_the_right": "%v: f64[23] = dot_general %w %x batch=((),()) contract=((0),(1))",
    "batch": "%v: f64[23] = dot_general %x %x batch=((0),(0)) contract=((1),(1))",
    "outer": """%o: f64[3,23] = dot_general %w %y batch=((),()) contract=((),())
  %v: f64[23] = reduce_max %o axes=(0)""",
    "gather": "%v: f64[23] = gather %w %g",
    "gather_behind": """%t: f64[3,23] = transpose %x permutation=(1,0)
  %i: i64[1] = broadcast 2:i64 axes=(0) shape=(1)
  %v: f64[23] = gather %t %i""",
    "broadcast": """%b: f64[23,3] = broadcast %w axes=(0) shape=(23,3)
  %c: f64[23,3] = broadcast %y axes=(1) shape=(23,3)
  %d: f64[23,3] = add %b %c
  %e: f64[23,3] = mul %d %x
  %v: f64[23] = reduce_sum %e axes=(1)""",
    "transpose": """%t: f64[3,23] = transpose %x permutation=(1,0)
  %e: f64[3,23] = exp %t
  %v: f64[23] = reduce_sum %e axes=(0)""",
    "reshape": """%r: f64[23,1,3] = reshape %x shape=(23,1,3)
  %e: f64[23,1,3] = exp %r
  %v: f64[23] = reduce_sum %e axes=(1,2)""",
    "slice": """%b: f64[23,2] = slice %x limit=(23,3) start=(0,1) stride=(1,1)
  %c: f64[23,2] = reverse %b axes=(1)
  %d: f64[23,3] = pad %c high=(0,1) interior=(0,0) low=(0,0)
  %e: f64[23,6] = concatenate %d %x axis=1
  %v: f64[23] = reduce_min %e axes=(1)""",
    "windows": """%a: f64[23,2,2] = windows %x dilation=(1) first=1 stride=(1) window=(2)
  %b: f64[23,3] = fold %a dilation=(1) first=1 shape=(3) stride=(1)
  %v: f64[23] = reduce_max %b axes=(1)""",
    "windows_in_front": """%t: f64[3,23] = transpose %x permutation=(1,0)
  %a: f64[2,2,23] = windows %t dilation=(1) first=0 stride=(1) window=(2)
  %e: f64[2,2,23] = exp %a
  %b: f64[3,23] = fold %e dilation=(1) first=0 shape=(3) stride=(1)
  %v: f64[23] = reduce_sum %b axes=(0)""",
    "constants_along_the_rows": """%b: f64[23] = broadcast 3.0:f64 axes=(0) shape=(23)
  %c: f64[23] = sqrt %b
  %v: f64[23] = mul %c %y""",
}


@pytest.mark.parametrize("name", BY_ROWS)
def test_what_goes_row_by_row_goes_into_the_loop(name: str) -> None:
    program = tiled(HEAD + "  " + BY_ROWS[name] + TAIL)
    inner = body(program)
    assert inner is not None
    assert not any(ROWS in v.type.shape for v in [*made(program), *made(inner)])


SUMS = {
    "products": "%s: f64[3] = dot_general %x %y batch=((),()) contract=((0),(0))",
    "scatter_add": """%z: f64[3] = broadcast 1.0:f64 axes=(0) shape=(3)
  %s: f64[3] = scatter_add %z %g %y""",
    "integers": "%s: i64[1] = reduce_sum %g axes=(0)",
    "sum_of_columns_too": "%s: f64[] = reduce_sum %x axes=(0,1)",
}


@pytest.mark.parametrize("name", SUMS)
def test_sums_are_taken_up_block_by_block(name: str) -> None:
    line = SUMS[name].replace("%z:", "%q:").replace("scatter_add %z", "scatter_add %q")
    assert body(tiled(f"{HEAD}  {line}\n  return %s")) is not None


LEFT = {
    "maximum": "%s: f64[] = reduce_max %y axes=(0)",
    "rows_moved": """%r: f64[23] = reverse %y axes=(0)
  %s: f64[] = reduce_max %r axes=(0)""",
    "neighbours": """%a: f64[22] = slice %y limit=(23) start=(1) stride=(1)
  %s: f64[] = reduce_sum %a axes=(0)""",
    "windows_of_rows": """%a: f64[22,2] = windows %y dilation=(1) first=0 stride=(1) window=(2)
  %s: f64[] = reduce_max %a axes=(0,1)""",
    "running_sums": """%a: f64[23] = cumulative_sum %y axis=0 reverse=false
  %s: f64[] = reduce_max %a axes=(0)""",
    "rows_with_rows": """%a: f64[23,23] = dot_general %x %x batch=((),()) contract=((1),(1))
  %s: f64[] = reduce_max %a axes=(0,1)""",
}


@pytest.mark.parametrize("name", LEFT)
def test_what_does_not_go_row_by_row_is_left_alone(name: str) -> None:
    assert body(tiled(f"{HEAD}  {LEFT[name]}\n  return %s")) is None


def test_what_is_wanted_whole_is_put_together() -> None:
    """As an output, and by what must see all rows; what was summed can be needed row by row too."""
    program = tiled(
        HEAD
        + """  %v: f64[23] = dot_general %x %w batch=((),()) contract=((1),(0))
  %a: f64[23] = exp %v
  %s: f64[] = reduce_sum %a axes=(0)
  %b: f64[23] = broadcast %s axes=(0) shape=(23)
  %c: f64[23] = div %a %b
  %d: f64[23] = mul %c %z
  %m: f64[] = reduce_max %a axes=(0)
  return %a %d %m"""
    )
    assert body(program) is not None


def test_single_numbers_of_which_some_are_wanted_whole_are_one_loop_already() -> None:
    program = tiled(
        HEAD
        + """  %a: f64[23] = exp %y
  %d: f64[23] = mul %a %z
  %s: f64[] = reduce_sum %a axes=(0)
  return %d %s"""
    )
    assert body(program) is None


def test_positions_as_long_as_the_data_are_used_whole_and_by_rows() -> None:
    """An intercept per row, and a matrix that is no data by its second axis."""
    text = """program f(%x: f64[23,23], %q: f64[23]):
  %a: f64[23] = dot_general %x %q batch=((),()) contract=((1),(0))
  %b: f64[23] = mul %a %q
  %s: f64[] = reduce_sum %b axes=(0)
  %c: f64[23] = dot_general %q %x batch=((),()) contract=((0),(0))
  return %s %c"""
    program = check(from_text(text))
    rng = np.random.default_rng(4)
    given = rng.normal(size=(ROWS, ROWS)), rng.normal(size=ROWS)
    for have, want in zip(
        interpret_program(check(tile(program)))(*given),
        interpret_program(program)(*given),
        strict=True,
    ):
        np.testing.assert_allclose(have, want, rtol=1e-12)


def test_float32_sums_are_kept_in_float64() -> None:
    program = from_text(
        "program f(%y: f32[40000]):\n  %s: f32[] = reduce_sum %y axes=(0)\n  return %s"
    )
    values = np.full(40000, 0.1, np.float32)
    (found,) = interpret_program(check(tile(program)))(values)
    assert found == np.float32(np.sum(values, dtype=np.float64))


def test_loops_inside_are_tiled_where_the_data_reach_them() -> None:
    text = """program f(%x: f64[23], %n: i64[]):
  %i: i64[], %t: f64[] = while_loop %x %n 0:i64 0.0:f64 constants=2 test={
program t(%x: f64[23], %n: i64[], %i: i64[], %t: f64[]):
  %b: bool[] = less %i %n
  return %b
} body={
program b(%x: f64[23], %n: i64[], %i: i64[], %t: f64[]):
  %y: f64[23] = broadcast %t axes=(0) shape=(23)
  %z: f64[23] = sub %x %y
  %u: f64[] = reduce_sum %z axes=(0)
  %j: i64[] = add %i 1:i64
  return %j %u
}
  return %t"""
    program = check(from_text(text))
    found = check(tile(program))
    inner = found.equations[0].params["body"]
    assert body(inner) is not None
    given = np.linspace(0.0, 0.1, ROWS), np.array(3)
    for run in (interpret_program(found), compile_program(found)):
        np.testing.assert_allclose(run(*given), interpret_program(program)(*given), rtol=1e-12)


def test_small_data_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "CACHE", 10**6)
    assert body(tile(from_text(HEAD + "  " + BY_ROWS["matrix"] + TAIL))) is None


@pytest.mark.parametrize("seed", range(120))
def test_random_programs(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Every axis of three or more is taken for rows, one or two at a time."""
    monkeypatch.setattr(tiles, "FEWEST", 1)
    monkeypatch.setattr(tiles, "UNIT", 1)
    style = (Style(), SMOOTH, SMOOTH_LOOPS)[seed % 3]
    program, variants = random_program(seed, 3 + seed % 20, style)
    found = check(tile(program))
    for have, want in zip(
        interpret_program(found)(*variants[0]),
        interpret_program(program)(*variants[0]),
        strict=True,
    ):
        loose = 1e-4 if want.dtype == np.float32 else 1e-9
        np.testing.assert_allclose(have, want, rtol=loose, atol=loose)


def test_many_of_the_random_programs_have_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    # Were none of them tiled, the test above would show nothing.
    monkeypatch.setattr(tiles, "FEWEST", 1)
    monkeypatch.setattr(tiles, "UNIT", 1)
    programs = [random_program(seed, 3 + seed % 20, SMOOTH)[0] for seed in range(1, 120, 3)]
    assert sum(body(tile(p)) is not None for p in programs) >= 10


def test_blocks_grow_with_what_each_of_them_reads_again() -> None:
    text = """program f(%x: f64[64,300], %w: f64[300,4]):
  %p: f64[64,4] = dot_general %x %w batch=((),()) contract=((1),(0))
  %e: f64[64,4] = exp %p
  %s: f64[] = reduce_sum %e axes=(0,1)
  %g: f64[300,4] = dot_general %x %e batch=((),()) contract=((0),(0))
  return %s %g"""
    (loop,) = (e for e in tile(from_text(text)).equations if e.primitive.name == "scan")
    # 9.6 kB of weights and twice 9.6 kB of totals, against 2.5 kB a row: about 12 rows outweigh
    # them, and 8 is the next divisor of 64. By the limits above it would have been blocks of 4.
    assert loop.params["length"] == 64 // 8


REGRESSION = """program f(%x: {t}[{n},{k}], %y: {t}[{n}], %w: {t}[{k}]):
  %p: {t}[{n}] = dot_general %x %w batch=((),()) contract=((1),(0))
  %e: {t}[{n}] = exp %p
  %r: {t}[{n}] = mul %e %y
  %s: {t}[] = reduce_sum %r axes=(0)
  %g: {t}[{k}] = dot_general %r %x batch=((),()) contract=((0),(0))
  return %s %g"""


FROM_MEMORY = [(25, "f64", 8), (25, "f32", 16), (100, "f64", 4), (8, "f64", 24)]
FROM_A_CACHE = [(25, "f64", 96), (25, "f32", 192), (100, "f64", 24), (8, "f64", 280)]


@pytest.mark.parametrize(
    ("near", "columns", "dtype", "block"),
    [(0, *case) for case in FROM_MEMORY] + [(1 << 40, *case) for case in FROM_A_CACHE],
)
def test_rows_that_are_only_multiplied_by_vectors_come_a_few_kilobytes_at_a_time(
    monkeypatch: pytest.MonkeyPatch, near: int, columns: int, dtype: str, block: int
) -> None:
    """Two from memory, twenty from a cache."""
    rows = 2003 if columns == 100 else 8003
    monkeypatch.setattr(tiles, "NEAR", near)
    monkeypatch.setattr(tiles, "BLOCK", 96 * 1024)
    monkeypatch.setattr(tiles, "UNIT", 8)
    program = check(from_text(REGRESSION.format(n=rows, k=columns, t=dtype)))
    found = check(tile(program))
    (loop,) = (e for e in found.equations if e.primitive.name == "scan")
    assert loop.params["length"] == rows // block
    rng = np.random.default_rng(5)
    given = [0.1 * rng.normal(size=t.shape).astype(t.dtype) for t in program.input_types]
    loose = 1e-10 if dtype == "f64" else 1e-3
    for run in (interpret_program(found), compile_program(found)):
        for have, want in zip(run(*given), interpret_program(program)(*given), strict=True):
            np.testing.assert_allclose(have, want, rtol=loose, atol=loose)


def test_long_rows_and_few_columns_keep_large_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "BLOCK", 96 * 1024)
    for rows, columns in ((4096, 300), (4096, 2)):
        found = tile(from_text(REGRESSION.format(n=rows, k=columns, t="f64")))
        (loop,) = (e for e in found.equations if e.primitive.name == "scan")
        assert loop.params["length"] <= rows // 32


def test_small_blocks_make_no_more_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    """A share has as many rows as eight large blocks, for threads to be worth their while."""
    monkeypatch.setattr(tiles, "BLOCK", 96 * 1024)
    for rows, dealt in ((16_000, False), (40_000, True)):
        found = tile(from_text(REGRESSION.format(n=rows, k=25, t="f64")))
        loops = [e for e in found.equations if e.primitive.name == "scan"]
        assert any(e.params["length"] == tiles.SHARES for e in loops) == dealt


# The peak of a process while it computes a gradient on many rows, above what it held before.
PEAK = """
import sys
from pathlib import Path
from threading import Thread
from bayesdl.bench.models import CASES
from bayesdl.infer.log_density import log_density

def status(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name + ":"))

case = CASES[sys.argv[1]]
density = log_density(case.model, *case.arguments(100_000))
# Compiling is not what is measured; a thread takes its workspace with it when it ends.
first = Thread(target=density.value_and_grad, args=(case.position(),))
first.start()
first.join()
Path("/proc/self/clear_refs").write_text("5")
before = status("VmRSS")
density.value_and_grad(case.position())
print(status("VmHWM") - before)
"""


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="not told by this system")
@pytest.mark.parametrize("name", ["logistic", "network_one", "network_two"])
def test_memory_does_not_grow_with_the_rows(name: str) -> None:
    """50 MB above 100 000 rows of data are promised, and a fifth is enough; the activations of one
    layer alone would have 40 MB."""
    found = subprocess.run(
        [sys.executable, "-c", PEAK, name],
        env={**os.environ, "BAYESDL_CACHE": "off", "BAYESDL_CHECK": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(found.stdout) < 10_000_000
