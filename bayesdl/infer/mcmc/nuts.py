"""The No-U-Turn sampler: Hamiltonian trajectories that stop when they turn back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from bayesdl._base.tree import tree_map
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random
from bayesdl.ops.structural import dynamic_slice, dynamic_update_slice
from bayesdl.tracing.flow import cond, while_loop

from ..kernel import Density, Kernel, Phase, kernel
from .adaptation import Adaptation, adapt, start_adaptation, step_size_in_use
from .integrator import kinetic_energy, leapfrog

# A trajectory whose energy error exceeds this many nats has diverged (Betancourt 2017, section 6.2).
DIVERGENCE = 1000.0


@dataclass(frozen=True)
class Edge:
    """One end of a trajectory."""

    __tree__: ClassVar[bool] = True
    position: Any
    momentum: Any
    gradient: Any


@dataclass(frozen=True)
class Proposal:
    """A point of the trajectory chosen so far, with all that the next step needs of it."""

    __tree__: ClassVar[bool] = True
    position: Any
    value: Any
    gradient: Any
    energy: Any


@dataclass(frozen=True)
class Branch:
    """A run of consecutive points: its proposal, its weight, and what was met on the way."""

    __tree__: ClassVar[bool] = True
    end: Edge
    proposal: Proposal
    log_weight: Any
    momentum_sum: Any
    first_momentum: Any
    acceptance: Any
    steps: Any
    worst_error: Any
    turning: Any
    diverging: Any


@dataclass(frozen=True)
class State:
    """Position, log density and gradient there, and what is learnt."""

    __tree__: ClassVar[bool] = True
    position: Any
    value: Any
    gradient: Any
    adaptation: Adaptation


@dataclass(frozen=True)
class Info:
    """Statistics of one draw under ArviZ's names."""

    __tree__: ClassVar[bool] = True
    lp: Any
    acceptance_rate: Any
    step_size: Any
    tree_depth: Any
    n_steps: Any
    diverging: Any
    energy: Any
    max_energy_error: Any
    reached_max_treedepth: Any


@kernel
@dataclass(frozen=True)
class NUTS(Kernel):
    """Multinomial No-U-Turn sampler with a diagonal metric.

    The trajectory doubles forward or backward in time until it makes a U-turn. The next draw is chosen
    along it by weight exp(−energy), uniformly within a branch and biased to the new branch between
    branches.

    *Invariant distribution*: the density's. *Cost*: 2^depth − 1 gradients a step at most.
    *Departs from the paper in*: branches are built in a loop with a stack of momenta (one entry a level)
    instead of by recursion; the U-turn criterion is the generalised one, also across the join of branches.

    Parameters
    ----------
    target_accept : float, default 0.8
        Acceptance that the step size is tuned for, in (0, 1).
    max_treedepth : int, default 10
        Largest number of doublings.

    References
    ----------
    Hoffman & Gelman (2014), The No-U-Turn sampler (arXiv:1111.4246). Betancourt (2017), A conceptual
    introduction to Hamiltonian Monte Carlo, appendix A (arXiv:1701.02434). Phan, Pradhan & Jankowiak
    (2019), Composable effects for flexible and accelerated probabilistic programming, appendix A
    (arXiv:1912.11554).
    """

    target_accept: float = 0.8
    max_treedepth: int = 10

    def init(self, key: Any, position: Any, density: Density) -> State:
        value, gradient = density(position)
        momentum = random.normal(key, np.shape(position))
        first = start_adaptation(density, position, value, gradient, momentum)
        return State(position, value, gradient, first)

    def step(self, key: Any, state: State, density: Density, phase: Phase) -> tuple[State, Info]:
        inverse_mass = state.adaptation.inverse_mass
        step_size = step_size_in_use(state.adaptation, phase)
        start = random.normal(random.fold_in(key, 0), np.shape(state.position)) / bnp.sqrt(inverse_mass)
        energy = kinetic_energy(start, inverse_mass) - state.value
        tree = _Tree(density, inverse_mass, step_size, energy, self.max_treedepth)
        depth, whole = tree.grow(random.fold_in(key, 1), state, start)
        chosen = whole.proposal
        acceptance = whole.acceptance / bnp.maximum(whole.steps.astype(np.float64), 1.0)
        learnt = adapt(state.adaptation, chosen.position, acceptance, self.target_accept, phase)
        info = Info(
            lp=chosen.value,
            acceptance_rate=acceptance,
            step_size=step_size,
            tree_depth=depth,
            n_steps=whole.steps,
            diverging=whole.diverging,
            energy=chosen.energy,
            max_energy_error=whole.worst_error,
            reached_max_treedepth=bnp.logical_and(
                depth >= self.max_treedepth, ~(whole.turning | whole.diverging)
            ),
        )
        return State(chosen.position, chosen.value, chosen.gradient, learnt), info


@dataclass(frozen=True)
class _Tree:
    """The trajectory of one step; every method is a piece of its Program."""

    density: Density
    inverse_mass: Any
    step_size: Any
    start_energy: Any
    max_depth: int

    def grow(self, key: Any, state: State, momentum: Any) -> tuple[Any, Branch]:
        """Double until the trajectory turns, diverges or is deep enough."""
        here = Edge(state.position, momentum, state.gradient)
        proposal = Proposal(state.position, state.value, state.gradient, self.start_energy)
        root = self._branch(here, proposal, bnp.zeros_like(state.value), 0.0, 0)
        carry = (0, here, here, root)

        def going(carry: Any) -> Any:
            depth, _, _, whole = carry
            return (depth < self.max_depth) & ~(whole.turning | whole.diverging)

        def double(carry: Any) -> Any:
            depth, left, right, whole = carry
            level = random.fold_in(key, depth)
            forward = random.uniform(random.fold_in(level, 0)) < 0.5
            edge = _choose(forward, right, left)
            direction = bnp.where(forward, 1.0, -1.0)
            new = self._subtree(random.fold_in(level, 1), edge, direction, depth)
            joined = self._join(random.fold_in(level, 2), whole, new, left, right, forward)
            left = _choose(forward, left, new.end)
            right = _choose(forward, new.end, right)
            return depth + 1, left, right, joined

        depth, _, _, whole = while_loop(going, double, carry)
        return depth, whole

    def _branch(self, end: Edge, proposal: Proposal, log_weight: Any, acceptance: Any, steps: int) -> Branch:
        no = bnp.zeros((), np.bool_)
        return Branch(
            end=end,
            proposal=proposal,
            log_weight=log_weight,
            momentum_sum=end.momentum,
            first_momentum=end.momentum,
            acceptance=bnp.zeros_like(log_weight) + acceptance,
            steps=bnp.zeros((), np.int64) + steps,
            worst_error=bnp.zeros_like(log_weight),
            turning=no,
            diverging=no,
        )

    def _leaf(self, edge: Edge, direction: Any) -> Branch:
        """One leapfrog step as a branch of one point."""
        step = direction * self.step_size
        position, momentum, value, gradient = leapfrog(
            self.density, edge.position, edge.momentum, edge.gradient, step, self.inverse_mass
        )
        energy = kinetic_energy(momentum, self.inverse_mass) - value
        error = energy - self.start_energy
        error = bnp.where(bnp.isnan(error), bnp.inf, error)
        end = Edge(position, momentum, gradient)
        return Branch(
            end=end,
            proposal=Proposal(position, value, gradient, energy),
            log_weight=-error,
            momentum_sum=momentum,
            first_momentum=momentum,
            acceptance=bnp.minimum(bnp.exp(-error), 1.0),
            steps=bnp.ones((), np.int64),
            worst_error=error,
            turning=bnp.zeros((), np.bool_),
            diverging=error > DIVERGENCE,
        )

    def _subtree(self, key: Any, edge: Edge, direction: Any, depth: Any) -> Branch:
        """2^depth points, one after the other; U-turns of every balanced part are caught as they close."""
        size = bnp.left_shift(np.int64(1), depth)
        first = self._leaf(edge, direction)
        rows = bnp.zeros((max(self.max_depth, 1), *np.shape(edge.momentum)))
        momenta, sums = _write(rows, 0, first.end.momentum), _write(rows, 0, first.end.momentum)

        def going(carry: Any) -> Any:
            branch, _, _ = carry
            return (branch.steps < size) & ~(branch.turning | branch.diverging)

        def extend(carry: Any) -> Any:
            branch, momenta, sums = carry
            index = branch.steps
            leaf = self._leaf(branch.end, direction)
            branch = self._append(random.fold_in(key, index), branch, leaf)
            even = bnp.equal(index & 1, 0)
            level = _count_bits(bnp.right_shift(index, 1), self.max_depth)
            momenta, sums = cond(
                even,
                lambda: (_write(momenta, level, leaf.end.momentum), _write(sums, level, branch.momentum_sum)),
                lambda: (momenta, sums),
            )
            turning = cond(
                even,
                lambda: branch.turning,
                lambda: self._closed_parts_turn(index, level, leaf.end.momentum, branch.momentum_sum, momenta, sums),
            )
            return replace(branch, turning=turning), momenta, sums

        branch, _, _ = while_loop(going, extend, (first, momenta, sums))
        return branch

    def _closed_parts_turn(
        self, index: Any, level: Any, momentum: Any, total: Any, momenta: Any, sums: Any
    ) -> Any:
        """Whether a balanced part that ends with point `index` turns; one part per trailing 1 bit."""
        trailing = _count_bits(index & ~(index + 1), self.max_depth)
        lowest = level - trailing + 1

        def going(carry: Any) -> Any:
            at, turning = carry
            return (at >= lowest) & ~turning

        def look(carry: Any) -> Any:
            at, _ = carry
            begin = _read(momenta, at)
            part = total - _read(sums, at) + begin
            return at - 1, self._turns(begin, momentum, part)

        return while_loop(going, look, (level, bnp.zeros((), np.bool_)))[1]

    def _turns(self, first: Any, last: Any, total: Any) -> Any:
        """Betancourt (2017), A.4.2: neither end moves along the summed momentum any more."""
        along = self.inverse_mass * total
        return (bnp.sum(first * along) <= 0.0) | (bnp.sum(last * along) <= 0.0)

    def _append(self, key: Any, branch: Branch, leaf: Branch) -> Branch:
        """A branch with one more point; the proposal moves there with its share of the weight."""
        weight = bnp.logaddexp(branch.log_weight, leaf.log_weight)
        take = bnp.log(random.uniform(key)) < leaf.log_weight - weight
        return Branch(
            end=leaf.end,
            proposal=_choose(take, leaf.proposal, branch.proposal),
            log_weight=weight,
            momentum_sum=branch.momentum_sum + leaf.momentum_sum,
            first_momentum=branch.first_momentum,
            acceptance=branch.acceptance + leaf.acceptance,
            steps=branch.steps + 1,
            worst_error=_larger(branch.worst_error, leaf.worst_error),
            turning=branch.turning,
            diverging=leaf.diverging,
        )

    def _join(self, key: Any, old: Branch, new: Branch, left: Edge, right: Edge, forward: Any) -> Branch:
        """Old trajectory and new branch; the proposal prefers the new branch (biased progressive)."""
        usable = ~(new.turning | new.diverging)
        take = usable & (bnp.log(random.uniform(key)) < new.log_weight - old.log_weight)
        total = old.momentum_sum + new.momentum_sum
        near, far = _choose(forward, right, left), _choose(forward, left, right)
        # The whole, and the two overlapping parts across the join.
        turning = (
            self._turns(far.momentum, new.end.momentum, total)
            | self._turns(far.momentum, new.first_momentum, old.momentum_sum + new.first_momentum)
            | self._turns(near.momentum, new.end.momentum, new.momentum_sum + near.momentum)
        )
        return Branch(
            end=new.end,
            proposal=_choose(take, new.proposal, old.proposal),
            log_weight=bnp.logaddexp(old.log_weight, new.log_weight),
            momentum_sum=total,
            first_momentum=old.first_momentum,
            acceptance=old.acceptance + new.acceptance,
            steps=old.steps + new.steps,
            worst_error=_larger(old.worst_error, new.worst_error),
            turning=new.turning | turning,
            diverging=new.diverging,
        )


def _choose(predicate: Any, yes: Any, no: Any) -> Any:
    """One of two records."""
    return tree_map(lambda a, b: bnp.where(predicate, a, b), yes, no)


def _larger(x: Any, y: Any) -> Any:
    """The energy error of larger size."""
    return bnp.where(bnp.abs(y) > bnp.abs(x), y, x)


def _write(rows: Any, index: Any, row: Any) -> Any:
    return dynamic_update_slice(
        rows, bnp.expand_dims(row, 0), bnp.asarray(index, np.int64), np.int64(0)
    )


def _read(rows: Any, index: Any) -> Any:
    width = np.shape(rows)[1]
    return bnp.squeeze(dynamic_slice(rows, bnp.asarray(index, np.int64), np.int64(0), sizes=(1, width)), 0)


def _count_bits(x: Any, width: int) -> Any:
    """Number of ones among the lowest `width` bits."""
    total = x & 1
    for shift in range(1, max(width, 1)):
        total = total + (bnp.right_shift(x, shift) & 1)
    return total
