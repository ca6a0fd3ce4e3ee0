"""Who shares a buffer with whom: nothing is copied in vain, nothing overwritten too early."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from bayesdl.ir.text import from_text
from bayesdl.lower.llvm import emitted_text
from bayesdl.lower.llvm.buffers import Slot, Target, origin, plan
from bayesdl.lower.llvm.fuse import Fusion


def copies(text: str) -> int:
    return emitted_text(from_text(text)).count("call void @llvm.memcpy")


def test_buffers_are_used_again(same) -> None:
    """A line of opaque steps needs two buffers, however long it is; the last is the caller's."""
    lines = ["program f(%a: f64[8]):"]
    names = "abcdefghij"
    lines += [
        f"  %{y}: f64[8] = cumulative_sum %{x} axis=0 reverse=false" for x, y in pairwise(names)
    ]
    text = "\n".join([*lines, "  return %j"])
    found = plan(Fusion(from_text(text)), {})
    assert found.size == 2 * 64
    assert sum(isinstance(s, Target) for s in found.storage.values()) == 1
    same(text, np.arange(8.0))


def test_an_elementwise_value_takes_the_place_of_its_operand() -> None:
    program = from_text(
        """program f(%a: f64[8]):
  %b: f64[8] = cumulative_sum %a axis=0 reverse=false
  %c: f64[8] = exp %b
  %d: f64[8] = cumulative_sum %c axis=0 reverse=false
  return %d"""
    )
    found = plan(Fusion(program), {})
    b, c, _ = (e.outputs[0] for e in program.equations)
    assert found.storage[b] == found.storage[c] == Slot(0)


def test_an_operand_read_elsewhere_keeps_its_place(same) -> None:
    """Reversed reads must not see what the same loop has written."""
    same(
        """program f(%a: f64[9]):
  %b: f64[9] = cumulative_sum %a axis=0 reverse=false
  %r: f64[9] = reverse %b axes=(0)
  %c: f64[9] = sub %b %r
  %d: f64[9] = cumulative_sum %c axis=0 reverse=false
  return %d""",
        np.arange(9.0),
    )


UPDATES = """program f(%a: f64[6,3], %v: f64[1,3], %n: i64[]):
  %q: f64[6,3], %k: i64[] = while_loop %v %a %n constants=1 test={
program t(%v: f64[1,3], %x: f64[6,3], %i: i64[]):
  %b: bool[] = less %i 6:i64
  return %b
} body={
program b(%v: f64[1,3], %x: f64[6,3], %i: i64[]):
  %o: bool[] = equal %i 3:i64
  %y: f64[6,3] = cond %o %x %v %i true={
program keep(%x: f64[6,3], %v: f64[1,3], %i: i64[]):
  return %x
} false={
program set(%x: f64[6,3], %v: f64[1,3], %i: i64[]):
  %y: f64[6,3] = dynamic_update_slice %x %v %i 0:i64
  return %y
}
  %j: i64[] = add %i 1:i64
  return %y %j
}
  return %q %k"""


def test_checkpoints_in_a_carry_are_updated_in_place(same) -> None:
    """A branch inside a loop writes one row: the only copy is that of the first carry."""
    assert copies(UPDATES) == 1
    same(UPDATES, np.zeros((6, 3)), [[1.0, 2.0, 3.0]], 1)


def test_checkpoints_that_are_not_an_output_stay_in_place_too(same) -> None:
    text = UPDATES.replace(
        "  return %q %k", "  %z: f64[6,3] = cumulative_sum %q axis=0 reverse=false\n  return %z %k"
    )
    assert copies(text) == 1
    same(text, np.zeros((6, 3)), [[1.0, 2.0, 3.0]], 1)


def test_nested_loops_keep_one_buffer(same) -> None:
    inner = UPDATES.split("\n", 1)[1].rsplit("\n", 1)[0]
    text = f"""program g(%a: f64[6,3], %v: f64[1,3], %n: i64[]):
  %z: f64[6,3] = scan %v %n %a constants=2 carry=1 length=3 reverse=false body={{
program f(%v: f64[1,3], %n: i64[], %a: f64[6,3]):
{inner}
  return %q
}}
  return %z"""
    assert copies(text) == 1
    same(text, np.zeros((6, 3)), [[1.0, 2.0, 3.0]], 1)


def scan(body: str, carry: str, outputs: str) -> str:
    return f"""program f(%a: f64[4], %b: f64[4]):
  {outputs} = scan %a %b constants=0 carry=2 length=3 reverse=false body={{
program b({carry}):
{body}
}}
  return %p %q"""


@pytest.mark.parametrize(
    "body",
    [
        "  return %y %x",
        "  %z: f64[4] = exp %x\n  return %y %z",
        "  %z: f64[4] = add %x %y\n  return %y %z",
        "  %z: f64[4] = reverse %x axes=(0)\n  return %z %x",
        "  %z: f64[4] = add %x %y\n  return %z %z",
        "  return %x %x",
        "  %r: f64[4] = reverse %y axes=(0)\n  %z: f64[4] = add %r %x\n  return %z %y",
        "  %r: f64[4] = reverse %x axes=(0)\n  %z: f64[4] = add %r %x\n"
        "  %w: f64[4] = sin %y\n  return %z %w",
    ],
)
def test_carries_that_change_places(same, body: str) -> None:
    text = scan(body, "%x: f64[4], %y: f64[4]", "%p: f64[4], %q: f64[4]")
    same(text, np.arange(4.0), np.arange(4.0) / 3 + 1)


def test_a_carry_that_never_changes_is_not_copied(same) -> None:
    text = scan(
        "  %z: f64[4] = add %x %y\n  return %z %y",
        "%x: f64[4], %y: f64[4]",
        "%p: f64[4], %q: f64[4]",
    )
    assert copies(text) == 2  # the first carry, and %q, which is the input %b
    same(text, np.arange(4.0), np.ones(4))


def test_an_input_is_never_overwritten(same) -> None:
    a = np.zeros((6, 3))
    same(UPDATES, a, [[1.0, 2.0, 3.0]], 0)
    assert not a.any()


def test_a_carry_that_is_also_a_constant_keeps_its_first_value(same) -> None:
    same(
        """program f(%a: f64[4]):
  %b: f64[4] = exp %a
  %c: f64[4] = scan %b %b constants=1 carry=1 length=3 reverse=false body={
program b(%k: f64[4], %x: f64[4]):
  %y: f64[4] = add %x %k
  return %y
}
  return %c""",
        np.arange(4.0),
    )


def test_origin_looks_through_branches_and_choices() -> None:
    program = from_text(
        """program f(%c: bool[2], %a: f64[2], %b: f64[2]):
  %x: f64[2] = exp %a
  %y: f64[2] = where %c %x %b
  return %y %x"""
    )
    assert origin(Fusion(program), program, 0) == [2]
    assert origin(Fusion(program), program, 1) == []


def test_a_slice_in_one_piece_is_not_copied(same) -> None:
    """Rows of a matrix, read by a scan, are read where they are."""
    text = """program f(%x: f64[9,4]):
  %a: f64[9,4] = cumulative_sum %x axis=0 reverse=false
  %b: f64[6,4] = slice %a start=(2,0) limit=(8,4) stride=(1,1)
  %r: f64[24] = reshape %b shape=(24)
  %c: f64[24] = cumulative_sum %r axis=0 reverse=false
  return %c"""
    found = Fusion(from_text(text))
    (view,) = found.views.values()
    assert view[1] == 8
    assert len(found.memory) == 3
    same(text, np.arange(36.0).reshape(9, 4))


def test_what_a_piece_is_of_stays_as_long_as_the_piece(same) -> None:
    """A loop must not start its carry in a buffer of which it reads a piece."""
    same(
        """program f(%x: f64[5]):
  %a: f64[5] = cumulative_sum %x axis=0 reverse=false
  %b: f64[4] = slice %a start=(1) limit=(5) stride=(1)
  %y: f64[5] = scan %a %b constants=0 carry=1 length=4 body={
program s(%c: f64[5], %v: f64[]):
  %w: f64[5] = broadcast %v axes=(0) shape=(5)
  %d: f64[5] = add %c %w
  return %d
} reverse=false
  return %y""",
        np.arange(5.0),
    )


def test_slices_that_are_returned_or_have_gaps_are_copied(same) -> None:
    same(
        """program f(%x: f64[5,4]):
  %a: f64[5,4] = cumulative_sum %x axis=0 reverse=false
  %b: f64[2,4] = slice %a start=(1,0) limit=(3,4) stride=(1,1)
  %c: f64[2,4] = slice %a start=(0,0) limit=(4,4) stride=(2,1)
  %d: f64[5,2] = slice %a start=(0,1) limit=(5,3) stride=(1,1)
  %s: f64[2,4] = cumulative_sum %c axis=0 reverse=false
  %t: f64[5,2] = cumulative_sum %d axis=0 reverse=false
  return %b %s %t""",
        np.arange(20.0).reshape(5, 4),
    )


def test_slices_that_are_returned_in_another_shape_are_copied(same) -> None:
    """As the weights of a network are, cut out of a position."""
    same(
        """program f(%x: f64[24]):
  %a: f64[8] = slice %x start=(8) limit=(16) stride=(1)
  %b: f64[2,4] = reshape %a shape=(2,4)
  %c: f64[8] = slice %x start=(16) limit=(24) stride=(1)
  %d: f64[4,2] = reshape %c shape=(4,2)
  return %b %d""",
        np.arange(24.0),
    )


def test_a_piece_under_a_name_with_other_axes(same) -> None:
    same(
        """program f(%x: f64[12], %y: f64[3,3]):
  %a: f64[9] = slice %x start=(2) limit=(11) stride=(1)
  %b: f64[3,3] = reshape %a shape=(3,3)
  %c: f64[3,3] = transpose %b permutation=(1,0)
  %d: f64[3,3] = add %c %y
  return %d""",
        np.arange(12.0),
        np.ones((3, 3)),
    )


def test_a_piece_that_a_loop_hands_on_is_returned(same) -> None:
    same(
        """program f(%x: f64[12]):
  %a: f64[9] = slice %x start=(2) limit=(11) stride=(1)
  %n: f64[], %b: f64[9] = scan 0.0e+00:f64 %a constants=0 carry=2 length=3 body={
program s(%n: f64[], %a: f64[9]):
  %m: f64[9] = cumulative_sum %a axis=0 reverse=false
  %v: f64[] = reduce_sum %m axes=(0)
  %w: f64[] = add %n %v
  return %w %a
} reverse=false
  %r: f64[3,3] = reshape %b shape=(3,3)
  return %n %b %r""",
        np.arange(12.0),
    )


def test_parts_are_made_where_they_are_put_together(same) -> None:
    """Two products and an input behind one another: the products are not copied."""
    text = """program f(%a: f64[9,9], %b: f64[9,9], %c: f64[5]):
  %x: f64[9,9] = dot_general %a %b batch=((),()) contract=((1),(0))
  %y: f64[9,9] = dot_general %b %a batch=((),()) contract=((0),(0))
  %s: f64[9,9] = add %y %a
  %t: f64[] = reduce_sum %s axes=(0,1)
  %u: f64[81] = reshape %x shape=(81)
  %v: f64[81] = reshape %s shape=(81)
  %w: f64[167] = concatenate %u %c %v axis=0
  return %w %t"""
    listing = emitted_text(from_text(text), "plan")
    assert listing.count(": f64[9,9]  output 0 + 0\n") == 1
    assert listing.count(": f64[9,9]  output 0 + 86\n") == 2
    rng = np.random.default_rng(0)
    same(text, rng.normal(size=(9, 9)), rng.normal(size=(9, 9)), rng.normal(size=5))


@pytest.mark.parametrize("asked", ["%w %x", "%w %m"])
def test_a_part_that_is_wanted_elsewhere_has_a_buffer_of_its_own(same, asked: str) -> None:
    """An output, and what is read after it was put together with others and changed."""
    kind = "f64[9,9]"
    text = f"""program f(%a: {kind}, %b: {kind}):
  %x: {kind} = dot_general %a %b batch=((),()) contract=((1),(0))
  %v: f64[18,9] = concatenate %x %a axis=0
  %w: f64[18,9] = exp %v
  %m: {kind} = dot_general %x %x batch=((),()) contract=((1),(0))
  return {asked}"""
    rng = np.random.default_rng(0)
    same(text, rng.normal(size=(9, 9)), rng.normal(size=(9, 9)), rtol=1e-11)
