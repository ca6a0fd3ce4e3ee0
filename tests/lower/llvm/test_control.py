"""Branches and loops as native branches and loops, in every nesting."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from bayesdl.ir.text import from_text
from bayesdl.lower.llvm import compile_program

BODY = """program b(%k: f64[], %s: f64[2], %t: f64[], %x: f64[2], %u: bool[]):
  %w: f64[2] = broadcast %k axes=(0) shape=(2)
  %y: f64[2] = mul %s %w
  %z: f64[2] = add %y %x
  %r: f64[] = reduce_sum %z axes=(0)
  %v: f64[] = add %t %r
  %q: bool[] = not %u
  return %z %v %r %z %q"""


@pytest.mark.parametrize("reverse", ["false", "true"])
@pytest.mark.parametrize("length", [0, 1, 5])
def test_scan_with_scalars_and_arrays_everywhere(same, length: int, reverse: str) -> None:
    same(
        f"""program f(%k: f64[], %s: f64[2], %t: f64[], %x: f64[{length},2], %u: bool[{length}]):
  %a: f64[2], %b: f64[], %c: f64[{length}], %d: f64[{length},2], %e: bool[{length}] = """
        f"scan %k %s %t %x %u constants=1 carry=2 length={length} reverse={reverse} "
        f"body={{\n{BODY}\n}}\n  return %a %b %c %d %e",
        0.5,
        [1.0, 2.0],
        0.25,
        np.arange(2.0 * length).reshape(length, 2),
        np.arange(length) % 2 == 0,
    )


WHILE = """program f(%x: f64[3], %i: i64[], %n: i64[]):
  %a: i64[], %b: i64[], %c: f64[3] = while_loop %n %i %i %x constants=1 test={
program t(%n: i64[], %i: i64[], %j: i64[], %x: f64[3]):
  %m: f64[] = reduce_max %x axes=(0)
  %p: bool[] = less %m 1.0e2:f64
  %q: bool[] = less %i %n
  %r: bool[] = and %p %q
  return %r
} body={
program b(%n: i64[], %i: i64[], %j: i64[], %x: f64[3]):
  %k: i64[] = add %i 1:i64
  %y: f64[3] = mul %x 3.0e0:f64
  return %k %j %y
}
  return %a %b %c"""


@pytest.mark.parametrize(("start", "stop"), [(0, 0), (5, 3), (0, 2), (0, 50)])
def test_while_stops_by_count_or_by_value(same, start: int, stop: int) -> None:
    same(WHILE, [1.0, -2.0, 0.5], start, stop)


NESTED = """program f(%p: bool[], %x: f64[3], %s: f64[]):
  %y: f64[3], %t: f64[] = cond %p %x %s true={
program yes(%x: f64[3], %s: f64[]):
  %a: f64[3], %b: f64[], %c: f64[4] = scan %x %s constants=0 carry=2 length=4 reverse=false body={
program step(%x: f64[3], %s: f64[]):
  %o: bool[] = less %s 2.0e0:f64
  %y: f64[3], %t: f64[] = cond %o %x %s true={
program small(%x: f64[3], %s: f64[]):
  %a: f64[], %b: f64[3] = while_loop %s %x constants=0 test={
program t(%s: f64[], %x: f64[3]):
  %r: bool[] = less %s 3.0e0:f64
  return %r
} body={
program b(%s: f64[], %x: f64[3]):
  %t: f64[] = add %s 1.0e0:f64
  %y: f64[3] = sin %x
  return %t %y
}
  return %b %a
} false={
program large(%x: f64[3], %s: f64[]):
  %t: f64[] = mul %s 1.5e-1:f64
  return %x %t
}
  return %y %t %t
}
  %d: f64[] = reduce_sum %c axes=(0)
  return %a %d
} false={
program no(%x: f64[3], %s: f64[]):
  return %x 7.0e0:f64
}
  return %y %t %x"""


@pytest.mark.parametrize("flag", [True, False])
@pytest.mark.parametrize("start", [0.0, 2.5])
def test_loops_in_branches_in_loops(same, flag: bool, start: float) -> None:
    same(NESTED, flag, [0.1, -0.4, 2.0], start)


def test_both_branches_may_be_one_program(same) -> None:
    same(
        """program f(%p: bool[], %x: f64[3], %y: f64[3]):
  %a: f64[3], %b: f64[3] = cond %p %x %y true={
program t(%x: f64[3], %y: f64[3]):
  return %y %x
} false={
program t(%x: f64[3], %y: f64[3]):
  return %x %y
}
  %c: f64[3] = sub %a %b
  return %c %a""",
        True,
        [1.0, 2.0, 3.0],
        [0.0, 1.0, 5.0],
    )


def test_a_branch_not_taken_is_not_run(same) -> None:
    """The loop in the other branch would never end."""
    same(
        """program f(%p: bool[], %x: f64[]):
  %a: f64[] = cond %p %x true={
program t(%x: f64[]):
  return %x
} false={
program e(%x: f64[]):
  %y: f64[] = while_loop %x constants=0 test={
program t(%x: f64[]):
  return true:bool
} body={
program b(%x: f64[]):
  return %x
}
  return %y
}
  return %a""",
        True,
        1.0,
    )


def test_a_long_loop_needs_no_more_stack() -> None:
    """What LAPACK fills in lies on the stack: once per function, not once per turn.

    A thread of 256 KB would not survive 30 000 times 16 bytes.
    """
    program = from_text(
        """program f(%a: f64[3,3], %b: f64[3,1]):
  %c: f64[3,1] = scan %a %b constants=1 carry=1 length=30000 reverse=false body={
program b(%a: f64[3,3], %b: f64[3,1]):
  %x: f64[3,1] = solve %a %b
  return %x
}
  return %c"""
    )
    executable, found = compile_program(program), []
    inputs = np.eye(3)[::-1], np.arange(3.0)[:, None]
    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=lambda: found.extend(executable(*inputs)))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    np.testing.assert_array_equal(found[0], inputs[1])
