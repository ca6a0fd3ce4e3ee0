"""Kernel: what every method is, a first state and a step; and the Phase that the host tells it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.registry import Registry

from .optim.lbfgs import LBFGS

Density = Callable[..., tuple[Any, Any]]
"""A position (dim,) to the log density in nats and its gradient (dim,)."""


@dataclass(frozen=True)
class DensityOn:
    """A log density with its gradient, on the data of a run: what kernels are handed.

    Parameters
    ----------
    function : callable, (position, *extra, *data) -> (log density, gradient)
    data : sequence of Array
    """

    function: Callable[..., tuple[Any, Any]]
    data: Sequence[Any]

    def __call__(self, position: Any, *extra: Any) -> tuple[Any, Any]:
        return self.function(position, *extra, *self.data)


def tuning_at(step: int) -> Phase:
    """The phase of a step of an optimisation, as far as what it takes the gradient of goes."""
    no, yes = np.bool_(False), np.bool_(True)
    return Phase(yes, no, no, np.int64(step), np.float64(0.0))


@dataclass(frozen=True)
class Replay:
    """A part of what one step computed, to be computed again operation by operation.

    Parameters
    ----------
    function : callable
    args : tuple of containers of arrays
    position : array, shape (dim,), optional
        Where it was.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    position: Any = None


class State(Protocol):
    """What a kernel carries to its next step: a dataclass with ``__tree__ = True``."""

    @property
    def position(self) -> Any:
        """Unconstrained position, shape (dim,)."""
        ...


@dataclass(frozen=True)
class Phase:
    """Where a run stands at one iteration; the host knows, the kernel is told.

    Parameters
    ----------
    tuning : bool
        Whether this iteration belongs to the warm-up (or to the optimisation of a fit).
    slow : bool
        Whether the warm-up learns the posterior's scales here.
    window_end : bool
        Whether a window of collecting ends with this iteration.
    iteration : int
        Counted from 0 over warm-up and draws.
    fraction : float
        Part of the warm-up that is over, from 0 to 1.
    """

    __tree__: ClassVar[bool] = True

    tuning: Any
    slow: Any
    window_end: Any
    iteration: Any
    fraction: Any


class Kernel(ABC):
    """A method of inference: pure functions of explicit state, written for one chain.

    A kernel is a frozen dataclass whose fields are the method's settings. `State` and `Info` are
    dataclasses with ``__tree__ = True``; the fields of `Info` are scalars under ArviZ's names.

    Attributes
    ----------
    name : str
        What ``fit(method=…)`` calls it.
    default_tune, default_chains : int
        Length of the warm-up and number of chains if the user does not say.
    check_every : int
        The host asks `finished` after so many warm-up iterations; 0 for never.
    markov : bool
        Whether its draws are a Markov chain on the exact posterior.
    when_lost : str
        What a user may do whose warm-up went nowhere.
    """

    name: ClassVar[str] = ""
    default_tune: ClassVar[int] = 1000
    default_chains: ClassVar[int] = 4
    check_every: ClassVar[int] = 0
    markov: ClassVar[bool] = True
    when_lost: ClassVar[str] = ""

    @abstractmethod
    def init(self, key: Any, position: Any, density: Density) -> Any:
        """The first state.

        Parameters
        ----------
        key : Array, shape (2,)
        position : Array, shape (dim,)
            Where the chain starts.
        density : callable
            Position to (log density, gradient).
        """

    @abstractmethod
    def step(self, key: Any, state: Any, density: Density, phase: Phase) -> tuple[Any, Any]:
        """The next state, and what is to be reported of this step.

        Parameters
        ----------
        key : Array, shape (2,)
            Belongs to this chain and iteration alone.
        state : State
        density : callable
            Position to (log density, gradient).
        phase : Phase
        """

    @classmethod
    def prepared(cls, density: Any, settings: Mapping[str, Any]) -> tuple[Kernel, Any]:
        """The kernel with a user's settings, and what it runs on.

        Parameters
        ----------
        density : model.density.Density
        settings : mapping of str to value
        """
        return cls(**settings), density

    @classmethod
    def placing(
        cls, model: Any, data: Sequence[Any], settings: Mapping[str, Any]
    ) -> AbstractContextManager[Any]:
        """Surroundings that give discrete unknowns which the method draws a place in positions.

        Parameters
        ----------
        model : Model or callable
        data : sequence
            The model's arguments.
        settings : mapping of str to value
        """
        return nullcontext()

    @classmethod
    def coarse(cls, settings: Mapping[str, Any]) -> bool:
        """Whether networks lose nothing by this method in float32."""
        return not cls.markov

    @property
    def climber(self) -> LBFGS | None:
        """What the host climbs with to the mode in the place of a warm-up; None for a warm-up."""
        return None

    def finished(self, info: Mapping[str, np.ndarray[Any, Any]]) -> bool:
        """Whether the warm-up may end early, from what all its steps so far reported."""
        return False

    def learned(self, state: Any) -> Any:
        """What the last state of a chain says beyond its draws, or None."""
        return None

    def broken(self, info: Mapping[str, np.ndarray[Any, Any]]) -> int | None:
        """The step from which on a warm-up went nowhere, from what its steps reported, or None."""
        return None

    def replays(self, key: Any, state: Any, step: int, target: Any) -> Iterable[Replay]:
        """What a step of the warm-up computed, in order, to find where it ceased to be finite.

        Parameters
        ----------
        key : array of uint32, shape (2,)
            That of the step.
        state : State
            Before the step.
        step : int
        target : Target
        """
        return ()


KERNELS: Registry[type[Kernel]] = Registry("method")
K = TypeVar("K", bound="type[Kernel]")


def kernel(cls: K) -> K:
    """Enter a kernel in the registry under its own name."""
    KERNELS.add(cls.name, cls)
    return cls
