"""MC dropout: Bernoulli masks on units as a variational distribution over a network's weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bayesdl.ops import numpy as bnp
from bayesdl.ops import random
from bayesdl.tracing.flow import cond

from ..kernel import Density, Kernel, Phase, kernel, settled
from ..optim.adam import Moments, ascend, start_adam
from ..optim.averaging import averaged


@dataclass(frozen=True)
class DropoutState:
    """Position of the last draw, the trained one, an average of the trained ones, Adam's moments.

    All positions have shape (dim,).
    """

    __tree__: ClassVar[bool] = True

    position: Any
    trained: Any
    average: Any
    moments: Moments


@dataclass(frozen=True)
class DropoutInfo:
    """What one step reports: the log density under fresh masks, in nats; an estimate."""

    __tree__: ClassVar[bool] = True

    lp_estimate: Any


@kernel
@dataclass(frozen=True)
class MCDropout(Kernel):
    """Dropout as a variational distribution over a network's weights.

    While it tunes, each step trains by Adam under fresh masks on the units that enter each layer,
    one mask a row. Afterwards each step draws weights: the rows of a weight matrix that belong to a
    dropped unit are zero, the others are divided by 1 − rate. Predictions from the draws are
    stochastic, noise included.

    Parameters
    ----------
    rate : float
        Probability that a unit is dropped, in (0, 1).
    learning_rate : float
        Of Adam, at the first step; it falls as 1/√(1 + t/500).
    groups : tuple of int
        The unit that each coordinate of the position belongs to; −1 for those that are never
        dropped.

    Notes
    -----
    *Invariant distribution*: the guide, not the density. *Cost*: one gradient under masks per
    training step, none per draw. The training maximises E_q[log likelihood] + E_q[log prior]: a
    unit is kept with probability 1 − rate, so a weight counts with
    (1 − rate) · log prior(w / (1 − rate)), the paper's Kullback–Leibler term for the model's own
    prior. It ends when the objective of its last third is not above that of the middle third by
    more than its noise (`settled`); draws come from an average of the last positions. *Departs from
    the paper in*: the noise is a site of the model and is learned with the weights, to a point, as
    all sites but the weights are.

    References
    ----------
    Gal & Ghahramani (2016), Dropout as a Bayesian approximation, sections 3 and 4
    (arXiv:1506.02142), and its appendix, section 3.2 (arXiv:1506.02157).
    """

    name: ClassVar[str] = "mc_dropout"
    default_tune: ClassVar[int] = 20_000
    default_chains: ClassVar[int] = 1
    check_every: ClassVar[int] = 500
    markov: ClassVar[bool] = False

    rate: float = 0.05
    learning_rate: float = 0.01
    groups: tuple[int, ...] = ()

    def init(self, key: Any, position: Any, density: Density) -> DropoutState:
        return DropoutState(position, position, position, start_adam(position))

    def step(
        self, key: Any, state: DropoutState, density: Density, phase: Phase
    ) -> tuple[Any, DropoutInfo]:
        found: tuple[DropoutState, DropoutInfo] = cond(
            phase.tuning,
            lambda s: self._train(key, s, density),
            lambda s: self._draw(key, s),
            state,
        )
        return found

    def finished(self, info: Mapping[str, np.ndarray[Any, Any]]) -> bool:
        return settled(info["lp_estimate"])

    def _train(self, key: Any, state: DropoutState, density: Density) -> tuple[Any, DropoutInfo]:
        value, gradient = density(state.trained, key)
        rate = self.learning_rate / bnp.sqrt(1.0 + state.moments.count / 500.0)
        moments, change = ascend(state.moments, gradient, rate)
        trained = state.trained + change
        average = averaged(state.average, trained, moments.count)
        return DropoutState(trained, trained, average, moments), DropoutInfo(value)

    def _draw(self, key: Any, state: DropoutState) -> tuple[Any, DropoutInfo]:
        groups = np.asarray(self.groups)
        dtype = state.average.dtype
        kept = random.uniform(key, (int(groups.max(initial=0)) + 1,), dtype) >= self.rate
        factor = bnp.where(kept, 1.0 / (1.0 - self.rate), 0.0)
        of_each = bnp.where(groups >= 0, factor[np.maximum(groups, 0)], 1.0)
        drawn = DropoutState(state.average * of_each, state.trained, state.average, state.moments)
        return drawn, DropoutInfo(bnp.zeros((), dtype))
