"""Optimiser: what turns the gradient of one step into a change of the parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, TypeVar

from bayesdl._base.registry import Registry


class Optimiser(ABC):
    """Pure functions of explicit state, for ascent; a frozen dataclass whose fields are settings.

    Parameters, gradient and change are containers of arrays of one structure.
    """

    @abstractmethod
    def start(self, params: Any) -> Any:
        """The state before the first gradient."""

    @abstractmethod
    def change(self, state: Any, gradient: Any, params: Any, rate: Any) -> tuple[Any, Any]:
        """The next state, and what to add to the parameters.

        Parameters
        ----------
        state : container of arrays
        gradient, params : container of arrays
        rate : Array, shape ()
            Length of a step.
        """


O = TypeVar("O", bound="type[Optimiser]")  # noqa: E741
OPTIMISERS: Registry[type[Optimiser]] = Registry("optimiser")


def optimiser(cls: O) -> O:
    """Enter an optimiser in the registry under its own name in lower case."""
    OPTIMISERS.add(cls.__name__.lower(), cls)
    return cls
