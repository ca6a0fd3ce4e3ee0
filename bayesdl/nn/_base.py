"""Layer, the abstract class: a function of rows whose weights are sample sites."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, ClassVar, TypeVar

from bayesdl._base.dataclass import dataclass
from bayesdl._base.registry import Registry
from bayesdl.dist import Normal
from bayesdl.dist._base import Distribution
from bayesdl.model.statements import param, sample, units
from bayesdl.ops import numpy as bnp

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


Prior = Callable[[int], Distribution] | Distribution | LayerPrior | None


ROLES = ("weight", "bias", "scale", "table")


@dataclass(frozen=True)
class Example:
    """What the laws of layers try a class on (`bayesdl.testing.layers`).

    Parameters
    ----------
    arguments : dict
        Of the class.
    inputs, outputs : tuple of int
        Shapes, rows first.
    weights : dict of str to tuple of int
        Shapes by name, without that of the layer, in the order in which they are drawn.
    below : int, default 0
        Inputs are whole numbers from 0 to below this; real ones if it is 0.
    """

    arguments: Mapping[str, Any]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    weights: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    below: int = 0


class Layer(ABC):
    """A function of rows whose weights are drawn from priors when a model runs.

    Layers are abstract or final. A layer object holds sizes and priors, never numbers: the weights
    are sites of the model that calls it. Where a prior is None they are parameters
    (`bayesdl.param`), and a layer without priors is a plain one.

    Attributes
    ----------
    examples : tuple of Example
        What the laws try the class on.
    """

    examples: ClassVar[tuple[Example, ...]] = ()

    @abstractmethod
    def __call__(self, x: Any) -> Any:
        """Apply the layer to inputs of shape (rows, fan_in)."""


def layer(cls: T) -> T:
    """Enter a layer class in the registry."""
    LAYERS.add(cls.__name__, cls)
    return cls


def unit_normal(fan_in: int) -> Normal:
    """Normal(0, 1) whatever the fan-in: the prior of biases where none is given."""
    return Normal(0.0, 1.0)


def of_biases(bias_prior: Prior, prior: Prior) -> Prior:
    """The prior of biases: none beside weights without one, unless it was given."""
    return None if prior is None and bias_prior is unit_normal else bias_prior


def weight(
    name: str, prior: Prior, fan_in: int, shape: tuple[int, ...], role: str, owner: str
) -> Any:
    """Sample one array of weights under its prior.

    Parameters
    ----------
    name : str
        Site name.
    prior : Distribution, callable from fan_in to a Distribution, LayerPrior, or None
        Of one weight, or of all of them; None makes them parameters, scales start at 1.
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
    if prior is None:
        start = 1.0 if role == "scale" else None
        return param(name, shape, start=start, role=role, layer=owner)
    if isinstance(prior, LayerPrior):
        scales = prior.scales(name, shape, owner)
        return scales * weight(name, Normal(0.0, fan_in**-0.5), fan_in, shape, role, owner)
    one = prior if isinstance(prior, Distribution) else prior(fan_in)
    return sample(name, one.expand(shape).to_event(len(shape)), role=role, layer=owner)


def masked(name: str, x: Any, groups: int = 1) -> Any:
    """Units that enter a layer; dropout drops a feature of a row at all its places, not at one.

    Groups of a convolution share one mask, as the first axis of the weights counts the channels of
    one group.

    References
    ----------
    Tompson, Goroshin, Jain, LeCun & Bregler (2015), Efficient object localization using
    convolutional networks, section 3.2; Gal & Ghahramani (2016), A theoretically grounded
    application of dropout in recurrent neural networks, section 4.2 (arXiv:1512.05287).
    """
    shape = (x.shape[0], *(1,) * (x.ndim - 2), x.shape[-1] // groups)
    mask = units(name, bnp.ones(shape, x.dtype))
    return x * (mask if groups == 1 else bnp.concatenate([mask] * groups, axis=-1))
