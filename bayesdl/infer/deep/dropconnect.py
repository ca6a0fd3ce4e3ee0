"""DropConnect: Bernoulli masks on single weights as a variational distribution over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from bayesdl._base.dataclass import dataclass
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from ..kernel import Kernel, kernel
from ..minibatch import Turn
from ..targets import NoisyTarget, Weights, keep_units, noisy_parts, rates_of, spread
from ._base import DropoutKernel


def masks(key: Any, weights: Sequence[Weights], rate: float, dtype: Any) -> list[Any]:
    """For each layer an array (units, width): 0 as often as its rate says, else 1 / (1 − rate)."""
    found = []
    for i, (w, here) in enumerate(zip(weights, rates_of(weights, rate), strict=True)):
        draws = random.uniform(random.fold_in(key, i), (w.units, w.width), dtype)
        found.append(bnp.where(draws < here, 0.0, 1.0 / (1.0 - here)))
    return found


@dataclass(frozen=True)
class DropConnectTarget(NoisyTarget):
    """The density of a network whose weights are masked one by one, one mask a step.

    Parameters
    ----------
    rate : float
        Probability that a weight is dropped.
    """

    rate: float

    def function(self, trained: Any, turn: Turn, *data: Any) -> Any:
        """The objective under a fresh mask, nats."""
        rows = self.minibatch.chosen(turn, data)
        factors = masks(self.key(turn), self.weights, self.rate, self.dtype)
        masked = trained * spread(factors, self.weights, self.dim, self.dtype)
        rates = rates_of(self.weights, self.rate)
        kept = self.minibatch.part.site_log_densities(
            keep_units(trained, rates, self.weights), *rows
        )
        total = self.likelihood(masked, rows, turn)
        for w, rate in zip(self.weights, rates, strict=True):
            total = total + (1.0 - rate) * kept[w.site]
        return total


@kernel
@dataclass(frozen=True)
class DropConnect(DropoutKernel):
    """Dropout of single weights.

    The parameters are those of `DropoutKernel`; `rate` is the probability that a weight is dropped.

    Notes
    -----
    *Invariant distribution*: the guide, not the density. *Cost*: one gradient a step. One mask
    serves all rows of a step, so gradients are noisier than those of `mc_dropout`, whose masks
    differ from row to row. The objective is that of `mc_dropout`, weight by weight.

    References
    ----------
    Wan, Zeiler, Zhang, LeCun & Fergus (2013), Regularization of neural networks using DropConnect;
    as a variational distribution: Mobiny et al. (2021), DropConnect is effective in modeling
    uncertainty of Bayesian deep networks (arXiv:1906.04569).
    """

    name: ClassVar[str] = "dropconnect"

    @classmethod
    def prepared(cls, density: Any, settings: Mapping[str, Any]) -> tuple[Kernel, Any]:
        found = cls.read(settings)
        parts = noisy_parts(density, found.get("batch_size"))
        kernel = cls(**found, weights=parts[1])
        return kernel, DropConnectTarget(*parts, kernel.rate)

    def factors(self, key: Any, own: Any, dtype: Any) -> Any:
        return masks(key, self.weights, self.rate, dtype)
