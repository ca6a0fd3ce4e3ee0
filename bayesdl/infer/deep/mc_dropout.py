"""MC dropout: Bernoulli masks on units as a variational distribution over a network's weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from bayesdl.ops import numpy as bnp
from bayesdl.ops import random
from bayesdl.tracing.flow import cond

from ..kernel import Density, Kernel, Phase, kernel, settled
from ..minibatch import Turn
from ..optim.adam import Moments, ascend, start_adam
from ..optim.averaging import averaged
from ..optim.rates import InverseRoot, Rate
from ..targets import Weights, dropout_target, spread, weights_of


@dataclass(frozen=True)
class DropoutState:
    """Position of the last draw, the trained one, an average of the trained ones, Adam's moments.

    All positions have shape (dim,); `order` is the key of the order of the rows.
    """

    __tree__: ClassVar[bool] = True

    position: Any
    trained: Any
    average: Any
    moments: Moments
    order: Any


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
        Of Adam, at the first step.
    schedule : Rate
        How the learning rate changes.
    batch_size : int, optional
        Rows in each gradient; all of them up to 512, else 128, if not given.
    averaging : bool
        Whether draws come from an average of the last positions, or from the last one.
    weights : tuple of Weights
        Where the weights of each layer lie in a position.

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
    schedule: Rate = field(default_factory=InverseRoot)
    batch_size: int | None = None
    averaging: bool = True
    weights: tuple[Weights, ...] = ()

    @classmethod
    def prepared(cls, density: Any, settings: Mapping[str, Any]) -> tuple[Kernel, Any]:
        kernel = cls(**settings, weights=weights_of(density))
        return kernel, dropout_target(density, kernel.rate, kernel.batch_size)

    def init(self, key: Any, position: Any, density: Density) -> DropoutState:
        return DropoutState(position, position, position, start_adam(position), key)

    def step(
        self, key: Any, state: DropoutState, density: Density, phase: Phase
    ) -> tuple[Any, DropoutInfo]:
        found: tuple[DropoutState, DropoutInfo] = cond(
            phase.tuning,
            lambda s: self._train(s, density, phase),
            lambda s: self._draw(key, s),
            state,
        )
        return found

    def finished(self, info: Mapping[str, np.ndarray[Any, Any]]) -> bool:
        return settled(info["lp_estimate"])

    def _train(
        self, state: DropoutState, density: Density, phase: Phase
    ) -> tuple[Any, DropoutInfo]:
        value, gradient = density(state.trained, Turn(state.order, phase.iteration))
        rate = self.learning_rate * self.schedule(phase.iteration, phase.fraction)
        moments, change = ascend(state.moments, gradient, bnp.asarray(rate, gradient.dtype))
        trained = state.trained + change
        average = averaged(state.average, trained, moments.count) if self.averaging else trained
        return DropoutState(trained, trained, average, moments, state.order), DropoutInfo(value)

    def _draw(self, key: Any, state: DropoutState) -> tuple[Any, DropoutInfo]:
        trained = state.average
        factors = []
        for i, w in enumerate(self.weights):
            draws = random.uniform(random.fold_in(key, i), (w.units, 1), trained.dtype)
            factors.append(bnp.where(draws < self.rate, 0.0, 1.0 / (1.0 - self.rate)))
        position = trained * spread(factors, self.weights, trained.shape[0], trained.dtype)
        return replace(state, position=position), DropoutInfo(bnp.zeros((), trained.dtype))
