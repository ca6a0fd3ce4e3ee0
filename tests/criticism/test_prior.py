"""The prior: what a model simulates before it has seen data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist
from bayesdl._base import memory
from bayesdl._base.errors import ArgumentError, CapacityError, ClosedFormError


@bdl.model(coords={"school": ["a", "b", "c"]})
def schools(x: Any, y: Any = None) -> None:
    mu = bdl.sample("mu", dist.Normal(1.0, 2.0))
    bdl.deterministic("twice", 2.0 * mu)
    with bdl.plate("school", 3):
        bdl.sample("y", dist.Normal(mu + x, 0.1), obs=y)


def test_groups_shapes_and_labels() -> None:
    found = bdl.prior_predictive(schools, np.arange(3.0), np.zeros(3), draws=50)
    assert set(found["prior"].data_vars) == {"mu", "twice"}
    assert found["prior_predictive"]["y"].dims == ("chain", "draw", "school")
    assert found["prior_predictive"]["school"].values.tolist() == ["a", "b", "c"]
    assert found["prior_predictive"]["y"].shape == (1, 50, 3)
    np.testing.assert_array_equal(found["observed_data"]["y"].values, np.zeros(3))


def test_without_data_all_sites_are_of_the_prior() -> None:
    found = bdl.prior_predictive(schools, np.arange(3.0), draws=5)
    assert set(found["prior"].data_vars) == {"mu", "twice", "y"}


def test_draws_follow_the_prior_and_the_seed() -> None:
    """|z| < 5 for the mean and the sd: a false alarm in 1e-6 of seeds; the seed is fixed."""
    one, same, other = (
        bdl.prior_predictive(schools, np.zeros(3), draws=4000, random_seed=s)["prior"]
        for s in (1, 1, 2)
    )
    mu = one["mu"].values[0]
    assert abs(mu.mean() - 1.0) < 5.0 * 2.0 / np.sqrt(4000)
    assert abs(mu.std() - 2.0) < 5.0 * 2.0 / np.sqrt(8000)
    np.testing.assert_array_equal(one["twice"].values[0], 2.0 * mu)
    np.testing.assert_array_equal(mu, same["mu"].values[0])
    assert not np.array_equal(mu, other["mu"].values[0])


def test_discrete_sites_are_drawn() -> None:
    def coin(heads: Any = None) -> None:
        side = bdl.sample("side", dist.Bernoulli(0.25))
        bdl.sample("heads", dist.Binomial(10, 0.1 + 0.5 * side), obs=heads)

    found = bdl.prior_predictive(coin, 3, draws=20)
    assert set(np.unique(found["prior"]["side"].values)) == {0, 1}
    assert found["prior_predictive"]["heads"].values.max() <= 10


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ArgumentError, match="at least 1"):
        bdl.prior_predictive(schools, np.zeros(3), draws=0)
    with pytest.raises(ClosedFormError):
        bdl.prior_predictive(lambda: bdl.sample("a", dist.Flat()), draws=2)


def test_more_draws_than_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A draw has five numbers: mu, twice, and three rows of y."""
    monkeypatch.setattr(memory, "free_memory", lambda: 10**12)
    with pytest.raises(CapacityError) as caught:
        bdl.prior_predictive(schools, np.zeros(3), draws=10**12)
    assert str(caught.value).startswith("a prior predictive of 1000000000000 draws needs more")
    assert caught.value.facts[0] == ("draws", "40000 GB", "to allocate")
