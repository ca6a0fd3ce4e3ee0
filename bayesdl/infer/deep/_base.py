"""What the methods of the dropout family share: training by Adam, draws from the trained guide."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any, ClassVar

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.ops import numpy as bnp
from bayesdl.tracing.flow import cond
from bayesdl.transform.derived import value_and_grad

from ..kernel import Density, Kernel, Phase, Replay, tuning_at
from ..minibatch import Turn
from ..named import check_kinds, check_numbers, with_records, wrong
from ..optim.adam import Moments, ascend, start_adam
from ..optim.averaging import averaged
from ..optim.clipping import without_spike
from ..optim.course import Course, counts, either, is_over, lost_from, onward, start_course
from ..optim.rates import RATES, InverseRoot, Rate
from ..targets import Weights, spread

ABOVE_ZERO, WHOLE = ("learning_rate", "clip_ratio"), {"batch_size": 1, "kl_warmup": 0}


@dataclass(frozen=True)
class DropoutState:
    """Where a training stands.

    What is trained is a position, followed by the guide's own parameters if it has any.

    Parameters
    ----------
    position : Array, shape (dim,)
        The last draw.
    trained : Array, shape (n,)
        Where the objective is taken next.
    average : Array, shape (n,)
        Of the last places at which the objective was finite, or the last of them; draws come from
        it.
    moments : Moments
        Of Adam.
    order : Array of uint32, shape (2,)
        Key of the order of the rows.
    usual : Array, shape ()
        Running mean of the gradient's squared length.
    course : Course
    """

    __tree__: ClassVar[bool] = True

    position: Any
    trained: Any
    average: Any
    moments: Moments
    order: Any
    usual: Any
    course: Course


def start_training(key: Any, position: Any, trained: Any) -> DropoutState:
    """Before the first step."""
    zero, course = bnp.zeros((), position.dtype), start_course(position.dtype)
    return DropoutState(position, trained, trained, start_adam(trained), key, zero, course)


@dataclass(frozen=True)
class DropoutInfo:
    """What one step reports: the objective under fresh noise, in nats; an estimate."""

    __tree__: ClassVar[bool] = True

    lp_estimate: Any


@dataclass(frozen=True)
class DropoutKernel(Kernel):
    """A method that trains a network under noise, and then draws weights with it.

    Parameters
    ----------
    rate : float
        How strong the noise is, or is at first, in (0, 1).
    learning_rate : float
        Of Adam, at the first step.
    schedule : Rate
        How the learning rate changes: ``"inverse_root"``, ``"constant"``, ``"cosine"``,
        ``"one_cycle"``, or one with settings of its own.
    batch_size : int, optional
        Rows in each gradient; all of them up to 512, else 128, if not given.
    averaging : bool
        Whether draws come from an average of the last positions, or from the last one.
    clip_ratio : float, optional
        Longest gradient, as a multiple of the usual length, the root of its mean square so far.
    weights : tuple of Weights
        Where the weights of each layer lie in a position.
    """

    default_tune: ClassVar[int] = 20_000
    default_chains: ClassVar[int] = 1
    check_every: ClassVar[int] = 500
    markov: ClassVar[bool] = False
    when_lost: ClassVar[str] = "give a smaller learning_rate, clip_ratio=1.0, or a narrower prior."

    rate: float = 0.05
    learning_rate: float = 0.01
    schedule: Rate = field(default_factory=InverseRoot)
    batch_size: int | None = None
    averaging: bool = True
    clip_ratio: float | None = 10.0
    weights: tuple[Weights, ...] = ()

    @classmethod
    def read(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Settings as users write them, with records in place of names.

        Raises
        ------
        ArgumentError
            If a name is unknown, or a number out of range.
        """
        check_numbers(cls.name, settings, ABOVE_ZERO, WHOLE)
        found: dict[str, Any] = with_records(cls.name, settings, {"schedule": RATES})
        check_kinds(cls.name, found, {"schedule": Rate})
        if not isinstance(found.get("averaging", True), bool):
            given = repr(found["averaging"])
            raise wrong(cls.name, "averaging", given, "True, False", "leave averaging out.")
        return found

    def init(self, key: Any, position: Any, density: Density) -> DropoutState:
        start = bnp.concatenate([position, np.asarray(self.own_start(), position.dtype)])
        return start_training(key, position, start)

    def step(
        self, key: Any, state: DropoutState, density: Density, phase: Phase
    ) -> tuple[Any, DropoutInfo]:
        found: tuple[DropoutState, DropoutInfo] = cond(
            phase.tuning,
            lambda s: self._train(s, density, phase),
            lambda s: self._draw(key, s),
            state,
        )
        return found

    def finished(self, info: Mapping[str, np.ndarray[Any, Any]]) -> bool:
        return is_over(info["lp_estimate"], self.schedule.whole, self.tempered)

    def broken(self, info: Mapping[str, np.ndarray[Any, Any]]) -> int | None:
        return lost_from(info["lp_estimate"])

    def replays(self, key: Any, state: DropoutState, step: int, target: Any) -> list[Replay]:
        args = state.trained, self.turn(state, tuning_at(step)), *target.data
        return [Replay(value_and_grad(target.function), args, state.trained[: target.dim])]

    @property
    def tempered(self) -> int:
        """Steps at first over which the objective is another one than at the end."""
        return 0

    def own_start(self) -> list[float]:
        """Where the guide's own parameters start."""
        return []

    def turn(self, state: DropoutState, phase: Phase) -> Turn:
        """Which estimate of the objective a step takes."""
        return Turn(state.order, phase.iteration)

    def own(self, trained: Any, dim: int) -> Any:
        """What factors depend on, from a position of length `dim` and what was trained with it."""
        return trained[dim:]

    def report(self, value: Any, trained: Any, dim: int) -> DropoutInfo:
        """What is said of a step."""
        return DropoutInfo(value)

    @abstractmethod
    def factors(self, key: Any, own: Any, dtype: Any) -> Any:
        """What a draw multiplies the trained position with.

        Parameters
        ----------
        key : Array, shape (2,)
        own : Array
            As `own` gives it: the guide's own parameters.
        dtype : dtype

        Returns
        -------
        list of Array
            For each of `weights` a scalar, or an array (units, 1) or (units, width).
        """

    def _train(
        self, state: DropoutState, density: Density, phase: Phase
    ) -> tuple[Any, DropoutInfo]:
        value, gradient = density(state.trained, self.turn(state, phase))
        taken, made = counts(state.course, value, gradient), state.course.made
        rate = self.learning_rate * self.schedule(phase.iteration, phase.fraction)
        usual, latest, dim = state.usual, state.trained, state.position.shape[0]
        if self.clip_ratio is not None:
            gradient, usual = without_spike(gradient, usual, made, self.clip_ratio)
        moments, change = ascend(state.moments, gradient, bnp.asarray(rate, gradient.dtype))
        average = averaged(state.average, latest, made + 1.0) if self.averaging else latest
        trained, average, moments, usual = either(
            taken,
            (latest + change, average, moments, usual),
            (latest, state.average, state.moments, state.usual),
        )
        course = onward(taken, state.course)
        moved = DropoutState(trained[:dim], trained, average, moments, state.order, usual, course)
        return moved, self.report(bnp.where(taken, value, np.nan), trained, dim)

    def _draw(self, key: Any, state: DropoutState) -> tuple[Any, DropoutInfo]:
        dim, dtype = state.position.shape[0], state.position.dtype
        factors = self.factors(key, self.own(state.average, dim), dtype)
        position = state.average[:dim] * spread(factors, self.weights, dim, dtype)
        info = self.report(bnp.zeros((), dtype), state.average, dim)
        return replace(state, position=position), info
