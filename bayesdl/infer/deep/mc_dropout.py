"""MC dropout: Bernoulli masks on units as a variational distribution over a network's weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from bayesdl._base.dataclass import dataclass
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from ..kernel import Kernel, kernel
from ..targets import dropout_target, rates_of
from ._base import DropoutKernel


@kernel
@dataclass(frozen=True)
class MCDropout(DropoutKernel):
    """Dropout as a variational distribution over a network's weights.

    While it tunes, each step trains by Adam under fresh masks on the units that enter each layer,
    one mask a row. Afterwards each step draws weights: the rows of a weight matrix that belong to a
    dropped unit are zero, the others are divided by 1 − rate. Predictions from the draws are
    stochastic, noise included.

    The parameters are those of `DropoutKernel`; `rate` is the probability that a unit is dropped.

    Notes
    -----
    *Invariant distribution*: the guide, not the density. *Cost*: one gradient under masks per
    training step, none per draw. The training maximises E_q[log likelihood] + E_q[log prior]: a
    unit is kept with probability 1 − rate, so a weight counts with
    (1 − rate) · log prior(w / (1 − rate)), the paper's Kullback–Leibler term for the model's own
    prior. It ends when the objective of its last third is not above that of the middle third by
    more than its noise (`settled`); draws come from an average of the last positions. *Departs from
    the paper in*: the noise is a site of the model and is learned with the weights, to a point, as
    all sites but the weights are. The paper's prior is wide; a mode under a prior by fan-in lies
    close to zero in wide networks of few rows, which then underfit: give them a wider one.

    References
    ----------
    Gal & Ghahramani (2016), Dropout as a Bayesian approximation, sections 3 and 4
    (arXiv:1506.02142), and its appendix, section 3.2 (arXiv:1506.02157).
    """

    name: ClassVar[str] = "mc_dropout"

    @classmethod
    def prepared(cls, density: Any, settings: Mapping[str, Any]) -> tuple[Kernel, Any]:
        kernel = cls(**cls.read(settings))
        target = dropout_target(density, kernel.rate, kernel.batch_size)
        return replace(kernel, weights=target.weights), target

    def factors(self, key: Any, own: Any, dtype: Any) -> Any:
        found = []
        for i, (w, rate) in enumerate(
            zip(self.weights, rates_of(self.weights, self.rate), strict=True)
        ):
            draws = random.uniform(random.fold_in(key, i), (w.units, 1), dtype)
            found.append(bnp.where(draws < rate, 0.0, 1.0 / (1.0 - rate)))
        return found
