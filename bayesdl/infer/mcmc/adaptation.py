"""Warm-up of Hamiltonian kernels: step size and mass, told by the phase what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from bayesdl.infer.kernel import Density, Phase
from bayesdl.ops import numpy as bnp
from bayesdl.tracing.flow import cond

from .integrator import Point
from .mass import Welford, count_in, start_counting, variance
from .step_size import DualAveraging, average, reasonable_step, start_averaging


@dataclass(frozen=True)
class Adaptation:
    """What is learnt during the warm-up.

    Parameters
    ----------
    step : DualAveraging
    moments : Welford
        Of the positions of the current slow window.
    inverse_mass : Array, shape (dim,)
        Diagonal of M⁻¹ in use.
    """

    __tree__: ClassVar[bool] = True

    step: DualAveraging
    moments: Welford
    inverse_mass: Any


def start(key: Any, point: Point, density: Density) -> Adaptation:
    """Unit mass, and a reasonable step size for it."""
    unit = bnp.ones_like(point.position)
    log_step = reasonable_step(key, point, density, unit, bnp.zeros_like(point.value))
    return Adaptation(start_averaging(log_step), start_counting(unit), unit)


def step_size(state: Adaptation, phase: Phase) -> Any:
    """The step size to use: the moving one while tuning, its average after."""
    return bnp.exp(bnp.where(phase.tuning, state.step.log_step, state.step.log_average))


def adapt(
    key: Any,
    state: Adaptation,
    point: Point,
    acceptance: Any,
    density: Density,
    phase: Phase,
    target: float,
) -> Adaptation:
    """Learn from one trajectory, where the phase says so.

    Parameters
    ----------
    key : Array, shape (2,)
    state : Adaptation
    point : Point
        Where the trajectory's draw lies.
    acceptance : Array, shape ()
        Its acceptance rate.
    density : callable
    phase : Phase
    target : float
        Acceptance rate to reach.
    """

    def learn(state: Adaptation) -> Adaptation:
        step = average(state.step, acceptance, target)
        moments = cond(
            phase.slow, lambda m: count_in(m, point.position), lambda m: m, state.moments
        )
        learnt = Adaptation(step, moments, state.inverse_mass)
        found: Adaptation = cond(phase.window_end, renew, lambda s: s, learnt)
        return found

    def renew(state: Adaptation) -> Adaptation:
        inverse_mass = variance(state.moments)
        log_step = reasonable_step(key, point, density, inverse_mass, state.step.log_step)
        return Adaptation(start_averaging(log_step), start_counting(inverse_mass), inverse_mass)

    adapted: Adaptation = cond(phase.tuning, learn, lambda s: s, state)
    return adapted
