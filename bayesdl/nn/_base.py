"""Layer, the abstract class: a function of rows whose weights are sample sites."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

from bayesdl._base.registry import Registry
from bayesdl.dist._base import Distribution
from bayesdl.model.statements import sample

LAYERS: Registry[type[Layer]] = Registry("layer")
T = TypeVar("T", bound="type[Layer]")
Prior = Callable[[int], Distribution] | Distribution


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
    prior : Distribution, or callable from fan_in to a Distribution
        Of one weight.
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
    one = prior if isinstance(prior, Distribution) else prior(fan_in)
    return sample(name, one.expand(shape).to_event(len(shape)), role=role, layer=owner)
