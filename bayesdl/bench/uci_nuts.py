"""NUTS on the UCI sets: the posterior of the network itself, at the cost of long trajectories."""

from __future__ import annotations

from typing import Any

import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl._base.dataclass import dataclass

from .uci_scores import Score, scores_of
from .uci_sets import SETS, Split

CHAINS, TUNE, DRAWS, DEPTH = 4, 300, 200, 7


@dataclass(frozen=True)
class SampledScore(Score):
    """What one split gave, besides its scores.

    Parameters
    ----------
    divergences : int
        Among all draws.
    tree_depth : float
        Mean over the draws.
    noise : float
        Mean standard deviation of the noise, in the target's own unit.
    """

    divergences: int
    tree_depth: float
    noise: float


@bdl.model
def network(x: Any, y: Any = None, hidden: int = 50) -> None:
    """One hidden layer of rectified units, with a scale of the weights of each layer."""
    prior = nn.priors.Hierarchical(dist.HalfNormal(1.0))
    f = nn.MLP((hidden,), 1, "relu", prior, name="net")(x)
    noise = bdl.sample("noise", dist.HalfNormal(1.0))
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", nn.heads.gaussian(f, noise), obs=y)


class Sampled:
    """Four short chains of NUTS a split, their draws pooled.

    Parameters
    ----------
    name : str
        Of the set.
    tune, draws : int
        Of each chain.

    Notes
    -----
    The model is that of the library's own defaults, on standardised data: scales of weights and
    noise HalfNormal(1). Trajectories have at most 2⁷ − 1 steps. Such chains are too short to agree
    where the noise is small, as on yacht and energy: each stays at fits of its own, and the four
    are averaged like an ensemble. The scores are those of this average, and no statement about the
    exact posterior.

    References
    ----------
    Hoffman & Gelman (2014), The No-U-Turn sampler (arXiv:1111.4246). Neal (1996), Bayesian Learning
    for Neural Networks, section 3.2.
    """

    kind, epochs = "", None

    def __init__(self, name: str, tune: int = TUNE, draws: int = DRAWS) -> None:
        self.hidden, self.tune, self.draws = SETS[name].hidden, tune, draws

    def prepare(self, split: Split) -> None:
        """Nothing is shared by splits but the cache of compiled code."""

    def score(self, split: Split, seed: int) -> SampledScore:
        """Sample and predict."""
        posterior = bdl.fit(
            network,
            split.x,
            split.y,
            self.hidden,
            chains=CHAINS,
            tune=self.tune,
            draws=self.draws,
            max_treedepth=DEPTH,
            cores=1,
            random_seed=seed,
            progressbar=False,
        )
        rmse, ll = scores_of(posterior, split, self.hidden)
        stats = posterior.draws.stats
        return SampledScore(
            rmse,
            ll,
            int(stats["diverging"].sum()),
            float(stats["tree_depth"].mean()),
            split.spread * float(posterior["noise"].mean()),
        )
