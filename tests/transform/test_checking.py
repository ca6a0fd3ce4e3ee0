"""check_grads passes what is right and names what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bayesdl._base.errors import ArgumentError
from bayesdl.ir.primitive import PRIMITIVES
from bayesdl.ops import elementwise as ew
from bayesdl.ops import numpy as bnp
from bayesdl.ops._bind import bind
from bayesdl.transform.checking import check_grads
from bayesdl.transform.custom import custom_vjp

X = np.array([0.3, 0.8, 1.7])


def test_right_functions_pass() -> None:
    check_grads(lambda x, y: bnp.tanh(x @ y) + bnp.log(x).sum(), (X, X[::-1]))
    check_grads(lambda x: {"a": bnp.exp(x), "b": (x**3, x.sum())}, (X,))


@pytest.mark.parametrize("modes", [("forward",), ("reverse",)])
def test_one_mode(modes: tuple[str, ...]) -> None:
    check_grads(lambda x: bnp.sin(x) * x, (X,), modes=modes)


@pytest.fixture
def wrong() -> Callable[[Any], Any]:
    """A sine whose derivative is off by a tenth, known to nobody else."""
    planted = replace(
        PRIMITIVES["sin"], name="planted", partials=lambda o, x: (ew.mul(1.1, ew.cos(x)),)
    )
    return lambda x: bind(planted, x)  # here


@pytest.mark.parametrize("modes", [("forward", "reverse"), ("forward",), ("reverse",)])
def test_a_wrong_derivative_is_named(wrong, modes: tuple[str, ...]) -> None:
    with pytest.raises(AssertionError, match=r"`planted` at test_checking\.py") as caught:
        check_grads(lambda x: bnp.exp(wrong(x * 2.0)).sum(), (X,), modes=modes)
    assert f"{modes[0]} mode gives" in str(caught.value)
    assert "# here" in str(caught.value)


def test_a_wrong_second_derivative_is_named() -> None:
    """The first derivative is right; its own derivative is not."""
    steep = replace(
        PRIMITIVES["cos"], name="steep", partials=lambda o, x: (ew.neg(ew.mul(0.9, ew.sin(x))),)
    )
    planted = replace(PRIMITIVES["sin"], name="planted", partials=lambda o, x: (bind(steep, x),))
    check_grads(lambda x: bind(planted, x).sum(), (X,), order=1)
    with pytest.raises(AssertionError, match="`steep`"):
        check_grads(lambda x: bind(planted, x).sum(), (X,))


def test_own_derivatives_are_checked_in_reverse() -> None:
    right = custom_vjp(bnp.exp, lambda x: (bnp.exp(x), (bnp.exp(x),)), lambda r, ct: (ct * r[0],))
    check_grads(right, (X,), order=1, modes=("reverse",))
    half = custom_vjp(
        bnp.exp, lambda x: (bnp.exp(x), (bnp.exp(x),)), lambda r, ct: (ct * r[0] / 2,)
    )
    with pytest.raises(AssertionError, match="`custom_call`"):
        check_grads(half, (X,), order=1, modes=("reverse",))


def test_unknown_modes_and_orders() -> None:
    for bad in ({"modes": ("sideways",)}, {"order": 3}, {"modes": ()}):
        with pytest.raises(ArgumentError, match="`check_grads` knows"):
            check_grads(bnp.sin, (X,), **bad)
