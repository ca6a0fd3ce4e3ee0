"""Priors over weights that keep a layer's output on one scale whatever its width."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bayesdl import dist
from bayesdl._base.dataclass import dataclass
from bayesdl.dist._base import Distribution
from bayesdl.model.statements import sample
from bayesdl.ops import numpy as bnp

from ._base import LayerPrior


def fan_in_normal(scale: float = 1.0) -> Callable[[int], dist.Normal]:
    """Normal(0, scale / √fan_in) for every weight.

    Parameters
    ----------
    scale : float, default 1.0
        Standard deviation of a unit's input when the units that enter it have unit variance.

    Returns
    -------
    callable
        From fan_in to a distribution.

    References
    ----------
    Neal (1996), Bayesian Learning for Neural Networks, section 2.1.

    Examples
    --------
    >>> float(fan_in_normal()(4).scale)
    0.5
    """
    return lambda fan_in: dist.Normal(0.0, scale / fan_in**0.5)


def fan_in_laplace(scale: float = 1.0) -> Callable[[int], dist.Laplace]:
    """Laplace of mean 0 and standard deviation scale / √fan_in for every weight.

    Its tails are heavier and its peak is sharper than a normal's: few weights matter.

    Parameters
    ----------
    scale : float, default 1.0

    References
    ----------
    Williams (1995), Bayesian regularization and pruning using a Laplace prior.

    Examples
    --------
    >>> round(float(fan_in_laplace()(2).scale), 6)
    0.5
    """
    return lambda fan_in: dist.Laplace(0.0, scale / (2.0 * fan_in) ** 0.5)


@dataclass(frozen=True)
class Hierarchical(LayerPrior):
    """Normal weights whose scale is unknown, one for each layer.

        weight = scale · site,   site ~ Normal(0, 1/√fan_in),   scale ~ `scale`

    Sites: the layer's own, of weights before they are scaled, and ``{weights}.scale``.

    Parameters
    ----------
    scale : Distribution
        On positive numbers.

    References
    ----------
    Neal (1996), Bayesian Learning for Neural Networks, section 2.2, and section 3.2 on scales apart
    from the weights.

    Examples
    --------
    >>> from bayesdl import nn
    >>> layer = nn.Linear(3, prior=Hierarchical(dist.HalfCauchy(1.0)))
    """

    scale: Distribution = dist.HalfNormal(1.0)

    def scales(self, name: str, shape: tuple[int, ...], owner: str) -> Any:
        return sample(f"{name}.scale", self.scale, role="scale", layer=owner)


@dataclass(frozen=True)
class Horseshoe(LayerPrior):
    """Weights most of whose units are switched off, while few are free.

        weight = s · site,   site ~ Normal(0, 1/√fan_in),
        s² = slab² t² / (slab² + t²),   t = global · local,   local ~ HalfCauchy(1)

    One `local` for each unit that enters the layer (of a convolution: each channel), one `global`
    of scale `width` for the layer. Sites: the layer's own, of weights before they are scaled,
    ``{weights}.local`` and ``{weights}.global``.

    Parameters
    ----------
    width : float, default 0.1
        Median of the global scale: small if few units are expected to matter.
    slab : float, default 2.0
        Largest scale of a unit.

    References
    ----------
    Ghosh, Yao & Doshi-Velez (2018), Structured variational learning of Bayesian neural networks
    with horseshoe priors (arXiv:1806.05975), for scales of units; Piironen & Vehtari (2017),
    Sparsity information and regularization in the horseshoe, section 2.3, for the slab
    (arXiv:1707.01694).
    """

    width: float = 0.1
    slab: float = 2.0

    def scales(self, name: str, shape: tuple[int, ...], owner: str) -> Any:
        whole = dist.HalfCauchy(self.width)
        each = dist.HalfCauchy(1.0).expand((shape[0],)).to_event(1)
        spread = sample(f"{name}.global", whole, role="scale", layer=owner)
        local = sample(f"{name}.local", each, role="scale", layer=owner)
        free = spread * bnp.reshape(local, (shape[0], *(1,) * (len(shape) - 1)))
        return free / bnp.sqrt(1.0 + bnp.square(free / self.slab))
