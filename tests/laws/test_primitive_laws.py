"""Every primitive in the registry obeys every law, on every one of its cases."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl.ir.primitive import PRIMITIVES, Case, Primitive
from bayesdl.lower.llvm import compile_program
from bayesdl.ops import elementwise as ew
from bayesdl.ops import linalg, random, special  # noqa: F401  (declared on import)
from bayesdl.testing.laws import BrokenLaw
from bayesdl.testing.primitives import LAWS, check_backend, check_primitive, law_of_derivatives

NAMES = sorted(PRIMITIVES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("law", LAWS)
def test_law(name: str, law: str) -> None:
    check_primitive(name, (law,))


@pytest.mark.parametrize("name", NAMES)
def test_llvm_is_interpreter(name: str) -> None:
    check_backend(name, compile_program)


@pytest.mark.parametrize("name", NAMES)
def test_every_primitive_has_cases(name: str) -> None:
    assert PRIMITIVES[name].cases


def test_a_wrong_derivative_is_found() -> None:
    sin = PRIMITIVES["sin"]
    wrong = Primitive(
        "wrong", sin.type, np.sin, elementwise=True, partials=lambda o, x: (ew.sin(x),)
    )
    with pytest.raises(BrokenLaw, match="wrong breaks the law of jvp = differences"):
        law_of_derivatives(wrong, Case(("f64[3]",)))
