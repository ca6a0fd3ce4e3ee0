"""The interpreter gives what NumPy gives, in arrays of the Program's own types."""

from __future__ import annotations

import numpy as np

from bayesdl.ir.text import from_text
from bayesdl.lower.interpret import interpret_program


def test_types_are_those_of_the_program() -> None:
    program = from_text(
        """program f(%a: f32[2,3]):
  %b: f32[2] = reduce_sum %a axes=(1)
  %c: bool[2] = less %b 1.0e+00:f32
  %d: i64[] = argmax %b axis=0
  return %b %c %d 3:u32"""
    )
    outputs = interpret_program(program)(np.array([[0, 1, 2], [-1, 0, 1]], np.float32))
    assert [(o.dtype.name, o.shape) for o in outputs] == [
        ("float32", (2,)),
        ("bool", (2,)),
        ("int64", ()),
        ("uint32", ()),
    ]
    assert [o.tolist() for o in outputs] == [[3.0, 0.0], [False, True], 0, 3]
