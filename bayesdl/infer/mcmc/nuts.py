"""The No-U-Turn sampler: multinomial, without recursion, as loops that compile."""

from __future__ import annotations

from typing import Any, ClassVar

from bayesdl._base.dataclass import dataclass
from bayesdl.infer.kernel import Density, Kernel, Phase, kernel
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from . import adaptation
from .adaptation import check_count, check_metric, learner
from .hmc import HamiltonianState, depart, start
from .integrator import energy
from .tree import Setting, grow


@dataclass(frozen=True)
class NUTSInfo:
    """What one NUTS step reports, under ArviZ's names."""

    __tree__: ClassVar[bool] = True

    lp: Any
    acceptance_rate: Any
    step_size: Any
    tree_depth: Any
    n_steps: Any
    diverging: Any
    energy: Any
    energy_error: Any
    max_energy_error: Any
    reached_max_treedepth: Any


@kernel
@dataclass(frozen=True)
class NUTS(Kernel):
    """The No-U-Turn sampler: trajectories double until they turn; any of their points is drawn.

    Parameters
    ----------
    target_accept : float
        Acceptance rate, averaged over a trajectory, that the step size is adapted to.
    max_treedepth : int
        Doublings that no trajectory exceeds: at most 2^max_treedepth − 1 leapfrog steps.
    metric : {"diag", "low_rank", "dense"}
        What the warm-up learns of the target's shape: the scales of its coordinates; these and the
        directions along which it is longest or shortest; or all of its covariance.
    dense : tuple of tuple of int
        Blocks of coordinates whose covariance is learnt, where the metric is diagonal elsewhere;
        ``fit`` takes names of sites.

    Notes
    -----
    *Invariant distribution*: the density. *Cost*: one gradient evaluation per leapfrog step.
    *Departs from the papers in*: subtrees are checked for U-turns while they are built from left to
    right, from O(max_treedepth) checkpoints, instead of by recursion; the two stretches across the
    middle of a trajectory are checked as well, without which one that has come full circle would go
    on.

    References
    ----------
    Hoffman & Gelman (2014), The No-U-Turn Sampler. Betancourt (2017), A conceptual introduction to
    Hamiltonian Monte Carlo, appendix A (arXiv:1701.02434). Phan, Pradhan & Jankowiak (2019),
    Composable effects for flexible and accelerated probabilistic programming, appendix A
    (arXiv:1912.11554).
    """

    name: ClassVar[str] = "nuts"

    target_accept: float = 0.8
    max_treedepth: int = 10
    metric: str = "diag"
    dense: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        check_metric(self.metric, self.dense)
        check_count("max_treedepth", self.max_treedepth, 10)

    def init(self, key: Any, position: Any, density: Density) -> HamiltonianState:
        return start(key, position, density, learner(self.metric, self.dense, position.shape[0]))

    def step(self, key: Any, state: Any, density: Density, phase: Phase) -> tuple[Any, NUTSInfo]:
        keys = random.split(key)
        epsilon = adaptation.step_size(state.adaptation, phase)
        here = depart(keys[0], state, phase)
        metric = state.adaptation.metric
        before = energy(here.momentum, state.value, metric)
        setting = Setting(density, metric, before)
        tree = grow(keys[1], here, state.place, epsilon, setting, self.max_treedepth)
        acceptance = tree.acceptance / bnp.maximum(tree.n_steps, 1).astype(epsilon.dtype)
        chosen = tree.chosen
        how = learner(self.metric, self.dense, state.position.shape[0])
        learnt = adaptation.adapt(
            state.adaptation, chosen, acceptance, phase, self.target_accept, how
        )
        info = NUTSInfo(
            lp=chosen.value,
            acceptance_rate=acceptance,
            step_size=epsilon,
            tree_depth=tree.depth,
            n_steps=tree.n_steps,
            diverging=tree.diverging,
            energy=before + tree.error,
            energy_error=tree.error,
            max_energy_error=tree.worst,
            reached_max_treedepth=(tree.depth >= self.max_treedepth)
            & bnp.logical_not(tree.turning | tree.diverging),
        )
        return HamiltonianState(chosen.position, chosen.value, chosen.gradient, learnt), info
