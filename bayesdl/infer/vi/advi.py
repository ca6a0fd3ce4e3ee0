"""Automatic differentiation variational inference: an independent Gaussian on the position."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bayesdl.infer.kernel import Density, Kernel, Phase, kernel, settled
from bayesdl.infer.optim.adam import Moments, ascend, start_adam
from bayesdl.infer.optim.averaging import averaged
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random
from bayesdl.tracing.flow import cond, scan


@dataclass(frozen=True)
class Guide:
    """A Gaussian with independent coordinates: means and log standard deviations, shape (dim,)."""

    __tree__: ClassVar[bool] = True

    mean: Any
    log_sd: Any


@dataclass(frozen=True)
class ADVIState:
    """Where the optimisation stands; `average` is the guide that draws come from."""

    __tree__: ClassVar[bool] = True

    position: Any
    guide: Guide
    average: Guide
    mean_moments: Moments
    sd_moments: Moments


@dataclass(frozen=True)
class ADVIInfo:
    """What one step reports: log density, and an unbiased estimate of the ELBO, in nats."""

    __tree__: ClassVar[bool] = True

    lp: Any
    elbo: Any


@kernel
@dataclass(frozen=True)
class ADVI(Kernel):
    """Mean-field variational inference on R^dim.

    Maximises E_q[log π(z)] + entropy(q) over Gaussians q with independent coordinates, by Adam on
    reparametrised gradients.

    Parameters
    ----------
    samples : int
        Monte Carlo samples of each gradient.
    learning_rate : float
        Of Adam, at the first step; it falls as 1/√(1 + t/500).
    init_sd : float
        Standard deviation of the first guide, whose mean is the starting position.

    Notes
    -----
    *Invariant distribution*: the guide, not the density; variances are mostly too small. *Cost*:
    `samples`
    gradient evaluations per optimiser step. The gradient leaves out the score term, whose mean is
    zero:
    its noise vanishes where the guide is right. The optimisation ends when the mean ELBO of its
    last third is not above that of the middle third by more than its noise (`settled`). Draws come
    from
    an average of the last guides, and their mean `elbo` estimates the ELBO of that guide. For a
    network the mean of the first guide matters more than its sd: from weights and biases that are
    small beside their priors, the optimisation can end where all units but a few are switched off.

    References
    ----------
    Kucukelbir, Tran, Ranganath, Gelman & Blei (2017), Automatic differentiation variational
    inference
    (arXiv:1603.00788). Roeder, Wu & Duvenaud (2017), Sticking the landing (arXiv:1703.09194).
    Trippe &
    Turner (2018), Overpruning in variational Bayesian neural networks (arXiv:1801.06230).
    """

    name: ClassVar[str] = "advi"
    default_tune: ClassVar[int] = 20_000
    default_chains: ClassVar[int] = 1
    check_every: ClassVar[int] = 500
    markov: ClassVar[bool] = False

    samples: int = 4
    learning_rate: float = 0.02
    init_sd: float = 0.1

    def init(self, key: Any, position: Any, density: Density) -> ADVIState:
        guide = Guide(position, bnp.full_like(position, math.log(self.init_sd)))
        return ADVIState(position, guide, guide, start_adam(position), start_adam(position))

    def step(
        self, key: Any, state: ADVIState, density: Density, phase: Phase
    ) -> tuple[Any, ADVIInfo]:
        found: tuple[ADVIState, ADVIInfo] = cond(
            phase.tuning,
            lambda s: self._improve(key, s, density),
            lambda s: self._draw(key, s, density),
            state,
        )
        return found

    def finished(self, info: Mapping[str, np.ndarray[Any, Any]]) -> bool:
        return settled(info["elbo"])

    def _improve(self, key: Any, state: ADVIState, density: Density) -> tuple[Any, ADVIInfo]:
        value, of_mean, of_log_sd = self._gradient(key, state.guide, density)
        rate = self.learning_rate / bnp.sqrt(1.0 + state.mean_moments.count / 500.0)
        mean_moments, mean_change = ascend(state.mean_moments, of_mean, rate)
        sd_moments, sd_change = ascend(state.sd_moments, of_log_sd, rate)
        guide = Guide(state.guide.mean + mean_change, state.guide.log_sd + sd_change)
        count = mean_moments.count
        average = Guide(
            averaged(state.average.mean, guide.mean, count),
            averaged(state.average.log_sd, guide.log_sd, count),
        )
        info = ADVIInfo(value, value + entropy(state.guide))
        return ADVIState(guide.mean, guide, average, mean_moments, sd_moments), info

    def _gradient(self, key: Any, guide: Guide, density: Density) -> tuple[Any, Any, Any]:
        """Mean log density over the samples, and the gradient of the ELBO by mean and by log sd."""
        sd = bnp.exp(guide.log_sd)

        def add(carry: tuple[Any, Any, Any], i: Any) -> tuple[tuple[Any, Any, Any], None]:
            noise = random.normal(random.fold_in(key, i), sd.shape, sd.dtype)
            value, gradient = density(guide.mean + sd * noise)
            path = gradient + noise / sd
            return (carry[0] + value, carry[1] + path, carry[2] + path * noise * sd), None

        zero = bnp.zeros_like(sd)
        (value, of_mean, of_log_sd), _ = scan(
            add, (zero.sum(), zero, zero), np.arange(self.samples)
        )
        part = 1.0 / self.samples
        return part * value, part * of_mean, part * of_log_sd

    def _draw(self, key: Any, state: ADVIState, density: Density) -> tuple[Any, ADVIInfo]:
        guide = state.average
        noise = random.normal(key, guide.mean.shape, guide.mean.dtype)
        position = guide.mean + bnp.exp(guide.log_sd) * noise
        value, _ = density(position)
        surprise = entropy(guide) + 0.5 * (noise * noise - 1.0).sum()
        moved = ADVIState(position, state.guide, guide, state.mean_moments, state.sd_moments)
        return moved, ADVIInfo(value, value + surprise)


def entropy(guide: Guide) -> Any:
    """Entropy of the guide, nats."""
    dim = guide.log_sd.shape[0]
    return guide.log_sd.sum() + 0.5 * dim * (1.0 + math.log(2.0 * math.pi))
