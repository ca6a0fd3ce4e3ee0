"""Climbs to the mode in the place of steps."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl.infer.optim.lbfgs import LBFGS

QUIET: dict[str, Any] = {"random_seed": 1, "progressbar": False}
LBFGS_MAP: dict[str, Any] = {"method": "vi", "guide": "map", "optimiser": "lbfgs", "draws": 3}


def normal_with_scale(y: Any) -> None:
    """The mode by hand: for a flat prior of loc and of log scale, mean and sd of the data."""
    loc = bdl.sample("loc", dist.Flat())
    log_scale = bdl.sample("log_scale", dist.Flat())
    with bdl.plate("rows", y.shape[0]):
        bdl.sample("y", dist.Normal(loc, np.exp(log_scale)), obs=y)


def net(x: Any, y: Any = None) -> None:
    f = nn.MLP(hidden=(30,), out=1)(x)[:, 0]
    s = bdl.sample("s", dist.HalfNormal(1.0))
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(f, s), obs=y)


@pytest.fixture(scope="module")
def data() -> Any:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 4))
    return x, np.sin(x[:, 0]) + 0.1 * rng.normal(size=300)


@pytest.mark.parametrize("optimiser", ["lbfgs", LBFGS(memory=3, tolerance=1e-8)], ids=str)
def test_it_ends_at_the_mode(optimiser: Any, rng: np.random.Generator) -> None:
    y = 3.0 + 0.5 * rng.normal(size=200)
    post = bdl.fit(normal_with_scale, y, **{**LBFGS_MAP, "optimiser": optimiser}, **QUIET)
    np.testing.assert_allclose(post["loc"], y.mean(), rtol=1e-6)
    np.testing.assert_allclose(post["log_scale"], np.log(y.std()), atol=1e-6)
    attrs = post.draws.attrs
    assert attrs["gradient_max"] <= attrs["gradient_limit"]
    assert 3 < attrs["optimisation_steps"] < 100
    assert post.verdict().fine


def test_a_network_of_thirty_units_is_climbed_to_its_mode(data: Any) -> None:
    """200 steps end on the way there, 17 nats below; the log and the verdict say so."""
    post = bdl.fit(net, *data, **LBFGS_MAP, **QUIET)
    attrs = post.draws.attrs
    assert post["s"].dtype == np.float64
    assert 200 < attrs["optimisation_steps"] < 20_000
    assert attrs["gradient_max"] <= attrs["gradient_limit"] < 0.01
    assert post.verdict().fine


def test_steps_that_run_out_are_told(data: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "bayesdl"):
        post = bdl.fit(net, *data, tune=100, **LBFGS_MAP, **QUIET)
    assert post.draws.attrs["optimisation_steps"] == 100
    assert not post.verdict().fine
    assert "after 100 steps" in caplog.text
    assert "give more steps (tune=)" in caplog.text


def test_chains_climb_from_starts_of_their_own() -> None:
    def two(y: Any) -> None:
        x = bdl.sample("x", dist.Flat())
        bdl.factor("modes", -((x * x - 1.0) ** 2) + 0.0 * y)

    post = bdl.fit(two, 0.0, chains=8, **LBFGS_MAP, **QUIET)
    np.testing.assert_allclose(np.abs(post["x"]), 1.0, atol=1e-4)
    assert np.unique(np.sign(post["x"])).size == 2


def test_a_climb_is_shown_and_ends_where_it_is_stopped(data: Any) -> None:
    records: list[dict[str, Any]] = []

    def show(record: dict[str, Any]) -> None:
        records.append(record)
        if record["done"] == 40:
            raise KeyboardInterrupt

    with pytest.warns(RuntimeWarning, match="stopped by hand"):
        post = bdl.fit(net, *data, **LBFGS_MAP, random_seed=1, progressbar=show)
    assert [r["done"] for r in records[:41]] == list(range(41))
    assert records[0]["total"] == 20_003
    assert post.draws.attrs["interrupted"]
    assert post.draws.attrs["optimisation_steps"] == 40
    assert post["s"].shape == (1, 3)
    assert not post.verdict().fine
    whole = bdl.fit(net, *data, tune=40, **LBFGS_MAP, **QUIET)
    np.testing.assert_array_equal(post["s"], whole["s"])


def test_a_display_that_fails_does_not_end_the_climb(data: Any) -> None:
    def show(record: dict[str, Any]) -> None:
        if record["done"] == 5:
            raise ValueError("no such column")

    with pytest.warns(RuntimeWarning, match="display failed, and is switched off") as caught:
        post = bdl.fit(net, *data, tune=20, **LBFGS_MAP, random_seed=1, progressbar=show)
    assert len(caught) == 1
    assert post.draws.attrs["optimisation_steps"] == 20


def test_in_the_background_it_is_the_same(data: Any) -> None:
    here = bdl.fit(net, *data, tune=50, **LBFGS_MAP, **QUIET)
    there: Any = bdl.fit(net, *data, tune=50, blocking=False, **LBFGS_MAP, **QUIET)
    np.testing.assert_array_equal(there.wait()["s"], here["s"])
