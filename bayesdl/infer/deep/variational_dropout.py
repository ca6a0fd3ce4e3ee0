"""Variational dropout: Gaussian noise on units, as strong as the evidence bound says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ArgumentError
from bayesdl._base.source import user_source
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from ..kernel import Kernel, kernel
from ..minibatch import Turn
from ..targets import NoisyTarget, Perturbed, layers_of, noisy_parts, rates_of
from ._base import DropoutKernel

HIGHEST = 0.5
"""From this rate on a mask has a variance of 1 and more, where the divergence has no formula."""
CUBIC = 1.16145124, -1.50204118, 0.58629921  # c₁, c₂, c₃ of the paper


def minus_kl(alpha: Any) -> Any:
    """−KL(N(θ, α θ²) ‖ log-uniform) + constant, for α ≤ 1, nats.

    Examples
    --------
    >>> round(float(minus_kl(1.0)), 4)
    0.2457
    """
    c1, c2, c3 = CUBIC
    return 0.5 * bnp.log(alpha) + alpha * (c1 + alpha * (c2 + alpha * c3))


@dataclass(frozen=True)
class GaussianTarget(NoisyTarget):
    """The density of a network under Gaussian noise; logits of α follow the position."""

    def function(self, trained: Any, turn: Turn, *data: Any) -> Any:
        """The evidence bound under fresh noise, up to a constant, nats."""
        rows, key = self.minibatch.chosen(turn, data), self.key(turn)
        position, alphas = trained[: self.dim], bnp.sigmoid(trained[self.dim :])
        layers = layers_of(self.weights)

        def shake(layer: str, count: int, x: Any) -> Any:
            sd = bnp.sqrt(alphas[layers.index(layer)])
            return x * (1.0 + sd * random.normal(random.fold_in(key, count), x.shape, x.dtype))

        total = self.likelihood(position, rows, turn, Perturbed(layers, shake))
        for w in self.weights:
            total = total + w.units * minus_kl(alphas[layers.index(w.layer)])
        return total


@kernel
@dataclass(frozen=True)
class VariationalDropout(DropoutKernel):
    """Gaussian dropout x · N(1, α) on the units that enter each layer, α ≤ 1 learned by layer.

    The parameters are those of `DropoutKernel`; α starts at rate / (1 − rate), the variance of a
    Bernoulli mask of that rate, and `rate` must be below one half.

    Notes
    -----
    *Invariant distribution*: the guide, not the density. *Cost*: one gradient a step, with a normal
    number for each unit of each row. The prior of the weights is the paper's, log-uniform, whatever
    the model says: under it the bound does not depend on their size. This is the paper's variant
    with correlated weight noise, one factor for all weights of a unit.

    References
    ----------
    Kingma, Salimans & Welling (2015), Variational dropout and the local reparameterization trick,
    sections 3.1 to 3.3 and appendix C (arXiv:1506.02557).
    """

    name: ClassVar[str] = "variational_dropout"

    @classmethod
    def prepared(cls, density: Any, settings: Mapping[str, Any]) -> tuple[Kernel, Any]:
        found = cls.read(settings)
        parts = noisy_parts(density, found.get("batch_size"))
        kernel = cls(**found, weights=parts[1])
        for w, rate in zip(kernel.weights, rates_of(kernel.weights, kernel.rate), strict=True):
            if rate >= HIGHEST:
                raise ArgumentError(
                    f"{cls.name} has no such rate: noise of a variance above 1 is not learned.",
                    facts=[("layer", w.layer), ("rate", rate), ("needed", f"below {HIGHEST}")],
                    fix='give a smaller rate, for example 0.2, or method="mc_dropout".',
                    where=user_source(),
                    code="A108",
                )
        return kernel, GaussianTarget(*parts)

    def own_start(self) -> list[float]:
        rates = {
            w.layer: r for w, r in zip(self.weights, rates_of(self.weights, self.rate), strict=True)
        }
        alphas = [r / (1.0 - r) for r in rates.values()]
        return [math.log(a / (1.0 - a)) for a in alphas]

    def factors(self, key: Any, own: Any, dtype: Any) -> Any:
        layers, found = layers_of(self.weights), []
        for i, w in enumerate(self.weights):
            sd = bnp.sqrt(bnp.sigmoid(own[layers.index(w.layer)]))
            noise = random.normal(random.fold_in(key, i), (w.units, 1), dtype)
            found.append(1.0 + sd * noise)
        return found
