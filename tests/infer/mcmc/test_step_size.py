"""The first step size, and dual averaging."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from bayesdl.infer.mcmc.integrator import Place
from bayesdl.infer.mcmc.metric import Diagonal
from bayesdl.infer.mcmc.step_size import average, reasonable_step, start_averaging
from bayesdl.ops import random


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_first_step_follows_the_scale(scale: float) -> None:
    def density(q: Any) -> Any:
        return -0.5 * (q * q).sum() / scale**2, -q / scale**2

    q = np.full(5, 0.5 * scale)
    value, gradient = density(q)
    found = reasonable_step(
        random.key(0), Place(q, value, gradient), density, Diagonal(np.ones(5)), np.zeros(())
    )
    assert 0.05 * scale < math.exp(found) < 20.0 * scale


def test_search_ends_where_no_step_is_right() -> None:
    """A flat density accepts every step; the search stops all the same."""
    q = np.zeros(2)
    flat = Place(q, np.zeros(()), q)
    found = reasonable_step(
        random.key(0), flat, lambda q: (0.0 * q.sum(), 0.0 * q), Diagonal(np.ones(2)), np.zeros(())
    )
    assert np.isfinite(found)


def test_dual_averaging_finds_the_step_for_the_target() -> None:
    """Acceptance exp(−ε): the target 0.8 is met at ε = −log 0.8."""
    state = start_averaging(np.zeros(()))
    for _ in range(2000):
        state = average(state, np.exp(-np.exp(state.log_step)), 0.8)
    assert math.exp(state.log_average) == pytest.approx(-math.log(0.8), rel=0.02)


def test_first_average_forgets_the_guess() -> None:
    state = average(start_averaging(np.zeros(())), 0.8, 0.8)
    assert state.log_average == state.log_step
