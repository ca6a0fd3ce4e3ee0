"""Step size: a first guess by doubling and halving, and dual averaging after it."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from bayesdl._base.dataclass import dataclass
from bayesdl.infer.kernel import Density
from bayesdl.ops import numpy as bnp
from bayesdl.tracing.flow import while_loop

from .integrator import Place, energy, leapfrog, set_off
from .metric import Metric

SHRINKAGE, DELAY, DECAY = 0.05, 10.0, 0.75  # γ, t₀, κ of the paper


@dataclass(frozen=True)
class DualAveraging:
    """State of the step size's adaptation.

    Parameters
    ----------
    log_step, log_average : Array, shape ()
        log ε while tuning, and the average that is used after it.
    error : Array, shape ()
        Running average H̄ of target − acceptance.
    count : Array, shape ()
        Updates so far.
    centre : Array, shape ()
        μ, towards which log ε shrinks.
    """

    __tree__: ClassVar[bool] = True

    log_step: Any
    log_average: Any
    error: Any
    count: Any
    centre: Any


def start_averaging(log_step: Any) -> DualAveraging:
    """Dual averaging from a first guess; it shrinks towards ten times that guess."""
    zero = bnp.zeros_like(log_step)
    return DualAveraging(log_step, log_step, zero, zero, log_step + math.log(10.0))


def average(state: DualAveraging, acceptance: Any, target: float) -> DualAveraging:
    """One update of dual averaging.

    Parameters
    ----------
    state : DualAveraging
    acceptance : Array, shape ()
        Acceptance rate of the last trajectory, in [0, 1].
    target : float
        The rate to reach.

    References
    ----------
    Hoffman & Gelman (2014), The No-U-Turn Sampler, section 3.2, equation 6.
    """
    count = state.count + 1.0
    weight = 1.0 / (count + DELAY)
    error = (1.0 - weight) * state.error + weight * (target - acceptance)
    log_step = state.centre - bnp.sqrt(count) / SHRINKAGE * error
    forget = count**-DECAY
    log_average = forget * log_step + (1.0 - forget) * state.log_average
    return DualAveraging(log_step, log_average, error, count, state.centre)


def reasonable_step(key: Any, place: Place, density: Density, metric: Metric, log_step: Any) -> Any:
    """A log step size at which one leapfrog step is accepted with a probability near 0.8.

    It is doubled or halved, from the given guess, until the acceptance of one step crosses 0.8.

    Parameters
    ----------
    key : Array, shape (2,)
        For the momentum; the same one at each trial, so that the search is monotone.
    place : Place
        Where to start.
    density : callable
    metric : Metric
    log_step : Array, shape ()
        The first guess.

    References
    ----------
    Hoffman & Gelman (2014), algorithm 4, with Stan's threshold of 0.8.
    """
    start = set_off(key, place, metric)
    before = energy(start.momentum, place.value, metric)

    def accepts(log_step: Any) -> Any:
        end, there = leapfrog(start, density, bnp.exp(log_step), metric)
        return before - energy(end.momentum, there.value, metric) > math.log(0.8)

    grows = accepts(log_step)
    move = bnp.where(grows, math.log(2.0), -math.log(2.0)).astype(log_step.dtype)

    def going(carry: tuple[Any, Any, Any]) -> Any:
        log_step, accepted, trials = carry
        return (accepted == grows) & (trials < 50) & (log_step < 16.0)

    def trial(carry: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
        moved = carry[0] + move
        return moved, accepts(moved), carry[2] + 1

    return while_loop(going, trial, (log_step, grows, 0))[0]
