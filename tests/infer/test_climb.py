"""Modes, and normal approximations on the way to them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bayesdl.infer.climb import Climb, climb, pathfinder, still_rising
from bayesdl.infer.optim.lbfgs import LBFGS

ROOT = np.array([[2.0, 0.0, 0.0], [1.0, 0.5, 0.0], [-3.0, 0.2, 0.1]])
PRECISION = np.linalg.inv(ROOT @ ROOT.T)
MEAN = np.array([1.0, -2.0, 30.0])


def normal(position: Any) -> Any:
    away = position - MEAN
    return -0.5 * away @ PRECISION @ away, -PRECISION @ away


def path_from(start: Any, of: Any = normal) -> list[Climb]:
    path: list[Climb] = []
    assert climb(of, start, watch=path.append) is path[-1]
    return path


def test_a_climb_ends_at_the_mode() -> None:
    path = path_from(np.zeros(3))
    np.testing.assert_array_equal(path[0].position, 0.0)
    np.testing.assert_allclose(path[-1].position, MEAN, atol=1e-4)
    np.testing.assert_allclose(path[1].gradient, normal(path[1].position)[1])
    assert [here.steps for here in path] == list(range(len(path)))
    assert path[-1].converged
    assert path[-1].slope <= 1e-5
    assert not path[-2].converged


def test_a_climb_that_runs_out_of_steps_says_so() -> None:
    """Rosenbrock's valley takes L-BFGS some 30 steps from here."""

    def valley(x: Any) -> Any:
        bend = x[1] - x[0] ** 2
        slope = np.array([2.0 * (1.0 - x[0]) + 400.0 * x[0] * bend, -200.0 * bend])
        return -((1.0 - x[0]) ** 2) - 100.0 * bend**2, slope

    start = np.array([-1.2, 1.0])
    short, whole = climb(valley, start, 10), climb(valley, start)
    assert (short.steps, short.converged) == (10, False)
    assert short.slope > 1.0
    assert whole.converged
    np.testing.assert_allclose(whole.position, 1.0, atol=1e-5)
    close = climb(valley, start, lbfgs=LBFGS(tolerance=0.1))
    assert close.converged
    assert close.steps < whole.steps


def test_a_climb_that_ends_at_an_edge_is_at_no_mode() -> None:
    def roof(x: Any) -> Any:
        return float(np.where(x < 1.0, x, 3.0 - 2.0 * x)[0]), np.where(x < 1.0, 1.0, -2.0)

    end = climb(roof, np.array([0.3]))
    assert abs(end.position[0] - 1.0) < 1e-3
    assert not end.converged


def test_what_the_watcher_raises_ends_the_climb() -> None:
    class Enough(Exception):
        pass

    def watch(here: Climb) -> None:
        if here.steps == 2:
            raise Enough

    with pytest.raises(Enough):
        climb(normal, np.zeros(3), watch=watch)


def test_the_limit_grows_with_what_the_density_sums_up() -> None:
    far = climb(lambda x: (normal(x)[0] - 1e6, normal(x)[1]), MEAN + 1e-3)
    assert (far.steps, far.converged) == (0, True)
    assert far.limit == pytest.approx(10.0, rel=1e-3)


def test_draws_have_the_mean_and_covariance_of_a_normal_target() -> None:
    """400 draws, seed 0: each whitened coordinate has mean 0 ± 0.25 and variance 1 within 0.35,
    five standard errors (false alarm 1e-6)."""
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(400):
        path = path_from(MEAN + ROOT @ rng.normal(size=3) * 3.0)
        draws.append(pathfinder(path, normal, rng))
    white = np.linalg.solve(ROOT, (np.array(draws) - MEAN).T)
    assert np.abs(white.mean(axis=1)).max() < 0.25
    assert np.abs(white.var(axis=1) - 1.0).max() < 0.35


def test_places_without_a_density_are_left() -> None:
    """log x − x has none below zero; the first step of L-BFGS from near zero leads far away."""

    def gamma(x: Any) -> Any:
        with np.errstate(all="ignore"):
            return float((np.log(x) - x).sum()), 1.0 / x - 1.0

    np.testing.assert_allclose(climb(gamma, np.array([0.01])).position, 1.0, atol=1e-3)


def test_a_start_at_the_mode_is_kept() -> None:
    path = path_from(MEAN)
    np.testing.assert_allclose(pathfinder(path, normal, np.random.default_rng(0)), MEAN)


def collapsing(x: Any) -> Any:
    """Nine normals around the tenth coordinate with scale exp(x[10]): unbounded as that falls."""
    with np.errstate(all="ignore"):
        z = (x[:9] - x[9]) * np.exp(-x[10])
        inner = -z * np.exp(-x[10])
        gradient = np.concatenate([inner, [-inner.sum() - x[9]], [z @ z - 9.0]])
        return float(-0.5 * (z @ z + x[9] ** 2) - 9.0 * x[10]), gradient


@pytest.mark.parametrize("seed", range(5))
def test_a_density_that_rises_without_end_is_noticed(seed: int) -> None:
    """Nine nats for each factor e of the scale, though the optimiser's last steps gain nothing."""
    end = climb(collapsing, np.random.default_rng(seed).uniform(-1.0, 1.0, 11))
    assert end.position[10] < -10.0
    assert not end.converged
    assert still_rising(collapsing, end.position) == 10


def test_a_mode_does_not_rise() -> None:
    """Whatever the scale of a coordinate: sds of 1e-3, 1 and 1e8, at the mode and near it."""
    sd = np.array([1e-3, 1.0, 1e8])

    def scaled(x: Any) -> Any:
        return -0.5 * ((x / sd) ** 2).sum(), -x / sd**2

    assert still_rising(scaled, np.zeros(3)) is None
    assert still_rising(scaled, 0.5 * sd) is None
    assert still_rising(scaled, np.array([0.0, 9.0, 0.0])) == 1


def test_what_ends_in_nothing_finite_does_not_rise() -> None:
    """A wall without a density beyond is an end as well."""

    def wall(x: Any) -> Any:
        return (float(9.0 * x[0]) if x[0] < 1.0 else np.nan), np.array([9.0])

    assert still_rising(wall, np.array([0.5])) is None


def test_a_place_that_the_dtype_does_not_resolve_is_no_mode() -> None:
    """From one float32 near 0.2 to the next are 1.5e-8: more than the scale of this normal."""

    def narrow(x: Any) -> Any:
        z = (x - 0.2) / 1e-8
        return -0.5 * float(z @ z), -z / 1e-8

    end = np.array([0.2 + 1e-8])
    assert still_rising(narrow, end, np.float32) == 0
    assert still_rising(narrow, end) is None
