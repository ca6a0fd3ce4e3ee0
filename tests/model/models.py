"""Models that several tests use."""

from __future__ import annotations

from typing import Any

import numpy as np

import bayesdl as bdl
from bayesdl import dist

EIGHT_Y = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
EIGHT_SIGMA = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])


@bdl.model(coords={"school": list("ABCDEFGH")})
def eight_schools(y: Any, sigma: Any) -> None:
    """Non-centred eight schools."""
    mu = bdl.sample("mu", dist.Normal(0.0, 5.0))
    tau = bdl.sample("tau", dist.HalfCauchy(5.0))
    with bdl.plate("school", sigma.shape[0]):
        z = bdl.sample("z", dist.Normal(0.0, 1.0))
        theta = bdl.deterministic("theta", mu + tau * z)
        bdl.sample("y", dist.Normal(theta, sigma), obs=y)


@bdl.model
def line(x: Any, y: Any = None) -> None:
    """A straight line with noise."""
    slope = bdl.sample("slope", dist.Normal(0.0, 2.0))
    sigma = bdl.sample("sigma", dist.Exponential(1.0))
    with bdl.plate("rows", x.shape[0]):
        mean = bdl.deterministic("mean", slope * x)
        bdl.sample("y", dist.Normal(mean, sigma), obs=y)


@bdl.model
def many_supports(y: Any) -> None:
    """A site for each kind of support, one with bounds that depend on another site."""
    a = bdl.sample("a", dist.Uniform(1.0, 3.0))
    b = bdl.sample("b", dist.Uniform(-a, 2.0 * a))
    w = bdl.sample("w", dist.Dirichlet(np.ones(3)))
    chol = bdl.sample("chol", dist.LKJCholesky(3, 2.0))
    p = bdl.sample("p", dist.Beta(2.0, 2.0).expand((2,)).to_event(1))
    order = bdl.sample("order", dist.ImproperUniform(bdl.constraints.ordered, event_shape=(3,)))
    level = bdl.sample("level", dist.LogNormal(0.0, 1.0), sample_shape=(2,))
    total = w[0] + chol[1, 0] + p[0] + order[0] + level[1]
    bdl.sample("y", dist.Normal(b + total, 1.0), obs=y)
