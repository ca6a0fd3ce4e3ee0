"""Warm-up of Hamiltonian kernels: step size and metric, told by the phase what to do."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ArgumentError
from bayesdl._base.source import user_source
from bayesdl.infer.kernel import Density, Phase
from bayesdl.infer.optim._checked import is_number
from bayesdl.ops import numpy as bnp
from bayesdl.tracing.flow import cond

from .directions import LearnDirections
from .integrator import Place
from .mass import LearnDiagonal
from .metric import Metric
from .step_size import DualAveraging, average, reasonable_step, start_averaging

METRICS = ("diag", "low_rank", "dense")
HEAT, COOLED = 2.0, 0.2
"""Temperature that a warm-up begins with, and the fraction of it after which that is 1."""


class Learner(Protocol):
    """How a metric is learnt from the points of a warm-up."""

    def start(self, gradient: Any) -> tuple[Any, Any]:
        """What is known before the first point, and a first metric."""
        ...

    def learn(self, seen: Any, metric: Any, place: Place, window_end: Any) -> tuple[Any, Any]:
        """What is known after one more point, and the metric to use from here on."""
        ...


@dataclass(frozen=True)
class Adaptation:
    """What is learnt during the warm-up.

    Parameters
    ----------
    step : DualAveraging
    seen : Windows or Memory
        Points, as the learner keeps them.
    metric : Metric
        In use.
    """

    __tree__: ClassVar[bool] = True

    step: DualAveraging
    seen: Any
    metric: Metric


def learner(metric: str, dense: tuple[tuple[int, ...], ...], dim: int) -> Learner:
    """The learner of a kernel's settings.

    Parameters
    ----------
    metric : {"diag", "low_rank", "dense"}
    dense : tuple of tuple of int
        Blocks of coordinates that are learnt densely, the others diagonally.
    dim : int
    """
    if dense:
        return LearnDirections(dense, low_rank=False)
    if metric == "diag":
        return LearnDiagonal()
    return LearnDirections((tuple(range(dim)),), low_rank=metric == "low_rank")


def check_metric(metric: str, dense: tuple[tuple[int, ...], ...]) -> None:
    """A metric that there is, and blocks only where the rest is diagonal.

    Raises
    ------
    ArgumentError
    """
    if metric not in METRICS:
        raise ArgumentError(
            f"there is no metric {metric!r}.",
            facts=[("known", ", ".join(METRICS))],
            fix="use one of them.",
            where=user_source(),
            code="A108",
        )
    if dense and metric != "diag":
        raise ArgumentError(
            f"dense blocks and metric={metric!r} exclude each other.",
            fix="leave out one of them: what lies outside of the blocks is diagonal.",
            where=user_source(),
            code="A108",
        )
    places = [i for block in dense for i in block]
    if len(set(places)) < len(places):
        raise ArgumentError(
            "a coordinate is in two dense blocks.",
            fix="name each site once, sites that are to be learnt together in one tuple.",
            where=user_source(),
            code="A108",
        )


def check_count(name: str, value: Any, example: int) -> None:
    """A whole number of at least one.

    Raises
    ------
    ArgumentError
    """
    if not is_number(value, whole=True) or value < 1:
        raise ArgumentError(
            f"{name} must be a whole number of at least 1.",
            facts=[("given", repr(value))],
            fix=f"for example {name}={example}.",
            where=user_source(),
            code="A108",
        )


def check_positive(name: str, value: Any, example: float) -> None:
    """A finite number above zero.

    Raises
    ------
    ArgumentError
    """
    if not is_number(value) or value <= 0.0:
        raise ArgumentError(
            f"{name} must be a finite number above zero.",
            facts=[("given", repr(value))],
            fix=f"for example {name}={example}.",
            where=user_source(),
            code="A108",
        )


def start(key: Any, place: Place, density: Density, learner: Learner) -> Adaptation:
    """A first metric from the gradient, and a reasonable step size for it."""
    seen, metric = learner.start(place.gradient)
    log_step = reasonable_step(key, place, density, metric, bnp.zeros_like(place.value))
    return Adaptation(start_averaging(log_step), seen, metric)


def step_size(state: Adaptation, phase: Phase) -> Any:
    """The step size to use: the moving one while tuning, its average after."""
    return bnp.exp(bnp.where(phase.tuning, state.step.log_step, state.step.log_average))


def temperature(phase: Phase) -> Any:
    """Temperature at which momenta are drawn: it falls from `HEAT` to 1 early in the warm-up.

    Notes
    -----
    Trajectories keep their energy, so that the first part of the warm-up is simulated annealing: a
    chain leaves minor modes that a draw at temperature 1 would leave once in hundreds of times.
    Metrics do not notice, for of a normal target the variances of positions and of gradients grow
    alike.

    References
    ----------
    Kirkpatrick, Gelatt & Vecchi (1983), Optimization by simulated annealing.
    """
    falling = HEAT - (HEAT - 1.0) / COOLED * phase.fraction
    return bnp.where(phase.tuning, bnp.maximum(falling, 1.0), 1.0)


def adapt(
    state: Adaptation,
    place: Place,
    acceptance: Any,
    phase: Phase,
    target: float,
    learner: Learner,
) -> Adaptation:
    """Learn from one trajectory, where the phase says so.

    Parameters
    ----------
    state : Adaptation
    place : Place
        Where the trajectory's draw lies.
    acceptance : Array, shape ()
        Its acceptance rate.
    phase : Phase
    target : float
        Acceptance rate to reach.
    learner : Learner

    Notes
    -----
    The averaging of the step size goes on without a restart: the metric changes little from window
    to window, and a restart would cost the average its length.
    """

    def learn(state: Adaptation) -> Adaptation:
        step = average(state.step, acceptance, target)
        learnt = Adaptation(step, state.seen, state.metric)
        found: Adaptation = cond(phase.slow, rescale, lambda s: s, learnt)
        return found

    def rescale(state: Adaptation) -> Adaptation:
        seen, metric = learner.learn(state.seen, state.metric, place, phase.window_end)
        return Adaptation(state.step, seen, metric)

    adapted: Adaptation = cond(phase.tuning, learn, lambda s: s, state)
    return adapted
