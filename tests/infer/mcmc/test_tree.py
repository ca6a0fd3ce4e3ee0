"""The doubling trajectory, against a plain recursive one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bayesdl.infer.mcmc.integrator import Place, Point, energy, leapfrog
from bayesdl.infer.mcmc.metric import Diagonal
from bayesdl.infer.mcmc.tree import Setting, Tree, alone, build, grow, is_turning
from bayesdl.ops import random

SD = np.array([1.0, 0.5])
UNIT = Diagonal(np.ones(2))


def density(q: Any) -> Any:
    return -0.5 * ((q / SD) ** 2).sum(), -q / SD**2


def setting(here: Point, place: Place, target: Any = density) -> Setting:
    return Setting(target, UNIT, energy(here.momentum, place.value, UNIT))


def point(q: Any, p: Any, target: Any = density) -> tuple[Point, Place]:
    value, gradient = target(np.asarray(q))
    return Point(np.asarray(q), np.asarray(p), gradient), Place(np.asarray(q), value, gradient)


def grown(seed: int, start: tuple[Point, Place], step: float, depth: int, **target: Any) -> Tree:
    return grow(random.key(seed), *start, np.float64(step), setting(*start, **target), depth)


def turns(points: list[Point]) -> bool:
    total = sum(p.momentum for p in points)
    return bool(is_turning(points[0].momentum, points[-1].momentum, total))


def recursive_turns(points: list[Point]) -> bool:
    """Whether any aligned subtree of a list of 2^k points turns."""
    if len(points) == 1:
        return False
    half = len(points) // 2
    return turns(points) or recursive_turns(points[:half]) or recursive_turns(points[half:])


@pytest.mark.parametrize("seed", range(12))
def test_a_half_ends_at_the_first_leaf_that_closes_a_turning_subtree(seed: int) -> None:
    """Subtrees of 2^k points that begin at a multiple of 2^k, against a look at all of them."""
    rng = np.random.default_rng(seed)
    here, place = point(rng.normal(size=2) * SD, rng.normal(size=2))
    step = np.float64(rng.uniform(0.02, 0.3))
    tree = replace(alone(random.key(seed), here, place, 8), depth=np.int64(8))
    found = build(random.key(seed), here, step, tree, setting(here, place))
    points = [here]
    for _ in range(2**8):
        points.append(leapfrog(points[-1], density, step, UNIT)[0])
        leaves = points[1:]
        sizes = [2**k for k in range(1, 9) if len(leaves) % 2**k == 0]
        if any(turns(leaves[-size:]) for size in sizes):
            break
    assert bool(found.turning)
    assert int(found.n_steps) == len(leaves)


@pytest.mark.parametrize("seed", range(12))
def test_stops_where_the_recursive_tree_stops(seed: int) -> None:
    """A trajectory of depth d is whole: no aligned part but the last half has turned."""
    rng = np.random.default_rng(seed)
    step = np.float64(0.15)
    tree = grown(seed, point(rng.normal(size=2) * SD, rng.normal(size=2)), step, 8)
    assert bool(tree.turning)
    assert not bool(tree.diverging)
    # A half that turned while it was built is left unfinished and is not among the points.
    depth, n_steps = int(tree.depth), int(tree.n_steps)
    assert 2 ** (depth - 1) - 1 < n_steps <= 2**depth - 1
    if n_steps == 2**depth - 1:
        points, at = [tree.left], tree.left
        for _ in range(n_steps):
            at = leapfrog(at, density, step, UNIT)[0]
            points.append(at)
        np.testing.assert_allclose(at.position, tree.right.position, atol=1e-9)
        np.testing.assert_allclose(sum(p.momentum for p in points), tree.momenta, atol=1e-9)
        half = len(points) // 2
        assert recursive_turns(points) or turns(points[: half + 1]) or turns(points[half - 1 :])
        assert not (recursive_turns(points[:half]) and recursive_turns(points[half:]))


def test_a_trajectory_that_has_come_full_circle_ends() -> None:
    """Four points that are a third of a period apart: neither half turns, nor do the ends."""
    angle = 2.0 * np.pi / 3.0
    step = np.float64(2.0 * np.sin(angle / 2.0))

    def round_density(q: Any) -> Any:
        return -0.5 * (q * q).sum(), -q

    for seed in range(20):
        rng = np.random.default_rng(seed)
        q, p = rng.normal(size=(2, 2))
        tree = grown(seed, point(q, p, round_density), step, 8, target=round_density)
        assert int(tree.depth) <= 2


def test_the_draw_lies_on_the_trajectory_with_its_own_gradient() -> None:
    tree = grown(5, point([1.0, 0.2], [0.5, -1.0]), 0.2, 6)
    value, gradient = density(tree.chosen.position)
    np.testing.assert_allclose(tree.chosen.value, value)
    np.testing.assert_allclose(tree.chosen.gradient, gradient)


def test_too_large_a_step_diverges_at_once() -> None:
    tree = grown(0, point([1.0, 0.2], [0.5, -1.0]), 1e4, 6)
    assert bool(tree.diverging)
    assert int(tree.n_steps) == 1
    np.testing.assert_array_equal(tree.chosen.position, [1.0, 0.2])


def test_depth_is_bounded() -> None:
    tree = grown(0, point([1.0, 0.2], [0.5, -1.0]), 1e-4, 3)
    assert int(tree.depth) == 3
    assert int(tree.n_steps) == 7
    assert not bool(tree.turning)
