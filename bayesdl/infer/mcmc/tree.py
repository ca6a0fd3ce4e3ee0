"""The doubling trajectory of NUTS: two nested loops and O(depth) checkpoints."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.infer.kernel import Density
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random
from bayesdl.ops.structural import dynamic_slice, dynamic_update_slice
from bayesdl.tracing.flow import cond, while_loop

from .hmc import DIVERGENCE, choose
from .integrator import Place, Point, energy, leapfrog
from .metric import Metric


@dataclass(frozen=True)
class Tree:
    """A trajectory so far.

    Parameters
    ----------
    left, right : Point
        Its ends.
    chosen : Place
        The draw from among its points.
    error : Array, shape ()
        The energy error of that point.
    momenta : Array
        Sum of the lifted momenta of its points.
    log_weight : Array, shape ()
        Log of the sum of exp(−energy error) of its points.
    depth, n_steps : Array, shape (), int64
    turning, diverging : Array, shape (), bool
    acceptance : Array, shape ()
        Sum of the acceptance probabilities of its points but the first.
    worst : Array, shape ()
        The largest energy error.
    """

    __tree__: ClassVar[bool] = True

    left: Point
    right: Point
    chosen: Place
    error: Any
    momenta: Any
    log_weight: Any
    depth: Any
    n_steps: Any
    turning: Any
    diverging: Any
    acceptance: Any
    worst: Any


@dataclass(frozen=True)
class Branch:
    """The new half of a trajectory while it is built, outwards.

    `outer` is its last point. `momenta_kept[s]` and `sums_kept[s]` are the momentum of the first
    point of an open subtree, and the sum of momenta before it.
    """

    __tree__: ClassVar[bool] = True

    outer: Point
    chosen: Place
    error: Any
    momenta: Any
    log_weight: Any
    n_steps: Any
    turning: Any
    diverging: Any
    acceptance: Any
    worst: Any
    momenta_kept: Any
    sums_kept: Any


@dataclass(frozen=True)
class _Setting:
    """What stays the same along a trajectory."""

    density: Density
    metric: Metric
    start_energy: Any
    max_depth: int


def grow(
    key: Any, here: Point, density: Density, step_size: Any, metric: Metric, max_depth: int
) -> Tree:
    """Double a trajectory, in either direction, until it turns, diverges or is deep enough.

    Parameters
    ----------
    key : Array, shape (2,)
    here : Point
        The first point, with its fresh momentum.
    density : callable
    step_size : Array, shape ()
    metric : Metric
    max_depth : int
    """
    setting = _Setting(density, metric, energy(here, metric), max_depth)
    zero = bnp.zeros_like(step_size)
    first = Tree(
        left=here,
        right=here,
        chosen=here.place,
        error=zero,
        momenta=here.momentum,
        log_weight=zero,
        depth=0,
        n_steps=0,
        turning=False,
        diverging=False,
        acceptance=zero,
        worst=zero,
    )

    def double(tree: Tree) -> Tree:
        keys = random.split(random.fold_in(key, tree.depth), 3)
        forwards = random.uniform(keys[0], dtype=step_size.dtype) < 0.5
        edge = choose(forwards, tree.right, tree.left)
        signed = bnp.where(forwards, step_size, -step_size)
        branch = _build(keys[1], edge, signed, tree.depth, setting)
        return _join(keys[2], tree, branch, forwards, metric.weights)

    def growing(tree: Tree) -> Any:
        return (tree.depth < max_depth) & bnp.logical_not(tree.turning | tree.diverging)

    result: Tree = while_loop(growing, double, first)
    return result


def _build(key: Any, edge: Point, step_size: Any, depth: Any, setting: _Setting) -> Branch:
    """2^depth leapfrog steps outwards from an edge, unless they turn or diverge before."""
    goal = bnp.left_shift(np.int64(1), depth)
    zero = bnp.zeros_like(step_size)
    kept = bnp.zeros((max(setting.max_depth, 1), *edge.momentum.shape), edge.momentum.dtype)
    first = Branch(
        outer=edge,
        chosen=edge.place,
        error=zero,
        momenta=bnp.zeros_like(edge.momentum),
        log_weight=zero - np.inf,
        n_steps=0,
        turning=False,
        diverging=False,
        acceptance=zero,
        worst=zero,
        momenta_kept=kept,
        sums_kept=kept,
    )

    def building(branch: Branch) -> Any:
        return (branch.n_steps < goal) & bnp.logical_not(branch.turning | branch.diverging)

    def extend(branch: Branch) -> Branch:
        return _with_turns(
            _with_leaf(random.fold_in(key, branch.n_steps), branch, step_size, setting), setting
        )

    result: Branch = while_loop(building, extend, first)
    return result


def _with_leaf(key: Any, branch: Branch, step_size: Any, setting: _Setting) -> Branch:
    """One more point; it is chosen with the probability that its weight gives it."""
    leaf = leapfrog(branch.outer, setting.density, step_size, setting.metric)
    error = energy(leaf, setting.metric) - setting.start_energy
    error = bnp.where(bnp.isnan(error), bnp.inf, error)
    log_weight = bnp.logaddexp(branch.log_weight, -error)
    taken = bnp.log(random.uniform(key, dtype=log_weight.dtype)) < -error - log_weight
    return replace(
        branch,
        outer=leaf,
        chosen=choose(taken, leaf.place, branch.chosen),
        error=bnp.where(taken, error, branch.error),
        momenta=branch.momenta + leaf.momentum,
        log_weight=log_weight,
        n_steps=branch.n_steps + 1,
        diverging=error > DIVERGENCE,
        acceptance=branch.acceptance + bnp.exp(-bnp.maximum(error, 0.0)),
        worst=bnp.where(bnp.abs(error) > bnp.abs(branch.worst), error, branch.worst),
    )


def _with_turns(branch: Branch, setting: _Setting) -> Branch:
    """Open a subtree at an even leaf; at an odd one, check every subtree that it closes."""
    leaf = branch.n_steps - 1
    highest, closed = slots(leaf, setting.max_depth)

    def keep(branch: Branch) -> Branch:
        before = branch.momenta - branch.outer.momentum
        return replace(
            branch,
            momenta_kept=_with_row(branch.momenta_kept, highest, branch.outer.momentum),
            sums_kept=_with_row(branch.sums_kept, highest, before),
        )

    def check(branch: Branch) -> Branch:
        def turns(slot: Any) -> Any:
            first = _row(branch.momenta_kept, slot)
            total = branch.momenta - _row(branch.sums_kept, slot)
            return is_turning(first, branch.outer.momentum, setting.metric.weights * total)

        slot_and_turning = while_loop(
            lambda carry: (carry[0] > highest - closed) & bnp.logical_not(carry[1]),
            lambda carry: (carry[0] - 1, turns(carry[0])),
            (highest, False),
        )
        return replace(branch, turning=slot_and_turning[1])

    checked: Branch = cond(closed == 0, keep, check, branch)
    return checked


def slots(leaf: Any, max_depth: int) -> tuple[Any, Any]:
    """Checkpoint of a leaf, and the number of subtrees that it closes.

    A leaf's checkpoint is the number of ones in leaf // 2; it closes as many subtrees as it has
    trailing ones. The closed subtrees begin at that checkpoint and the ones below it.

    Examples
    --------
    >>> [tuple(int(i) for i in slots(n, 3)) for n in range(8)]
    [(0, 0), (0, 1), (1, 0), (1, 2), (1, 0), (1, 1), (2, 0), (2, 3)]
    """
    ones, trailing, unbroken = np.int64(0), np.int64(0), np.int64(1)
    for place in range(max(max_depth, 1)):
        bit = bnp.bitwise_and(bnp.right_shift(leaf, np.int64(place)), np.int64(1))
        unbroken = unbroken * bit
        trailing = trailing + unbroken
        ones = ones + bit if place else ones
    return ones, trailing


def is_turning(left: Any, right: Any, flow: Any) -> Any:
    """Whether a stretch of trajectory has begun to come back: the generalised U-turn criterion.

    Parameters
    ----------
    left, right : Array
        Momenta at its ends, lifted by the metric.
    flow : Array
        Sum of the momenta of all its points, times the metric's weights.

    References
    ----------
    Betancourt (2017), appendix A.4.2 (arXiv:1701.02434).
    """
    return ((left * flow).sum() <= 0.0) | ((right * flow).sum() <= 0.0)


def _join(key: Any, tree: Tree, branch: Branch, forwards: Any, weights: Any) -> Tree:
    """Both halves as one; the draw moves to the new half with probability min(1, w_new / w_old)."""
    broken = branch.turning | branch.diverging
    draw = bnp.log(random.uniform(key, dtype=tree.log_weight.dtype))
    moves = (draw < branch.log_weight - tree.log_weight) & bnp.logical_not(broken)
    left = choose(forwards, tree.left, branch.outer)
    right = choose(forwards, branch.outer, tree.right)
    momenta = tree.momenta + branch.momenta
    turning = is_turning(left.momentum, right.momentum, weights * momenta) | _turns_across(
        tree, branch, forwards, weights
    )
    return Tree(
        left=left,
        right=right,
        chosen=choose(moves, branch.chosen, tree.chosen),
        error=bnp.where(moves, branch.error, tree.error),
        momenta=momenta,
        log_weight=bnp.logaddexp(tree.log_weight, branch.log_weight),
        depth=tree.depth + 1,
        n_steps=tree.n_steps + branch.n_steps,
        turning=branch.turning | turning,
        diverging=branch.diverging,
        acceptance=tree.acceptance + branch.acceptance,
        worst=bnp.where(bnp.abs(branch.worst) > bnp.abs(tree.worst), branch.worst, tree.worst),
    )


def _turns_across(tree: Tree, branch: Branch, forwards: Any, weights: Any) -> Any:
    """Whether the old half with the point after it turns, or the new half with the one before it.

    Where a full circle fits into a trajectory its ends move apart again, as do those of its halves.
    """
    near = bnp.where(forwards, tree.right.momentum, tree.left.momentum)
    far = bnp.where(forwards, tree.left.momentum, tree.right.momentum)
    first = _row(branch.momenta_kept, np.int64(0))
    old = is_turning(far, first, weights * (tree.momenta + first))
    new = is_turning(near, branch.outer.momentum, weights * (branch.momenta + near))
    return old | new


def _row(table: Any, slot: Any) -> Any:
    return dynamic_slice(table, slot, np.int64(0), sizes=(1, table.shape[1])).reshape(
        table.shape[1:]
    )


def _with_row(table: Any, slot: Any, row: Any) -> Any:
    return dynamic_update_slice(table, row.reshape((1, *row.shape)), slot, np.int64(0))
