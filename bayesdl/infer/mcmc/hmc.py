"""Hamiltonian Monte Carlo with a fixed time of integration."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, TypeVar

from bayesdl._base.dataclass import dataclass
from bayesdl._base.tree import flatten, unflatten
from bayesdl.infer.kernel import Density, Kernel, Phase, kernel
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random
from bayesdl.tracing.flow import while_loop

from . import adaptation
from .adaptation import (
    Adaptation,
    Learner,
    check_count,
    check_metric,
    check_positive,
    learner,
)
from .integrator import Place, Point, energy, leapfrog, set_off

Either = TypeVar("Either", Place, Point)

DIVERGENCE = 1000.0
"""An energy error, in nats, that no useful trajectory has."""


@dataclass(frozen=True)
class HamiltonianState:
    """Where a Hamiltonian chain stands.

    Parameters
    ----------
    position, value, gradient : Array
        Position (dim,), log density there, and its gradient (dim,).
    adaptation : Adaptation
        Step size and metric.
    """

    __tree__: ClassVar[bool] = True

    position: Any
    value: Any
    gradient: Any
    adaptation: Adaptation

    @property
    def place(self) -> Place:
        """Where the chain stands, without what it has learnt."""
        return Place(self.position, self.value, self.gradient)


@dataclass(frozen=True)
class HMCInfo:
    """What one HMC step reports, under ArviZ's names."""

    __tree__: ClassVar[bool] = True

    lp: Any
    acceptance_rate: Any
    step_size: Any
    n_steps: Any
    reached_max_steps: Any
    diverging: Any
    energy: Any
    energy_error: Any


def start(key: Any, position: Any, density: Density, learner: Learner) -> HamiltonianState:
    """State of a chain at its first position."""
    value, gradient = density(position)
    learnt = adaptation.start(key, Place(position, value, gradient), density, learner)
    return HamiltonianState(position, value, gradient, learnt)


def depart(key: Any, state: HamiltonianState, phase: Phase) -> Point:
    """Where the chain stands, with a fresh momentum at the phase's temperature."""
    here = set_off(key, state.place, state.adaptation.metric)
    hotter = bnp.sqrt(adaptation.temperature(phase)).astype(here.momentum.dtype)
    return replace(here, momentum=hotter * here.momentum)


@kernel
@dataclass(frozen=True)
class HMC(Kernel):
    """Hamiltonian Monte Carlo: leapfrog for a fixed time, then one Metropolis decision.

    Parameters
    ----------
    path_length : float
        Length of a trajectory, in units of the (adapted) posterior scale; each one is stretched by
        a uniform factor from 0.8 to 1.2 so that no period of the target is hit exactly.
    target_accept : float
        Acceptance rate that the step size is adapted to.
    max_steps : int
        Leapfrog steps that no trajectory exceeds; ``reached_max_steps`` tells which would have.
    metric : {"diag", "low_rank", "dense"}
    dense : tuple of tuple of int
        As for NUTS.

    Notes
    -----
    *Invariant distribution*: the density. *Cost*: about path_length / ε gradients per step.

    References
    ----------
    Neal (2011), MCMC using Hamiltonian dynamics, sections 3 and 4.2 (arXiv:1206.1901).
    """

    name: ClassVar[str] = "hmc"

    path_length: float = 1.5707963267948966
    target_accept: float = 0.8
    max_steps: int = 1000
    metric: str = "diag"
    dense: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        check_metric(self.metric, self.dense)
        check_positive("path_length", self.path_length, 1.5)
        check_count("max_steps", self.max_steps, 1000)

    def init(self, key: Any, position: Any, density: Density) -> HamiltonianState:
        return start(key, position, density, learner(self.metric, self.dense, position.shape[0]))

    def step(self, key: Any, state: Any, density: Density, phase: Phase) -> tuple[Any, HMCInfo]:
        keys = random.split(key, 3)
        epsilon = adaptation.step_size(state.adaptation, phase)
        here = depart(keys[0], state, phase)
        metric = state.adaptation.metric
        n_steps, cut_off = self._length(keys[1], epsilon)
        point, place, _ = while_loop(
            lambda carry: carry[2] < n_steps,
            lambda carry: (*leapfrog(carry[0], density, epsilon, metric), carry[2] + 1),
            (here, state.place, 0),
        )
        before = energy(here.momentum, state.value, metric)
        error = energy(point.momentum, place.value, metric) - before
        acceptance = bnp.exp(-bnp.maximum(error, 0.0))
        accepted = random.uniform(keys[2], dtype=epsilon.dtype) < acceptance
        chosen = choose(accepted, place, state.place)
        how = learner(self.metric, self.dense, state.position.shape[0])
        learnt = adaptation.adapt(
            state.adaptation, chosen, acceptance, phase, self.target_accept, how
        )
        info = HMCInfo(
            lp=chosen.value,
            acceptance_rate=acceptance,
            step_size=epsilon,
            n_steps=n_steps,
            reached_max_steps=cut_off,
            diverging=error > DIVERGENCE,
            energy=bnp.where(accepted, before + error, before),
            energy_error=bnp.where(accepted, error, 0.0),
        )
        return HamiltonianState(chosen.position, chosen.value, chosen.gradient, learnt), info

    def _length(self, key: Any, epsilon: Any) -> tuple[Any, Any]:
        """Steps of a trajectory, and whether they are fewer than its length asks for."""
        stretch = random.uniform(key, dtype=epsilon.dtype, low=0.8, high=1.2)
        wanted, most = bnp.rint(self.path_length * stretch / epsilon), float(self.max_steps)
        return bnp.clip(wanted, 1.0, most).astype("int64"), wanted > most


def choose(condition: Any, first: Either, second: Either) -> Either:
    """One of two points, or places."""
    leaves, tree = flatten(first)
    others = flatten(second)[0]
    found: Either = unflatten(
        tree, [bnp.where(condition, a, b) for a, b in zip(leaves, others, strict=True)]
    )
    return found
