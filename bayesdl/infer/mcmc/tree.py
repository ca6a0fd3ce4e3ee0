"""The doubling trajectory of NUTS: two nested loops and O(depth) checkpoints."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.infer.kernel import Density
from bayesdl.infer.rows import row, with_row
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random
from bayesdl.tracing.flow import cond, while_loop

from .hmc import DIVERGENCE, choose
from .integrator import Place, Point, energy, leapfrog
from .metric import Metric

MOST_GAINED = 60.0
"""A point whose energy is lower by more nats than this weighs no more, so that sums of weights are
finite, in float32 too. Energy errors so large do not come to pass: e⁻⁶⁰ is their probability."""


@dataclass(frozen=True)
class Open:
    """Subtrees of a half that are still growing, the largest first.

    Parameters
    ----------
    momenta, sums : Array, shape (max_depth, …)
        The momentum of a subtree's first point, and the sum of momenta before it.
    next : Array, shape (), int64
        The row of the subtree that begins next.
    """

    __tree__: ClassVar[bool] = True

    momenta: Any
    sums: Any
    next: Any


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
        Sum of the momenta of its points.
    weight : Array, shape ()
        Sum of exp(−energy error) of its points.
    depth, n_steps : Array, shape (), int64
    turning, diverging : Array, shape (), bool
    acceptance : Array, shape ()
        Sum of the acceptance probabilities of its points but the first.
    worst : Array, shape ()
        The largest energy error.
    open : Open
        Where the next half keeps its own parts.
    key : Array, shape (2,)
        Of the next random numbers.
    """

    __tree__: ClassVar[bool] = True

    left: Point
    right: Point
    chosen: Place
    error: Any
    momenta: Any
    weight: Any
    depth: Any
    n_steps: Any
    turning: Any
    diverging: Any
    acceptance: Any
    worst: Any
    open: Open
    key: Any


@dataclass(frozen=True)
class Branch:
    """The new half of a trajectory while it is built, outwards; `outer` is its last point."""

    __tree__: ClassVar[bool] = True

    outer: Point
    chosen: Place
    error: Any
    momenta: Any
    weight: Any
    n_steps: Any
    turning: Any
    diverging: Any
    acceptance: Any
    worst: Any
    open: Open
    key: Any


@dataclass(frozen=True)
class Setting:
    """What stays the same along a trajectory.

    Parameters
    ----------
    density : callable
    metric : Metric
    start_energy : Array, shape ()
    """

    density: Density
    metric: Metric
    start_energy: Any


def grow(
    key: Any, here: Point, place: Place, step_size: Any, setting: Setting, max_depth: int
) -> Tree:
    """Double a trajectory, in either direction, until it turns, diverges or is deep enough.

    Parameters
    ----------
    key : Array, shape (2,)
    here : Point
        The first point, with its fresh momentum.
    place : Place
        Where it lies.
    step_size : Array, shape ()
    setting : Setting
    max_depth : int
    """

    def double(tree: Tree) -> Tree:
        (side, draw), following = random.uniform_and_key(tree.key, 2, step_size.dtype)
        forwards = side < 0.5
        edge = choose(forwards, tree.right, tree.left)
        signed = bnp.where(forwards, step_size, -step_size)
        branch = build(following, edge, signed, tree, setting)
        return _join(draw, tree, branch, forwards, setting.metric.weights)

    def growing(tree: Tree) -> Any:
        return (tree.depth < max_depth) & bnp.logical_not(tree.turning | tree.diverging)

    result: Tree = while_loop(growing, double, alone(key, here, place, max_depth))
    return result


def alone(key: Any, here: Point, place: Place, max_depth: int) -> Tree:
    """The trajectory of one point."""
    zero = bnp.zeros_like(place.value)
    # Rows are written before they are read, so halves hand them on as they are.
    rows = bnp.zeros((max(max_depth, 1), *here.momentum.shape), here.momentum.dtype)
    return Tree(
        left=here,
        right=here,
        chosen=place,
        error=zero,
        momenta=here.momentum,
        weight=zero + 1.0,
        depth=0,
        n_steps=0,
        turning=False,
        diverging=False,
        acceptance=zero,
        worst=zero,
        open=Open(rows, rows, np.int64(0)),
        key=key,
    )


def build(key: Any, edge: Point, step_size: Any, tree: Tree, setting: Setting) -> Branch:
    """As many steps outwards from an edge as a trajectory has points, unless they turn before."""
    goal = bnp.left_shift(np.int64(1), tree.depth)
    zero = bnp.zeros_like(step_size)
    first = Branch(
        outer=edge,
        chosen=tree.chosen,
        error=zero,
        momenta=bnp.zeros_like(edge.momentum),
        weight=zero,
        n_steps=0,
        turning=False,
        diverging=False,
        acceptance=zero,
        worst=zero,
        open=replace(tree.open, next=0),
        key=key,
    )

    def building(branch: Branch) -> Any:
        return (branch.n_steps < goal) & bnp.logical_not(branch.turning | branch.diverging)

    def extend(branch: Branch) -> Branch:
        return _with_turns(_with_leaf(branch, step_size, setting), setting.metric.weights)

    result: Branch = while_loop(building, extend, first)
    return result


def _with_leaf(branch: Branch, step_size: Any, setting: Setting) -> Branch:
    """One more point; it is chosen with the probability that its weight gives it."""
    leaf, place = leapfrog(branch.outer, setting.density, step_size, setting.metric)
    error = energy(leaf.momentum, place.value, setting.metric) - setting.start_energy
    error = bnp.where(bnp.isnan(error), bnp.inf, error)
    own = bnp.exp(-bnp.maximum(error, -MOST_GAINED))
    weight = branch.weight + own
    (draw,), key = random.uniform_and_key(branch.key, 1, weight.dtype)
    taken = draw * weight < own
    return replace(
        branch,
        outer=leaf,
        chosen=choose(taken, place, branch.chosen),
        error=bnp.where(taken, error, branch.error),
        momenta=branch.momenta + leaf.momentum,
        weight=weight,
        n_steps=branch.n_steps + 1,
        diverging=error > DIVERGENCE,
        acceptance=branch.acceptance + bnp.minimum(own, 1.0),
        worst=bnp.where(bnp.abs(error) > bnp.abs(branch.worst), error, branch.worst),
        key=key,
    )


def _with_turns(branch: Branch, weights: Any) -> Branch:
    """Open a subtree at an even leaf; at an odd one, check every subtree that it closes.

    A leaf closes as many subtrees as its number has trailing ones. The row of the largest stays,
    for a larger one has the same first point.
    """
    leaf, kept = branch.n_steps - 1, branch.open

    def keep(branch: Branch) -> Branch:
        before = branch.momenta - branch.outer.momentum
        momenta = with_row(kept.momenta, branch.outer.momentum, kept.next)
        return replace(
            branch, open=Open(momenta, with_row(kept.sums, before, kept.next), kept.next)
        )

    def check(branch: Branch) -> Branch:
        def turns(slot: Any) -> Any:
            first = row(branch.open.momenta, slot)
            total = branch.momenta - row(branch.open.sums, slot)
            return is_turning(first, branch.outer.momentum, weights * total)

        def closing(carry: tuple[Any, Any, Any]) -> Any:
            rest, _, turning = carry
            return is_odd(rest) & bnp.logical_not(turning)

        _, below, turning = while_loop(
            closing,
            lambda carry: (bnp.right_shift(carry[0], np.int64(1)), carry[1] - 1, turns(carry[1])),
            (leaf, kept.next, False),
        )
        return replace(branch, turning=turning, open=replace(branch.open, next=below + 2))

    checked: Branch = cond(is_odd(leaf), check, keep, branch)
    return checked


def is_odd(number: Any) -> Any:
    """Whether an integer is odd."""
    return bnp.bitwise_and(number, np.int64(1)) == 1


def is_turning(left: Any, right: Any, flow: Any) -> Any:
    """Whether a stretch of trajectory has begun to come back: the generalised U-turn criterion.

    Parameters
    ----------
    left, right : Array
        Momenta at its ends, scaled by the metric.
    flow : Array
        Sum of the momenta of all its points, times the metric's weights.

    References
    ----------
    Betancourt (2017), appendix A.4.2 (arXiv:1701.02434).
    """
    return ((left * flow).sum() <= 0.0) | ((right * flow).sum() <= 0.0)


def _join(draw: Any, tree: Tree, branch: Branch, forwards: Any, weights: Any) -> Tree:
    """Both halves as one; the draw moves to the new half with probability min(1, w_new / w_old)."""
    broken = branch.turning | branch.diverging
    moves = (draw * tree.weight < branch.weight) & bnp.logical_not(broken)
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
        weight=tree.weight + branch.weight,
        depth=tree.depth + 1,
        n_steps=tree.n_steps + branch.n_steps,
        turning=branch.turning | turning,
        diverging=branch.diverging,
        acceptance=tree.acceptance + branch.acceptance,
        worst=bnp.where(bnp.abs(branch.worst) > bnp.abs(tree.worst), branch.worst, tree.worst),
        open=branch.open,
        key=branch.key,
    )


def _turns_across(tree: Tree, branch: Branch, forwards: Any, weights: Any) -> Any:
    """Whether the old half with the point after it turns, or the new half with the one before it.

    Where a full circle fits into a trajectory its ends move apart again, as do those of its halves.
    """
    near = bnp.where(forwards, tree.right.momentum, tree.left.momentum)
    far = bnp.where(forwards, tree.left.momentum, tree.right.momentum)
    first = row(branch.open.momenta, np.int64(0))
    old = is_turning(far, first, weights * (tree.momenta + first))
    new = is_turning(near, branch.outer.momentum, weights * (branch.momenta + near))
    return old | new
