"""Metrics of correlated targets, from positions and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bayesdl.infer.mcmc.directions import (
    EARLY,
    MEMORY,
    RANK,
    LearnDirections,
    geometric_mean,
    remember,
)
from bayesdl.infer.mcmc.integrator import Place
from bayesdl.infer.mcmc.metric import Metric, Stretched, Turned
from bayesdl.ir.types import ArrayType
from bayesdl.pipeline import compile
from bayesdl.tracing import trace


def covariance(dim: int, seed: int = 0) -> Any:
    """Correlated, of condition 1e4, scales beside."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    scale = np.exp(rng.normal(size=dim))
    return (turn * np.logspace(-2.0, 2.0, dim)) @ turn.T * scale[:, None] * scale


def learnt(how: LearnDirections, target: Any, count: int, seed: int = 1) -> Any:
    """The metric after `count` independent draws of a normal target, in one window."""
    rng = np.random.default_rng(seed)
    root, precision = np.linalg.cholesky(target), np.linalg.inv(target)
    memory, metric = how.start(np.ones(len(target)))
    for i in range(count):
        x = root @ rng.normal(size=len(target))
        place = Place(x, np.zeros(()), -precision @ x)
        memory, metric = how.learn(memory, metric, place, np.bool_(i == count - 1))
    return metric


def inverse_mass(metric: Metric, dim: int) -> Any:
    """M⁻¹ = L Lᵀ."""
    return np.array([metric.velocity(metric.scaled(e)) for e in np.eye(dim)])


def whitened(metric: Metric, target: Any) -> Any:
    """Eigenvalues of the target's precision times M⁻¹: all one where M⁻¹ is its covariance."""
    found = inverse_mass(metric, len(target))
    return np.sort(np.linalg.eigvals(np.linalg.solve(target, found)).real)


def test_dense_is_the_covariance_of_a_normal_target() -> None:
    """Up to the weight of the guess, a hundredth of a point in 60."""
    target = covariance(12)
    metric = learnt(LearnDirections((tuple(range(12)),), low_rank=False), target, 60)
    found = whitened(metric, target)
    assert 0.95 < found[0] < found[-1] < 1.05


def test_blocks_leave_the_rest_diagonal() -> None:
    target = np.eye(5)
    target[np.ix_([1, 3], [1, 3])] = [[4.0, 1.9], [1.9, 1.0]]
    metric = learnt(LearnDirections(((3, 1),), low_rank=False), target, 80)
    assert isinstance(metric, Stretched)
    assert int(metric.count) == 2
    assert not np.any(metric.directions[:, [0, 2, 4]])
    np.testing.assert_allclose(whitened(metric, target), 1.0, atol=0.05)


def test_low_rank_leaves_nearly_round_targets_alone() -> None:
    """A direction whose variance is within a factor of two of one is not kept."""
    target = np.eye(6) + 0.2
    metric = learnt(LearnDirections((tuple(range(6)),), low_rank=True), target, 200)
    assert isinstance(metric, Turned)
    assert not metric.in_use


def test_low_rank_keeps_the_extremes() -> None:
    """Of 80 directions the 32 at either end are put right; those between them stay as they were."""
    dim = RANK + 16
    target = covariance(dim)
    metric = learnt(LearnDirections((tuple(range(dim)),), low_rank=True), target, 250)
    before = whitened(learnt(LearnDirections(((0,),), low_rank=False), target, 250), target)
    after = whitened(metric, target)
    np.testing.assert_allclose(metric.root, metric.root.T, atol=1e-12)
    assert after[-1] / after[0] < 0.05 * before[-1] / before[0]


def test_more_coordinates_than_points_and_gradients_span() -> None:
    """One long and one short direction of 600 (sd 20 and 0.1) are found from 250 points."""
    dim = 2 * MEMORY + 88
    long, short = np.zeros(dim), np.zeros(dim)
    long[:9], short[9:18] = 1.0 / 3.0, 1.0 / 3.0
    target = np.eye(dim) + 399.0 * np.outer(long, long) - 0.99 * np.outer(short, short)
    metric = learnt(LearnDirections((tuple(range(dim)),), low_rank=True), target, 250)
    along = [v @ metric.velocity(metric.scaled(v)) for v in (long, short)]
    assert 100.0 < along[0] < 800.0
    assert along[1] < 0.05


def test_points_of_two_windows_are_used() -> None:
    """Older ones are forgotten, whatever they were."""
    how = LearnDirections(((0, 1),), low_rank=False)
    rng = np.random.default_rng(3)
    memory, metric = how.start(np.ones(2))
    metrics = []
    for i in range(150):
        x = rng.normal(size=2) * (100.0 if i < 50 else 1.0)
        place = Place(x, np.zeros(()), -x / (1e4 if i < 50 else 1.0))
        memory, metric = how.learn(memory, metric, place, np.bool_(i % 50 == 49))
        metrics.append(inverse_mass(metric, 2)[0, 0])
    assert metrics[49] == pytest.approx(1e4, rel=0.01)
    assert metrics[99] > 10.0
    assert metrics[149] == pytest.approx(1.0, rel=0.01)


def test_scales_of_the_first_points_are_learnt_at_each() -> None:
    """Later ones at a window's end, together with the directions."""
    how = LearnDirections(((0, 1),), low_rank=False)
    rng = np.random.default_rng(4)
    sd = np.array([1e-3, 1e3])
    memory, metric = how.start(np.ones(2))
    scales = []
    for i in range(EARLY + 20):
        factor = 1.0 if i < EARLY else 100.0
        x = sd * factor * rng.normal(size=2)
        place = Place(x, np.zeros(()), -x / (sd * factor) ** 2)
        memory, metric = how.learn(memory, metric, place, np.bool_(False))
        scales.append(metric.scale)
    np.testing.assert_array_equal(scales[2], scales[0])
    np.testing.assert_allclose(scales[5], sd)
    np.testing.assert_array_equal(scales[-1], scales[EARLY - 2])


def test_the_memory_goes_round() -> None:
    how = LearnDirections(((0,),), low_rank=False)
    memory, _ = how.start(np.ones(1))
    for i in range(MEMORY + 3):
        x = np.full(1, float(i))
        memory = remember(memory, Place(x, np.zeros(()), -x))
    assert sorted(memory.positions[:, 0]) == list(range(3, MEMORY + 3))


def test_points_that_do_not_differ_change_nothing() -> None:
    how = LearnDirections(((0, 1),), low_rank=False)
    memory, first = how.start(np.array([0.0, 3.0]))
    x = np.ones(2)
    with np.errstate(all="ignore"):
        for i in range(12):
            memory, metric = how.learn(memory, first, Place(x, np.zeros(()), x), np.bool_(i == 11))
    np.testing.assert_allclose(inverse_mass(metric, 2), inverse_mass(first, 2))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_native_code_finds_the_same(dtype: Any) -> None:
    x = np.random.default_rng(5).normal(size=(40, 6)).astype(dtype)
    g = -(x @ np.diag(np.arange(1.0, 7.0))).astype(dtype)
    kind = ArrayType(x.shape, x.dtype)
    native = compile(trace(geometric_mean, kind, kind, name="mean").program)
    tolerance = 1e-3 if dtype == np.float32 else 1e-9
    for found, expected in zip(native(x, g), geometric_mean(x, g), strict=True):
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
