"""Results in ArviZ's schema, for the ArviZ that is installed."""

from __future__ import annotations

from typing import Any

import arviz
import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist


@bdl.model(coords={"school": ["a", "b", "c"]})
def schools(y: Any) -> None:
    mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
    with bdl.plate("school", 3):
        theta = bdl.sample("theta", dist.Normal(mu, 1.0))
        bdl.sample("y", dist.Normal(theta, 1.0), obs=y)


@pytest.fixture(scope="module")
def post() -> Any:
    return bdl.fit(schools, np.arange(3.0), draws=50, tune=50, random_seed=0, progressbar=False)


def test_groups_dims_coords_and_names(post: Any) -> None:
    tree = post.to_xarray()
    posterior, stats = tree["posterior"], tree["sample_stats"]
    assert posterior["theta"].dims == ("chain", "draw", "school")
    assert posterior["theta"].coords["school"].values.tolist() == ["a", "b", "c"]
    for name in ("lp", "diverging", "energy", "tree_depth", "reached_max_treedepth", "step_size"):
        assert stats[name].dims == ("chain", "draw")
    assert tree["observed_data"]["y"].dims == ("school",)
    assert all(isinstance(v, str | int | float) for v in tree.attrs.values())


def test_arviz_takes_it(post: Any) -> None:
    table = arviz.summary(post.to_arviz(), var_names=["mu", "theta"])
    assert table.shape[0] == 4
