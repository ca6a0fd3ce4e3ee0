"""Which values are stored, and which loops become one nest."""

from __future__ import annotations

import numpy as np

from bayesdl.ir.text import from_text
from bayesdl.lower.llvm import emitted_text
from bayesdl.lower.llvm.fuse import Fusion, Nest


def fusion(text: str) -> Fusion:
    return Fusion(from_text(text))


def nests(found: Fusion) -> list[Nest]:
    return [s for s in found.steps if isinstance(s, Nest)]


CHAIN = """program f(%a: f64[3,40], %s: f64[]):
  %b: f64[3,40] = exp %a
  %c: f64[3,40] = broadcast %s axes=(0,1) shape=(3,40)
  %d: f64[3,40] = mul %b %c
  %e: f64[] = reduce_sum %d axes=(0,1)
  return %e"""


def test_a_chain_into_a_sum_stores_nothing(same, avx2) -> None:
    found = fusion(CHAIN)
    assert len(found.steps) == 1
    assert found.memory == set(found.program.inputs)
    assert emitted_text(found.program).count("\nloop") == 1
    same(CHAIN, np.arange(120.0).reshape(3, 40) / 100, 2.0)


def test_a_dear_value_with_two_readers_is_stored_once_or_shared(same) -> None:
    """Readers in one nest share a register; a reader that goes over it differently needs memory."""
    together = """program f(%a: f64[3,4]):
  %b: f64[3,4] = exp %a
  %c: f64[3,4] = sin %b
  %d: f64[] = reduce_sum %b axes=(0,1)
  return %c %d"""
    apart = together.replace(
        "%c: f64[3,4] = sin %b", "%c: f64[4,3] = transpose %b permutation=(1,0)"
    )
    first, second = fusion(together), fusion(apart)
    assert len(first.steps) == 1
    assert len(first.memory) == 2
    assert len(second.steps) == 2
    assert second.program.equations[0].outputs[0] in second.memory
    for text in (together, apart):
        same(text, np.arange(12.0).reshape(3, 4) / 10)


def test_a_value_is_computed_once_per_row_not_once_per_element(same, avx2) -> None:
    """The exponential of a row's number is written before the loop over the row."""
    text = """program f(%a: f64[3], %b: f64[3,40]):
  %c: f64[3] = exp %a
  %d: f64[3,40] = broadcast %c axes=(1) shape=(3,40)
  %e: f64[3,40] = mul %b %d
  return %e"""
    found = fusion(text)
    assert len(found.steps) == 1
    lines = emitted_text(found.program).splitlines()
    loops = [i for i, line in enumerate(lines) if line.startswith("loop")]
    (call,) = (
        i for i, line in enumerate(lines) if "= call double @bdl.exp" in line and i > loops[0]
    )
    assert loops[0] < call < loops[1]
    same(text, [0.1, 0.2, 0.3], np.arange(120.0).reshape(3, 40))


def test_a_dear_value_repeated_over_rows_is_stored(same) -> None:
    text = """program f(%a: f64[4], %b: f64[3,4]):
  %c: f64[4] = exp %a
  %d: f64[3,4] = broadcast %c axes=(0) shape=(3,4)
  %e: f64[3,4] = mul %b %d
  return %e"""
    assert len(fusion(text).steps) == 2
    same(text, np.arange(4.0) / 3, np.arange(12.0).reshape(3, 4))


def test_nests_over_one_space_become_one_where_order_allows(same) -> None:
    text = """program f(%a: f64[5], %b: f64[5]):
  %c: f64[5] = exp %a
  %s: f64[] = reduce_sum %b axes=(0)
  %t: f64[5] = broadcast %s axes=(0) shape=(5)
  %d: f64[5] = mul %c %t
  %e: f64[5] = sin %b
  return %c %d %e"""
    found = fusion(text)
    assert [len(n.roots) for n in nests(found)] == [2, 2]
    same(text, np.arange(5.0), np.arange(5.0) / 7)


def test_reshapes_are_names(same) -> None:
    text = """program f(%a: f64[2,6]):
  %b: f64[3,4] = reshape %a shape=(3,4)
  %c: f64[4,3] = transpose %b permutation=(1,0)
  %d: f64[12] = reshape %b shape=(12)
  %e: f64[1,12] = reshape %d shape=(1,12)
  %g: f64[1,12] = neg %e
  return %c %g"""
    found = fusion(text)
    assert len(found.steps) == 2
    assert len(found.memory) == 3
    same(text, np.arange(12.0).reshape(2, 6))


def test_dead_equations_are_not_written() -> None:
    text = CHAIN.replace("return %e", "return %a")
    assert not fusion(text).steps


def test_an_output_is_not_left_as_a_piece_of_an_input(same) -> None:
    """A slice under another name: the output has memory of its own, which it is copied to."""
    text = """program f(%a: f64[10]):
  %b: f64[8] = slice %a limit=(8) start=(0) stride=(1)
  %c: f64[2,4] = reshape %b shape=(2,4)
  return %c"""
    assert not fusion(text).views
    same(text, np.arange(10.0))
