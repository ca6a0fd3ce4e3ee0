"""Eight schools, non-centred: a hierarchical model by NUTS, with ArviZ's summary.

Rubin (1981), Estimation in parallel randomized experiments; Gelman et al. (2013), Bayesian Data
Analysis, section 5.5.
"""

from __future__ import annotations

import sys

import numpy as np

import bayesdl as bdl
from bayesdl import dist

EFFECT = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
ERROR = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])


@bdl.model
def eight_schools(error, effect=None):
    mu = bdl.sample("mu", dist.Normal(0.0, 5.0))
    tau = bdl.sample("tau", dist.HalfCauchy(5.0))
    with bdl.plate("school", error.shape[0]):
        offset = bdl.sample("offset", dist.Normal(0.0, 1.0))
        theta = bdl.deterministic("theta", mu + tau * offset)
        bdl.sample("effect", dist.Normal(theta, error), obs=effect)


if __name__ == "__main__":
    draws = 50 if "--small" in sys.argv else 1000
    post = bdl.fit(eight_schools, ERROR, EFFECT, draws=draws, tune=draws, random_seed=1)
    print(post.summary())
