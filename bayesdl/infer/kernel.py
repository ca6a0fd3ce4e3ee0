"""Kernel: what every method is, `init` and `step` over explicit state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from bayesdl._base.registry import Registry

KERNELS: Registry[type[Kernel]] = Registry("kernel")
Density = Callable[[Any], tuple[Any, Any]]
T = TypeVar("T", bound="type[Kernel]")


@dataclass(frozen=True)
class Phase:
    """Where in the run an iteration stands; scalars that the host gives, so that nothing retraces.

    Parameters
    ----------
    iteration : int64 array, shape ()
        From 0, warm-up included.
    tuning : bool array, shape ()
        Whether the step size adapts.
    slow : bool array, shape ()
        Whether draws are collected for the mass matrix.
    window_end : bool array, shape ()
        Whether the mass matrix is renewed after this iteration.
    """

    __tree__: ClassVar[bool] = True
    iteration: Any
    tuning: Any
    slow: Any
    window_end: Any


class Kernel(ABC):
    """A Markov kernel, or an optimiser's step: pure functions of explicit state.

    State and Info are dataclasses of arrays with ``__tree__ = True``. State has a field `position`;
    Info's fields carry ArviZ's names.
    """

    @abstractmethod
    def init(self, key: Any, position: Any, density: Density) -> Any:
        """The first state, at a position of shape (dim,)."""

    @abstractmethod
    def step(self, key: Any, state: Any, density: Density, phase: Phase) -> tuple[Any, Any]:
        """The next state, and what is reported of the step."""


def kernel(cls: T) -> T:
    """Enter a kernel class in the registry."""
    KERNELS.add(cls.__name__, cls)
    return cls
