"""Normalisations that treat each row by itself, so that they fit Bayesian networks."""

from __future__ import annotations

from typing import Any, ClassVar

from bayesdl import dist
from bayesdl._base.dataclass import dataclass
from bayesdl.ops import numpy as bnp

from ._base import Example, Layer, Prior, layer, weight


@layer
@dataclass(frozen=True)
class LayerNorm(Layer):
    """Features of a row brought to mean 0 and variance 1, then scaled and shifted.

        y = scale · (x − mean) / √(variance + ε) + shift

    Sites: ``{name}.scale`` and ``{name}.shift``, shape (features,).

    Parameters
    ----------
    name : str, default "norm"
    epsilon : float, default 1e-5
    scale_prior, shift_prior : Distribution, callable from fan_in to one, or None
        Normal(1, 0.1) and Normal(0, 0.1) by default.

    References
    ----------
    Ba, Kiros & Hinton (2016), Layer normalization (arXiv:1607.06450).
    """

    name: str = "norm"
    epsilon: float = 1e-5
    scale_prior: Prior = dist.Normal(1.0, 0.1)
    shift_prior: Prior = dist.Normal(0.0, 0.1)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, (3, 4), (3, 4), {"scale": (4,), "shift": (4,)}),
        Example({}, (3, 5, 2, 4), (3, 5, 2, 4), {"scale": (4,), "shift": (4,)}),
    )

    def __call__(self, x: Any) -> Any:
        x = bnp.asarray(x)
        centred = x - bnp.mean(x, axis=-1, keepdims=True)
        variance = bnp.mean(centred**2, axis=-1, keepdims=True)
        size = x.shape[-1]
        scale = weight(f"{self.name}.scale", self.scale_prior, size, (size,), "scale", self.name)
        shift = weight(f"{self.name}.shift", self.shift_prior, size, (size,), "bias", self.name)
        return scale * centred / bnp.sqrt(variance + self.epsilon) + shift


@layer
@dataclass(frozen=True)
class FilterResponseNorm(Layer):
    """Each channel of a row divided by its root mean square over space, above a learned threshold.

        y = max(scale · x / √(mean(x²) + ε) + shift, threshold)

    Unlike batch normalisation it does not tie rows together, so the likelihood stays a product
    over rows. Sites: ``{name}.scale``, ``{name}.shift``, ``{name}.threshold``, shape (channels,).

    Parameters
    ----------
    name : str, default "norm"
    epsilon : float, default 1e-6
    scale_prior, shift_prior : Distribution, callable from fan_in to one, or None
        Normal(1, 0.1) and Normal(0, 0.1) by default; the threshold has the prior of the shift.

    References
    ----------
    Singh & Krishnan (2020), Filter response normalization layer (arXiv:1911.09737); used for
    Bayesian networks by Izmailov et al. (2021), What are Bayesian neural network posteriors really
    like?, section 3.
    """

    name: str = "norm"
    epsilon: float = 1e-6
    scale_prior: Prior = dist.Normal(1.0, 0.1)
    shift_prior: Prior = dist.Normal(0.0, 0.1)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, (3, 4), (3, 4), {"scale": (4,), "shift": (4,), "threshold": (4,)}),
        Example({}, (3, 5, 2, 4), (3, 5, 2, 4), {"scale": (4,), "shift": (4,), "threshold": (4,)}),
    )

    def __call__(self, x: Any) -> Any:
        x = bnp.asarray(x)
        space = tuple(range(1, x.ndim - 1))
        power = bnp.mean(x**2, axis=space, keepdims=True)
        size = x.shape[-1]
        scale = weight(f"{self.name}.scale", self.scale_prior, size, (size,), "scale", self.name)
        shift = weight(f"{self.name}.shift", self.shift_prior, size, (size,), "bias", self.name)
        least = weight(f"{self.name}.threshold", self.shift_prior, size, (size,), "bias", self.name)
        return bnp.maximum(scale * x / bnp.sqrt(power + self.epsilon) + shift, least)
