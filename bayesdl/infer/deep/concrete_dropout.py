"""Concrete dropout: MC dropout whose rates are learned, one a layer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from bayesdl._base.dataclass import dataclass
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from ..kernel import Kernel, kernel
from ..minibatch import Turn
from ..targets import NoisyTarget, Perturbed, keep_units, layers_of, noisy_parts, rates_of
from ._base import DropoutKernel

TEMPERATURE = 0.1


@dataclass(frozen=True)
class ConcreteTarget(NoisyTarget):
    """The density of a network under relaxed masks; the logits of the rates follow the position."""

    def function(self, trained: Any, turn: Turn, *data: Any) -> Any:
        """The evidence bound under fresh masks, nats."""
        rows, key = self.minibatch.chosen(turn, data), self.key(turn)
        position, logits = trained[: self.dim], trained[self.dim :]
        layers = layers_of(self.weights)

        def soften(layer: str, count: int, x: Any) -> Any:
            logit = logits[layers.index(layer)]
            u = random.uniform(random.fold_in(key, count), x.shape, x.dtype)
            noise = bnp.log(u) - bnp.log1p(-u)
            return x * bnp.sigmoid(-(logit + noise) / TEMPERATURE) * (1.0 + bnp.exp(logit))

        total = self.likelihood(position, rows, turn, Perturbed(layers, soften))
        rates = [bnp.sigmoid(logits[layers.index(w.layer)]) for w in self.weights]
        part = self.minibatch.part
        kept = part.site_log_densities(keep_units(position, rates, self.weights), *rows)
        none = part.site_log_densities(bnp.zeros_like(position), *rows)
        for rate, w in zip(rates, self.weights, strict=True):
            total = total + (1.0 - rate) * kept[w.site] + rate * none[w.site]
            total = total + w.units * entropy(rate)
        return total


def entropy(rate: Any) -> Any:
    """Of a unit that is dropped with this probability, nats."""
    return -rate * bnp.log(rate) - (1.0 - rate) * bnp.log1p(-rate)


@kernel
@dataclass(frozen=True)
class ConcreteDropout(DropoutKernel):
    """MC dropout that learns the rate of each layer, together with the weights.

    The parameters are those of `DropoutKernel`; all rates start at `rate`.

    Notes
    -----
    *Invariant distribution*: the guide, not the density. *Cost*: one gradient a step, with a
    logarithm for each unit of each row. The objective is the evidence bound: E_q[log likelihood],
    E_q[log prior] as for `mc_dropout`, and the entropy of the masks, which keeps rates from 0.
    While it trains, masks are softened: a unit is multiplied with
    sigmoid(−(logit rate + logit u) / 0.1) / (1 − rate), u uniform; draws have hard ones.

    References
    ----------
    Gal, Hron & Kendall (2017), Concrete dropout, sections 3 and 4 (arXiv:1705.07832).
    """

    name: ClassVar[str] = "concrete_dropout"

    @classmethod
    def prepared(cls, density: Any, settings: Mapping[str, Any]) -> tuple[Kernel, Any]:
        found = cls.read(settings)
        parts = noisy_parts(density, found.get("batch_size"))
        return cls(**found, weights=parts[1]), ConcreteTarget(*parts)

    def own_start(self) -> list[float]:
        rates = {
            w.layer: r for w, r in zip(self.weights, rates_of(self.weights, self.rate), strict=True)
        }
        return [math.log(r / (1.0 - r)) for r in rates.values()]

    def factors(self, key: Any, own: Any, dtype: Any) -> Any:
        layers, found = layers_of(self.weights), []
        for i, w in enumerate(self.weights):
            rate = bnp.sigmoid(own[layers.index(w.layer)])
            draws = random.uniform(random.fold_in(key, i), (w.units, 1), dtype)
            found.append(bnp.where(draws < rate, 0.0, 1.0 / (1.0 - rate)))
        return found
