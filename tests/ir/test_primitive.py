"""The vocabulary refuses doubles and finds words by name."""

from __future__ import annotations

import pickle

import pytest

from bayesdl.ir.primitive import ALL, PRIMITIVES, Primitive
from bayesdl.ops.elementwise import add
from bayesdl.ops.linalg import dot_general


def test_names_are_declared_once() -> None:
    with pytest.raises(ValueError, match="primitive 'add' is declared twice"):
        PRIMITIVES.add("add", PRIMITIVES["add"])


def test_primitives_are_pickled_by_name() -> None:
    assert pickle.loads(pickle.dumps(PRIMITIVES["dot_general"])) is PRIMITIVES["dot_general"]
    assert dot_general.__name__ == "dot_general"
    assert add.__doc__ == "Bind the primitive `add`."


def test_linear_positions() -> None:
    one = Primitive("x", type=lambda: (), numpy=lambda: (), linear_in=(0, 2))
    every = Primitive("y", type=lambda: (), numpy=lambda: (), linear_in=ALL)
    none = Primitive("z", type=lambda: (), numpy=lambda: ())
    assert one.linear_positions(3) == (0, 2)
    assert every.linear_positions(3) == (0, 1, 2)
    assert none.linear_positions(3) == ()


def test_every_primitive_can_be_tested() -> None:
    assert [p.name for p in PRIMITIVES.values() if not p.cases] == []
