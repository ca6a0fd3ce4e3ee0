"""Sparse variational dropout: noise on single weights, so strong on most that they are left out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from bayesdl._base.dataclass import dataclass
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from ..kernel import Density, Kernel, Phase, kernel
from ..minibatch import Turn, minibatch_target
from ..targets import NoisyTarget, Weights, dropped_weights, unit_statements, usual_batch
from ..vi.local import FlippedSums, NoisySums
from ._base import DropoutInfo, DropoutKernel, DropoutState, start_training

SIGMOID = 0.63576, 1.87320, 1.48695  # k₁, k₂, k₃ of the paper
CUT = 3.0
"""Weights with a larger log α are left out: a dropout rate of 0.95."""

LEAST = 1e-16


def minus_kl(log_alpha: Any) -> Any:
    """−KL(N(θ, α θ²) ‖ log-uniform) + constant for any α, nats; 0 for α = ∞.

    Examples
    --------
    >>> [round(float(minus_kl(a)), 4) for a in (-8.0, 0.0, 8.0)]
    [-4.6359, -0.4312, -0.0002]
    """
    k1, k2, k3 = SIGMOID
    return k1 * (bnp.sigmoid(k2 + k3 * log_alpha) - 1.0) - 0.5 * bnp.softplus(-log_alpha)


def count_of(weights: tuple[Weights, ...]) -> int:
    """How many weights there are."""
    return sum(w.units * w.width for w in weights)


def log_alphas(trained: Any, dim: int, weights: tuple[Weights, ...]) -> Any:
    """log α = log σ² − log θ² of all weights; log σ² follow the position in `trained`."""
    thetas = bnp.concatenate([trained[w.slice] for w in weights])
    return trained[dim:] - bnp.log(thetas * thetas + LEAST)


@dataclass(frozen=True)
class SparseTarget(NoisyTarget):
    """The density of a network under noise on its weights; their log variances follow the position.

    Parameters
    ----------
    once : tuple of str
        Layers whose weights enter a row's sums once, so that the sums themselves can be drawn.
    """

    once: tuple[str, ...]

    def function(self, trained: Any, turn: Turn, *data: Any) -> Any:
        """The evidence bound under fresh noise, up to a constant, nats."""
        rows, key = self.minibatch.chosen(turn, data), self.key(turn)
        position, sites = trained[: self.dim], self.minibatch.part.sites
        sds, changes, at = {}, {}, self.dim
        for i, w in enumerate(self.weights):
            shape = sites[w.site].type.shape
            sd = bnp.reshape(bnp.exp(0.5 * trained[at : at + w.units * w.width]), shape)
            at += w.units * w.width
            if w.layer in self.once:
                sds[w.layer] = sd
            else:
                changes[w.layer] = sd * random.normal(random.fold_in(key, i), shape, self.dtype)
        keys = random.split(key, 2)
        noise = NoisySums(keys[0], sds), FlippedSums(keys[1], changes)
        total = self.likelihood(position, rows, turn, *noise)
        warmth = 1.0 if turn.prior is None else turn.prior
        return total + warmth * bnp.sum(minus_kl(log_alphas(trained, self.dim, self.weights)))


@dataclass(frozen=True)
class SparseInfo(DropoutInfo):
    """What one step reports; `compression` is the number of weights for each that is left."""

    compression: Any


@kernel
@dataclass(frozen=True)
class SparseVariationalDropout(DropoutKernel):
    """Gaussian noise N(θ, σ²) on single weights; most are found to be noise, and left out.

    The parameters are those of `DropoutKernel`; α = σ²/θ² starts at rate / (1 − rate).

    Parameters
    ----------
    kl_warmup : int
        Over so many steps log prior − log guide counts from 0 to 1; 0 for at once.

    Notes
    -----
    *Invariant distribution*: the guide, not the density. *Cost*: one gradient a step, with two
    products for each layer. What is trained is σ² beside θ, not α, so that gradients stay quiet
    where α is large; noise is drawn at the sums of linear layers, and by flipout in convolutions.
    The prior of the weights is the paper's, log-uniform, whatever the model says. In draws weights
    with log α > 3 are 0, always the same ones; `compression` among the draws' statistics is the
    number of weights for each that is left. Where the model has an `nn.Dropout`, only the layers
    behind one are made sparse. Recurrent layers and attention are trained to a point.

    References
    ----------
    Molchanov, Ashukha & Vetrov (2017), Variational dropout sparsifies deep neural networks,
    sections 4.1 to 4.4, equation 14 (arXiv:1701.05369).
    """

    name: ClassVar[str] = "sparse_variational_dropout"

    kl_warmup: int = 2000

    @classmethod
    def prepared(cls, density: Any, settings: Mapping[str, Any]) -> tuple[Kernel, Any]:
        said = {s.name: s.once for s in unit_statements(density) if s.product is not None}
        weights = tuple(w for w in dropped_weights(density, single=True) if w.layer in said)
        kernel = cls(**cls.read(settings), weights=weights)
        batch = minibatch_target(density, usual_batch(density, kernel.batch_size))
        once = tuple(layer for layer, is_once in said.items() if is_once)
        return kernel, SparseTarget(batch, weights, once)

    def init(self, key: Any, position: Any, density: Density) -> DropoutState:
        log_alpha = math.log(self.rate / (1.0 - self.rate))
        places = [bnp.log(position[w.slice] ** 2 + LEAST) + log_alpha for w in self.weights]
        start = bnp.concatenate([position, *places])
        return start_training(key, position, start)

    def turn(self, state: DropoutState, phase: Phase) -> Turn:
        part = bnp.minimum((phase.iteration + 1) / max(self.kl_warmup, 1), 1.0)
        return Turn(state.order, phase.iteration, bnp.asarray(part, state.position.dtype))

    def own(self, trained: Any, dim: int) -> Any:
        return log_alphas(trained, dim, self.weights)

    @property
    def tempered(self) -> int:
        return self.kl_warmup

    def report(self, value: Any, trained: Any, dim: int) -> SparseInfo:
        left = bnp.sum(bnp.asarray(self.own(trained, dim) <= CUT, trained.dtype))
        return SparseInfo(value, count_of(self.weights) / bnp.maximum(left, 1.0))

    def factors(self, key: Any, own: Any, dtype: Any) -> Any:
        noise = random.normal(key, own.shape, dtype)
        each = bnp.where(own > CUT, 0.0, 1.0 + bnp.exp(0.5 * bnp.minimum(own, CUT)) * noise)
        found, at = [], 0
        for w in self.weights:
            found.append(bnp.reshape(each[at : at + w.units * w.width], (w.units, w.width)))
            at += w.units * w.width
        return found
