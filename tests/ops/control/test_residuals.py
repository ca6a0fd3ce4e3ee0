"""What a scan writes down for the way back: costly results, and of the carry what is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bayesdl.ir.walk import subprograms
from bayesdl.lower.prune import prune
from bayesdl.lower.simplify import simplify
from bayesdl.ops import elementwise as ew
from bayesdl.ops import numpy as bnp
from bayesdl.ops.control import residuals
from bayesdl.pipeline import jit
from bayesdl.tracing import trace
from bayesdl.tracing.flow import cond, scan, shared
from bayesdl.transform.checking import check_grads
from bayesdl.transform.derived import grad, value_and_grad

SEED = 20240229


def loops(function: Callable[..., Any], *args: Any) -> list[tuple[list[Any], Counter[str]]]:
    """Of each scan, forward and back: the shapes that it stacks, and its equations counted."""
    program = prune(simplify(trace(function, *args).program))
    found = []
    for equation in program.equations:
        if equation.primitive.name == "scan":
            counts = Counter(
                e.primitive.name for p in subprograms(equation.params["body"]) for e in p.equations
            )
            carry = equation.params["carry"]
            found.append(([v.type.shape for v in equation.outputs[carry:]], counts))
    return found


def gated(w: Any, u: Any, xs: Any) -> Any:
    """A gated recurrent unit and a loss of its first coordinate."""
    size = u.shape[1]

    def step(h: Any, x: Any) -> Any:
        a, b = w @ x, u @ h
        z = ew.sigmoid(a[:size] + b[:size])
        r = ew.sigmoid(a[size : 2 * size] + b[size : 2 * size])
        new = bnp.tanh(a[2 * size :] + r * b[2 * size :])
        h = (1.0 - z) * new + z * h
        return h, h[0]

    return (scan(step, np.zeros(size), xs)[1] ** 2).sum()


def weights() -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(SEED)
    return rng.normal(size=(9, 2)) * 0.4, rng.normal(size=(9, 3)) * 0.4, rng.normal(size=(6, 2))


def test_the_way_back_of_a_gated_unit_computes_no_gate_again() -> None:
    (_, ahead), (_, back) = loops(value_and_grad(gated, argnums=(0, 1)), *weights())
    assert (ahead["sigmoid"], ahead["tanh"]) == (2, 1)
    assert (back["sigmoid"], back["tanh"]) == (0, 0)
    # Two for the weights, one for the state: of u h, too large to keep, a third is read, and kept.
    assert back["dot_general"] == 3
    assert ahead["dot_general"] == 2


def test_derivatives_of_a_gated_unit() -> None:
    check_grads(gated, weights(), order=2)
    w, u, xs = weights()
    native = jit(grad(gated, argnums=(0, 1)))(w, u, xs)
    for found, wanted in zip(native, grad(gated, argnums=(0, 1))(w, u, xs), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)


def test_a_result_that_is_stacked_anyway_is_stacked_once() -> None:
    """The new state is the result of the step, and its tanh is what the way back reads."""

    def f(a: Any, x: Any) -> Any:
        def step(h: Any, v: Any) -> Any:
            h = bnp.tanh(a * h + v)
            return h, h

        return (scan(step, 0.0, x)[1] ** 2).sum()

    (stacked, _), (_, back) = loops(value_and_grad(f), 0.5, np.ones(8))
    assert stacked == [(8,), (8,)], "the new state and the one before it"
    assert back["tanh"] == 0


def test_what_is_larger_than_the_carry_is_computed_again() -> None:
    """A row of 50 exponentials a step for a carry of one number is not written down."""
    wide = np.linspace(0.0, 1.0, 50)

    def f(x: Any) -> Any:
        return scan(lambda h, v: (h + bnp.exp(h * wide * v).mean(), None), 0.1, x)[0]

    (stacked, _), (_, back) = loops(value_and_grad(f), np.ones(8) * 0.1)
    assert stacked == [(8,)]
    assert back["exp"] == 1
    check_grads(f, (np.linspace(0.1, 0.4, 8),), order=2)


def test_no_more_is_kept_than_so_many_times_the_carry(monkeypatch: pytest.MonkeyPatch) -> None:
    def f(x: Any) -> Any:
        def step(h: Any, v: Any) -> Any:
            for _ in range(5):
                h = bnp.sin(bnp.exp(-h * v))
            return h, None

        return scan(step, 0.3, x)[0]

    x = np.linspace(0.1, 0.4, 8)
    full = loops(grad(f), x)[0][0]
    wanted = grad(f)(x)
    monkeypatch.setattr(residuals, "MOST", 1)
    (stacked, _), (_, back) = loops(grad(f), x)
    assert len(full) == 15, "five of exp and cos, four of sin, and the carry"
    assert len(stacked) == 3, "two in the room of carry and input, and the carry"
    assert back["exp"] + back["sin"] + back["cos"] > 0
    np.testing.assert_allclose(grad(f)(x), wanted, rtol=1e-13)


def test_a_carry_that_no_active_operand_reaches_has_no_cotangent() -> None:
    """A clock of floats beside the state."""

    def f(a: Any) -> Any:
        def step(carry: Any, v: Any) -> Any:
            t, h = carry
            return (t + 0.5, a * h + bnp.sin(t) * v), None

        return scan(step, (0.0, 1.0), np.ones(5))[0][1]

    program = prune(simplify(trace(grad(f), 0.7).program))
    _, back = (e for e in program.equations if e.primitive.name == "scan")
    assert back.params["carry"] == 2, "the total of a, and the state's cotangent"
    check_grads(f, (0.7,), order=2)


def test_a_carry_becomes_active_through_another() -> None:
    def f(a: Any) -> Any:
        def step(carry: Any, _: Any) -> Any:
            first, second, third = carry
            return (a * first, second + first, third + second), None

        return scan(step, (1.0, 0.0, 0.0), length=4)[0][2]

    # The third part is 3 + 2a + a².
    np.testing.assert_allclose(grad(f)(2.0), 2.0 + 2.0 * 2.0)


@pytest.mark.parametrize("reverse", [False, True])
def test_branches_calls_integers_and_results_of_several_kinds(reverse: bool) -> None:
    damp = shared(lambda h: h * bnp.exp(-h * h))

    def f(x: Any, w: Any, h0: Any) -> Any:
        def step(carry: Any, v: Any) -> Any:
            h, total, n = carry
            h = damp(bnp.tanh(w @ h + v))
            h = cond(n > 2, lambda a: bnp.sin(a), lambda a: a * 2.0, h)
            return (h, total + h.sum(), n + 1), (h, bnp.log(1.0 + h * h), total, n)

        carry, (_, b, c, _) = scan(step, (h0, 0.0, 0), x, reverse=reverse)
        return carry[1] + (b * b).sum() + c[3]

    rng = np.random.default_rng(SEED)
    args = rng.normal(size=(6, 3)), rng.normal(size=(3, 3)) * 0.5, rng.normal(size=3)
    check_grads(f, args, order=2)
    found, wanted = (g(*args) for g in (jit(grad(f, argnums=1)), grad(f, argnums=1)))
    np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-13)


def test_no_steps() -> None:
    def f(a: Any) -> Any:
        carry, ys = scan(lambda h, v: (bnp.tanh(a * h + v), h), a, np.zeros(0))
        return carry + ys.sum()

    assert float(grad(f)(0.3)) == float(jit(grad(f))(0.3)) == 1.0
