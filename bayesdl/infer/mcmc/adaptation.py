"""Warm-up of Hamiltonian kernels: step size and mass, told by the phase what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from bayesdl.infer.kernel import Density, Phase
from bayesdl.ops import numpy as bnp
from bayesdl.tracing.flow import cond

from .integrator import Point
from .mass import Scales, first_inverse_mass, inverse_mass, no_scales, see
from .metric import Diagonal
from .step_size import DualAveraging, average, reasonable_step, start_averaging


@dataclass(frozen=True)
class Adaptation:
    """What is learnt during the warm-up.

    Parameters
    ----------
    step : DualAveraging
    scales : Scales
        Of the current window and the one before it.
    coming : Scales
        Of the current window, for the next one to start from.
    metric : Diagonal
        In use.
    """

    __tree__: ClassVar[bool] = True

    step: DualAveraging
    scales: Scales
    coming: Scales
    metric: Diagonal


def start(key: Any, point: Point, density: Density) -> Adaptation:
    """A first mass from the gradient, and a reasonable step size for it."""
    metric = Diagonal(first_inverse_mass(point.gradient))
    log_step = reasonable_step(key, point, density, metric, bnp.zeros_like(point.value))
    empty = no_scales(point.position)
    return Adaptation(start_averaging(log_step), empty, empty, metric)


def step_size(state: Adaptation, phase: Phase) -> Any:
    """The step size to use: the moving one while tuning, its average after."""
    return bnp.exp(bnp.where(phase.tuning, state.step.log_step, state.step.log_average))


def adapt(
    state: Adaptation, point: Point, acceptance: Any, phase: Phase, target: float
) -> Adaptation:
    """Learn from one trajectory, where the phase says so.

    Parameters
    ----------
    state : Adaptation
    point : Point
        Where the trajectory's draw lies.
    acceptance : Array, shape ()
        Its acceptance rate.
    phase : Phase
    target : float
        Acceptance rate to reach.

    Notes
    -----
    The mass follows every draw. It is taken from the current window and the one before it, so that
    it forgets the start of the chain and yet is never taken from a few points. The averaging of the
    step size goes on without a restart: the mass changes little from draw to draw, and a restart
    would cost the average its length.
    """

    def learn(state: Adaptation) -> Adaptation:
        step = average(state.step, acceptance, target)
        learnt = Adaptation(step, state.scales, state.coming, state.metric)
        found: Adaptation = cond(phase.slow, rescale, lambda s: s, learnt)
        return found

    def rescale(state: Adaptation) -> Adaptation:
        scales = see(state.scales, point.position, point.gradient)
        coming = see(state.coming, point.position, point.gradient)
        metric = Diagonal(inverse_mass(scales, state.metric.variance))
        known = Adaptation(state.step, scales, coming, metric)
        found: Adaptation = cond(phase.window_end, pass_on, lambda s: s, known)
        return found

    def pass_on(state: Adaptation) -> Adaptation:
        empty = no_scales(point.position)
        return Adaptation(state.step, state.coming, empty, state.metric)

    adapted: Adaptation = cond(phase.tuning, learn, lambda s: s, state)
    return adapted
