"""Guide: a family of distributions on R^dim that variational inference chooses from."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

from bayesdl._base.registry import Registry
from bayesdl.infer.minibatch import Turn
from bayesdl.model.density import Density

LOG_2PI = math.log(2.0 * math.pi)


class Guide(ABC):
    """Pure functions of explicit parameters; a frozen dataclass whose fields are settings.

    Parameters of the family are a container of float arrays, called `params` throughout.

    Attributes
    ----------
    name : str
        What ``fit(method="vi", guide=…)`` calls it.
    other_names : tuple of str
        By which the field knows it as well.
    estimator : str
        Of its gradient, where the user does not choose one.
    """

    name: ClassVar[str] = ""
    other_names: ClassVar[tuple[str, ...]] = ()
    estimator: ClassVar[str] = "sticking_the_landing"

    @property
    def has_density(self) -> bool:
        """Whether its draws have weights against the density."""
        return True

    def fitted_to(self, density: Density) -> Guide:
        """The same guide with what it needs to know of a model."""
        return self

    def given(self, data: Sequence[Any]) -> Guide:
        """The same guide on the data of a run: those that the log density takes."""
        return self

    def at(self, turn: Turn) -> Guide:
        """The same guide for the rows of one minibatch."""
        return self

    @abstractmethod
    def start(self, key: Any, position: Any, sd: float) -> Any:
        """First parameters: a distribution around a position with about this sd.

        Positions have the coordinates of the unknowns with priors (`BesidePoints`).

        Parameters
        ----------
        key : Array of uint32, shape (2,)
        position : Array, shape (dim,)
        sd : float
        """

    @abstractmethod
    def sample_and_log_prob(self, params: Any, key: Any) -> tuple[Any, Any]:
        """A draw, shape (dim,), differentiable by the parameters, and its log density in nats."""

    @abstractmethod
    def log_prob(self, params: Any, position: Any) -> Any:
        """Log density in nats at a position of shape (dim,)."""

    def mean_and_sd(self, params: Any) -> tuple[Any, Any]:
        """Of independent normal coordinates, each of shape (dim,); for mean-field guides alone."""
        raise NotImplementedError

    def entropy(self, params: Any) -> Any:
        """Entropy in nats, or None where it has no closed form."""
        return None


G = TypeVar("G", bound="type[Guide]")
GUIDES: Registry[type[Guide]] = Registry("guide")


def guide(cls: G) -> G:
    """Enter a guide in the registry under its own name."""
    GUIDES.add(cls.name, cls)
    return cls


def standard_log_prob(noise: Any) -> Any:
    """Log density of independent standard normal numbers, summed."""
    return -0.5 * ((noise * noise).sum() + noise.shape[0] * LOG_2PI)
