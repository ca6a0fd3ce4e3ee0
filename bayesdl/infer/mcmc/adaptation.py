"""What Hamiltonian kernels learn during warm-up: a step size and a diagonal mass matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from bayesdl.ops import numpy as bnp
from bayesdl.tracing.flow import cond, while_loop

from ..kernel import Density, Phase
from .integrator import kinetic_energy, leapfrog

# Hoffman & Gelman (2014), section 3.2: shrinkage, relaxation exponent, and stabilisation.
GAMMA, KAPPA, T0 = 0.05, 0.75, 10.0


@dataclass(frozen=True)
class DualAveraging:
    """Nesterov's dual averaging of log ε towards a target acceptance.

    Parameters
    ----------
    log_step, log_average : Array, shape ()
        The value in use during warm-up, and the average used afterwards.
    error : Array, shape ()
        Running mean of (target − acceptance).
    count : Array, shape ()
        Updates since the last restart.
    centre : Array, shape ()
        What log ε shrinks to: log 10 ε₀.
    """

    __tree__: ClassVar[bool] = True
    log_step: Any
    log_average: Any
    error: Any
    count: Any
    centre: Any


@dataclass(frozen=True)
class Welford:
    """Running mean and squared deviations of positions, shape (dim,)."""

    __tree__: ClassVar[bool] = True
    count: Any
    mean: Any
    squares: Any


@dataclass(frozen=True)
class Adaptation:
    """All that is learnt: the step size, the moments so far, and the inverse mass in use."""

    __tree__: ClassVar[bool] = True
    step: DualAveraging
    moments: Welford
    inverse_mass: Any


def start_adaptation(density: Density, position: Any, value: Any, gradient: Any, momentum: Any) -> Adaptation:
    """A unit mass matrix, and a first step size whose single step is accepted about 80 % of the time."""
    ones = bnp.ones_like(position)
    first = reasonable_step(density, position, value, gradient, momentum, ones)
    return Adaptation(_restart(bnp.log(first)), _no_moments(position), ones)


def adapt(adaptation: Adaptation, position: Any, acceptance: Any, target: float, phase: Phase) -> Adaptation:
    """Learn from one draw.

    Parameters
    ----------
    adaptation : Adaptation
    position : Array, shape (dim,)
        The draw.
    acceptance : Array, shape ()
        Mean acceptance probability of its trajectory.
    target : float
        Acceptance to aim for, in (0, 1).
    phase : Phase
    """
    step = cond(phase.tuning, lambda: _update(adaptation.step, acceptance, target), lambda: adaptation.step)
    moments = cond(phase.slow, lambda: _collect(adaptation.moments, position), lambda: adaptation.moments)
    learnt = Adaptation(step, moments, adaptation.inverse_mass)
    return cond(phase.window_end, lambda: _renew(learnt), lambda: learnt)


def step_size_in_use(adaptation: Adaptation, phase: Phase) -> Any:
    """The step size of this iteration: the latest while tuning, the average afterwards."""
    step = adaptation.step
    return bnp.exp(bnp.where(phase.tuning, step.log_step, step.log_average))


def reasonable_step(
    density: Density, position: Any, value: Any, gradient: Any, momentum: Any, inverse_mass: Any
) -> Any:
    """Double or halve ε until the acceptance of one step crosses 0.8.

    References
    ----------
    Hoffman & Gelman (2014), The No-U-Turn sampler, algorithm 4 (arXiv:1111.4246).
    """
    start = value - kinetic_energy(momentum, inverse_mass)

    def gain(step: Any) -> Any:
        _, p, v, _ = leapfrog(density, position, momentum, gradient, step, inverse_mass)
        change = v - kinetic_energy(p, inverse_mass) - start
        return bnp.where(bnp.isfinite(change), change, -bnp.inf)

    threshold = -0.2231435513142097  # log 0.8
    one = bnp.ones_like(value)
    direction = bnp.where(gain(one) > threshold, 1.0, -1.0)

    def going(carry: Any) -> Any:
        step, last, count = carry
        return ((direction * last) > (direction * threshold)) & (count < 50)

    def move(carry: Any) -> Any:
        step, _, count = carry
        step = step * bnp.exp(direction * 0.6931471805599453)
        return step, gain(step), count + 1

    step, _, _ = while_loop(going, move, (one, gain(one), 0))
    return step


def _restart(log_step: Any) -> DualAveraging:
    zero = bnp.zeros_like(log_step)
    return DualAveraging(log_step, log_step, zero, zero, log_step + 2.302585092994046)


def _update(step: DualAveraging, acceptance: Any, target: float) -> DualAveraging:
    count = step.count + 1.0
    weight = 1.0 / (count + T0)
    error = (1.0 - weight) * step.error + weight * (target - acceptance)
    log_step = step.centre - bnp.sqrt(count) / GAMMA * error
    share = count**-KAPPA
    average = share * log_step + (1.0 - share) * step.log_average
    return DualAveraging(log_step, average, error, count, step.centre)


def _no_moments(position: Any) -> Welford:
    zeros = bnp.zeros_like(position)
    return Welford(bnp.zeros((), position.dtype), zeros, zeros)


def _collect(moments: Welford, position: Any) -> Welford:
    count = moments.count + 1.0
    change = position - moments.mean
    mean = moments.mean + change / count
    return Welford(count, mean, moments.squares + change * (position - mean))


def _renew(learnt: Adaptation) -> Adaptation:
    """The window's variance, shrunk towards 10⁻³ as Stan does, becomes the inverse mass."""
    moments = learnt.moments
    variance = moments.squares / bnp.maximum(moments.count - 1.0, 1.0)
    share = moments.count / (moments.count + 5.0)
    inverse_mass = share * variance + 1e-3 * (1.0 - share)
    return Adaptation(_restart(learnt.step.log_step), _no_moments(moments.mean), inverse_mass)
