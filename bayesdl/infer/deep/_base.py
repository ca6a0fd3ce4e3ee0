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

from ..kernel import Density, Kernel, Phase, settled
from ..minibatch import Turn
from ..optim.adam import Moments, ascend, start_adam
from ..optim.averaging import averaged
from ..optim.rates import InverseRoot, Rate
from ..targets import Weights, spread


@dataclass(frozen=True)
class DropoutState:
    """Position of the last draw, what was trained, an average of it, Adam's moments.

    What is trained is a position, followed by the guide's own parameters if it has any; `order` is
    the key of the order of the rows.
    """

    __tree__: ClassVar[bool] = True

    position: Any
    trained: Any
    average: Any
    moments: Moments
    order: Any


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
        How the learning rate changes.
    batch_size : int, optional
        Rows in each gradient; all of them up to 512, else 128, if not given.
    averaging : bool
        Whether draws come from an average of the last positions, or from the last one.
    weights : tuple of Weights
        Where the weights of each layer lie in a position.
    """

    default_tune: ClassVar[int] = 20_000
    default_chains: ClassVar[int] = 1
    check_every: ClassVar[int] = 500
    markov: ClassVar[bool] = False

    rate: float = 0.05
    learning_rate: float = 0.01
    schedule: Rate = field(default_factory=InverseRoot)
    batch_size: int | None = None
    averaging: bool = True
    weights: tuple[Weights, ...] = ()

    def init(self, key: Any, position: Any, density: Density) -> DropoutState:
        start = bnp.concatenate([position, np.asarray(self.own_start(), position.dtype)])
        return DropoutState(position, start, start, start_adam(start), key)

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
        return not self.schedule.whole and settled(info["lp_estimate"])

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
        rate = self.learning_rate * self.schedule(phase.iteration, phase.fraction)
        moments, change = ascend(state.moments, gradient, bnp.asarray(rate, gradient.dtype))
        trained = state.trained + change
        average = averaged(state.average, trained, moments.count) if self.averaging else trained
        dim = state.position.shape[0]
        moved = DropoutState(trained[:dim], trained, average, moments, state.order)
        return moved, self.report(value, trained, dim)

    def _draw(self, key: Any, state: DropoutState) -> tuple[Any, DropoutInfo]:
        dim, dtype = state.position.shape[0], state.position.dtype
        factors = self.factors(key, self.own(state.average, dim), dtype)
        position = state.average[:dim] * spread(factors, self.weights, dim, dtype)
        info = self.report(bnp.zeros((), dtype), state.average, dim)
        return replace(state, position=position), info
