"""Layer, the abstract class: a function of rows whose weights are sample sites."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

from bayesdl._base.registry import Registry
from bayesdl.dist import Normal
from bayesdl.dist._base import Distribution
from bayesdl.model.statements import sample

LAYERS: Registry[type[Layer]] = Registry("layer", __package__)
T = TypeVar("T", bound="type[Layer]")


class LayerPrior(ABC):
    """A prior of all weights of a layer together, with unknowns of its own."""

    @abstractmethod
    def scales(self, name: str, shape: tuple[int, ...], owner: str) -> Any:
        """Sample what standard normal weights over the root of the fan-in are multiplied with.

        Parameters
        ----------
        name : str
            Of the site of the weights: prefix of the sites of the prior.
        shape : tuple of int
            Of the weights.
        owner : str
            Name of the layer.

        Returns
        -------
        array that broadcasts to `shape`
        """


Prior = Callable[[int], Distribution] | Distribution | LayerPrior


class Layer(ABC):
    """A function of rows whose weights are drawn from priors when a model runs.

    Layers are abstract or final. A layer object holds sizes and priors, never numbers: the weights
    are sites of the model that calls it.
    """

    @abstractmethod
    def __call__(self, x: Any) -> Any:
        """Apply the layer to inputs of shape (rows, fan_in)."""


def layer(cls: T) -> T:
    """Enter a layer class in the registry."""
    LAYERS.add(cls.__name__, cls)
    return cls


def weight(
    name: str, prior: Prior, fan_in: int, shape: tuple[int, ...], role: str, owner: str
) -> Any:
    """Sample one array of weights under its prior.

    Parameters
    ----------
    name : str
        Site name.
    prior : Distribution, callable from fan_in to a Distribution, or LayerPrior
        Of one weight, or of all of them.
    fan_in : int
        Number of units that enter each unit of the layer.
    shape : tuple of int
        Shape of the weights.
    role : {"weight", "bias", "scale", "table"}
        What methods for networks treat them as: the first axis of a weight counts the units that
        dropout may drop.
    owner : str
        Name of the layer.
    """
    if isinstance(prior, LayerPrior):
        scales = prior.scales(name, shape, owner)
        return scales * weight(name, Normal(0.0, fan_in**-0.5), fan_in, shape, role, owner)
    one = prior if isinstance(prior, Distribution) else prior(fan_in)
    return sample(name, one.expand(shape).to_event(len(shape)), role=role, layer=owner)
