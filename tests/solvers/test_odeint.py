"""odeint against SciPy, against closed forms, and its derivatives against differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import bayesdl as bdl
from bayesdl._base.errors import ArgumentError, ShapeError
from bayesdl.ops import numpy as bnp
from bayesdl.solvers import odeint

RATES = np.array([0.55, 0.028, 0.80, 0.024])
START = np.array([33.0, 6.0])
TIMES = np.linspace(0.0, 8.0, 6)


def predation(y: Any, t: Any, rates: Any) -> Any:
    """Lotka and Volterra's hares and lynxes."""
    hare, lynx = y[0], y[1]
    growth = (rates[0] - rates[1] * lynx) * hare
    return bnp.stack([growth, (-rates[2] + rates[3] * hare) * lynx])


def test_agrees_with_scipy() -> None:
    """Both at tolerances far below the comparison's."""
    ours = bdl.jit(lambda r: odeint(predation, START, TIMES, r, rtol=1e-10, atol=1e-10))(RATES)
    theirs = solve_ivp(
        lambda t, y: np.asarray(predation(y, t, RATES)),
        TIMES[[0, -1]],
        START,
        t_eval=TIMES,
        rtol=1e-12,
        atol=1e-12,
    ).y.T
    np.testing.assert_allclose(ours, theirs, rtol=1e-7)


@pytest.mark.parametrize("rtol", [1e-3, 1e-6, 1e-9])
def test_error_follows_the_tolerance(rtol: float) -> None:
    """y' = cos(t) y from 1 is exp(sin t); the error stays within 30 tolerances."""
    times = np.array([0.0, 1.0, 4.0, 9.0])
    found = odeint(lambda y, t: bnp.cos(t) * y, np.ones(1), times, rtol=rtol, atol=rtol)
    error = np.abs(np.asarray(found)[:, 0] - np.exp(np.sin(times))).max()
    assert 0.0 < error < 30 * rtol


def test_gradient_agrees_with_differences_of_the_exact_solution() -> None:
    """d/dk of y = exp(−k t) is −t exp(−k t); second order too."""
    times = np.array([0.0, 0.5, 2.0])

    def last(k: Any) -> Any:
        return odeint(lambda y, t: -k * y, np.ones(1), times, rtol=1e-11, atol=1e-13)[-1, 0]

    k = 0.7
    np.testing.assert_allclose(bdl.jit(last)(k), np.exp(-2 * k), rtol=1e-9)
    np.testing.assert_allclose(bdl.jit(bdl.grad(last))(k), -2 * np.exp(-2 * k), rtol=1e-8)
    np.testing.assert_allclose(bdl.jit(bdl.grad(bdl.grad(last)))(k), 4 * np.exp(-2 * k), rtol=1e-7)


def test_forward_mode_agrees_with_reverse_mode() -> None:
    """⟨w, J v⟩ is the same from either side."""
    generator = np.random.default_rng(5)
    v, w = generator.normal(size=4) * RATES, generator.normal(size=(6, 2))

    def solution(rates: Any) -> Any:
        return odeint(predation, START, TIMES, rates)

    forward = bdl.jit(lambda r, v: bdl.jvp(solution, (r,), (v,))[1])(RATES, v)
    backward = bdl.jit(bdl.grad(lambda r: bnp.sum(w * solution(r))))(RATES)
    np.testing.assert_allclose(np.sum(w * forward), backward @ v, rtol=1e-10)


def test_batch_agrees_with_loop() -> None:
    """vmap over rates takes each its own steps."""
    rates = RATES * np.linspace(0.8, 1.2, 3)[:, None]
    together = bdl.jit(bdl.vmap(lambda r: odeint(predation, START, TIMES, r)))(rates)
    single = bdl.jit(lambda r: odeint(predation, START, TIMES, r))
    np.testing.assert_allclose(together, [single(r) for r in rates], rtol=1e-12)


def test_what_steps_do_not_reach_is_nan() -> None:
    """Times that were met before keep their values."""
    times = np.array([0.0, 0.1, 50.0])
    found = np.asarray(odeint(lambda y, t: bnp.cos(50 * t) * y, np.ones(2), times, max_steps=40))
    assert np.isfinite(found[:2]).all()
    assert np.isnan(found[2]).all()


def test_explosion_is_nan_not_an_endless_loop() -> None:
    """y' = y² from 1 has no solution at t = 2."""
    found = np.asarray(odeint(lambda y, t: y**2, np.ones(1), np.array([0.0, 0.5, 2.0])))
    np.testing.assert_allclose(found[1, 0], 2.0, rtol=1e-5)
    assert np.isnan(found[2, 0])


@pytest.mark.parametrize(
    ("times", "options", "error", "words"),
    [
        ([0.0, 2.0, 1.0], {}, ArgumentError, "must increase"),
        ([0.0], {}, ShapeError, "at least two times"),
        ([0.0, 1.0], {"rtol": 0.0}, ArgumentError, "positive rtol"),
        ([0.0, 1.0], {"max_steps": 0}, ArgumentError, "positive max_steps"),
    ],
)
def test_bad_arguments_are_refused(times: Any, options: Any, error: Any, words: str) -> None:
    """Before anything is solved."""
    with pytest.raises(error, match=words):
        odeint(lambda y, t: -y, np.ones(1), np.array(times), **options)


def test_derivative_of_another_shape_is_refused() -> None:
    """A sum over y is a common slip."""
    with pytest.raises(ShapeError, match="another shape"):
        odeint(lambda y, t: bnp.sum(y), np.ones(2), np.array([0.0, 1.0]))
