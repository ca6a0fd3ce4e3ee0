"""Sites whose covariance is to be learnt."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist
from bayesdl._base.errors import ArgumentError
from bayesdl.infer.coordinates import coordinate_blocks
from bayesdl.model.density import build_density

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 2)) + 5.0
# Without noise tau would fall to the rounding of the data, and gradients with it.
Y = X @ [1.0, -1.0] + 0.1 + 0.3 * RNG.normal(size=30)


def line(x: Any, y: Any) -> None:
    """A regression with an intercept and a learned scale."""
    mu = bdl.sample("mu", dist.Normal(0.0, 10.0))
    beta = bdl.sample("beta", dist.Normal(0.0, 10.0).expand((2,)).to_event(1))
    tau = bdl.sample("tau", dist.HalfNormal(1.0))
    bdl.sample("y", dist.Normal(mu + x @ beta, tau), obs=y)


def test_names_are_slices() -> None:
    density = build_density(line, (X, Y))
    assert coordinate_blocks(density, ["beta", ("mu", "tau")]) == ((1, 2), (0, 3))
    assert coordinate_blocks(density, "beta") == ((1, 2),)


def test_a_name_that_is_no_site() -> None:
    with pytest.raises(ArgumentError, match="dense names 'bta'") as found:
        coordinate_blocks(build_density(line, (X, Y)), ["bta"])
    assert "did you mean 'beta'" in str(found.value)


def test_a_fit_with_a_dense_block_takes_fewer_steps() -> None:
    """Intercept and slopes are correlated at 0.99."""
    steps = [
        bdl.fit(
            line, X, Y, draws=200, tune=400, chains=1, random_seed=0, progressbar=False, **settings
        )
        .draws.stats["n_steps"]
        .mean()
        for settings in ({}, {"dense": [("mu", "beta")]})
    ]
    assert steps[1] < 0.5 * steps[0]
