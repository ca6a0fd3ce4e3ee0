"""Where chains start."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import constraints, dist, nn
from bayesdl._base import memory
from bayesdl._base.errors import ArgumentError, CapacityError, SampleError
from bayesdl.infer.starts import starting_positions
from bayesdl.model.density import build_density


def test_starts_differ_and_repeat() -> None:
    def model(y: Any) -> None:
        mu = bdl.sample("mu", dist.Normal(0.0, 1.0).expand((3,)).to_event(1))
        bdl.sample("y", dist.Normal(mu[0], 1.0), obs=y)

    density = build_density(model, (1.0,))
    one, same = (
        starting_positions(density, 4, np.random.default_rng(1)).positions for _ in range(2)
    )
    np.testing.assert_array_equal(one, same)
    assert one.shape == (4, 3)
    assert np.unique(one).size == 12


def test_more_unknowns_than_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """By `fit`, before anything of that size is made."""

    def model(y: Any) -> None:
        mu = bdl.sample("mu", dist.Normal(0.0, 1.0).expand((10**12,)).to_event(1))
        bdl.sample("y", dist.Normal(mu[0], 1.0), obs=y)

    monkeypatch.setattr(memory, "free_memory", lambda: 10**12)
    for method in ("nuts", "advi"):
        with pytest.raises(CapacityError) as caught:
            bdl.fit(model, 1.0, draws=10, chains=2, cores=1, method=method, progressbar=False)
        text = str(caught.value)
        assert text.startswith("looking for starts of 1000000000000 numbers needs more memory")
        assert ("gradient", "8000 GB", "to allocate") in caught.value.facts


def test_weights_of_networks_start_at_the_scale_of_their_fan_in() -> None:
    """100 × 50 weights and 50 biases, uniform with variances 0.01 and 1, whatever the jitter."""

    def model(x: Any, y: Any = None) -> None:
        f = nn.MLP(hidden=(50,), out=1)(x)[:, 0]
        bdl.sample("y", dist.Normal(f, 1.0), obs=y)

    density = build_density(model, (np.ones((4, 100)), np.zeros(4)))
    for jitter in (1.0, 0.1):
        (start,) = starting_positions(density, 1, np.random.default_rng(1), jitter=jitter).positions
        weights = start[density.sites["mlp.0.weight"].slice]
        assert 0.172 < np.abs(weights).max() < np.sqrt(0.03)
        assert 1.0 < np.abs(start[density.sites["mlp.0.bias"].slice]).max() < np.sqrt(3.0)


def test_an_optimisation_starts_near_zero() -> None:
    def model(y: Any) -> None:
        mu = bdl.sample("mu", dist.Normal(0.0, 1.0).expand((50,)).to_event(1))
        bdl.sample("y", dist.Normal(mu, 1.0), obs=y)

    density = build_density(model, (np.ones(50),))
    (start,) = starting_positions(density, 1, np.random.default_rng(1), jitter=0.1).positions
    assert 0.05 < np.abs(start).max() < 0.1


def test_a_start_is_tried_again_until_it_is_finite() -> None:
    def model(y: Any) -> None:
        mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
        bdl.factor("only above a half", np.log(mu - 0.5))
        bdl.sample("y", dist.Normal(mu, 1.0), obs=y)

    starts = starting_positions(build_density(model, (1.0,)), 8, np.random.default_rng(0))
    assert (starts.positions > 0.5).all()
    assert len(np.unique(starts.positions)) == 8
    assert min(starts.retries) > 0


def test_initial_values_are_taken() -> None:
    def model(y: Any) -> None:
        s = bdl.sample("s", dist.HalfNormal(1.0))
        bdl.sample("y", dist.Normal(0.0, s), obs=y)

    density = build_density(model, (1.0,))
    (start,) = starting_positions(density, 1, np.random.default_rng(0), {"s": 2.5}).positions
    np.testing.assert_allclose(density.constrain(start, *density.data)["s"], 2.5)


def test_sites_without_an_initial_value_start_at_random() -> None:
    def model(y: Any) -> None:
        a = bdl.sample("a", dist.Normal(0.0, 1.0))
        b = bdl.sample("b", dist.Normal(0.0, 1.0))
        bdl.sample("y", dist.Normal(a + b, 1.0), obs=y)

    starts = starting_positions(
        build_density(model, (1.0,)), 3, np.random.default_rng(0), {"b": 0.25}
    ).positions
    assert (starts[:, 1] == 0.25).all()
    assert len(np.unique(starts[:, 0])) == 3


def test_the_error_says_which_site_and_which_line_without_a_warning() -> None:
    def model(y: Any) -> None:
        mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
        bdl.factor("bad", np.log(-1.0 - mu * mu))
        bdl.sample("y", dist.Normal(mu, 1.0), obs=y)

    with pytest.raises(SampleError) as caught:
        starting_positions(build_density(model, (1.0,)), 1, np.random.default_rng(0))
    text = str(caught.value)
    assert "bad" in text
    assert "`log`" in text
    assert "np.log(-1.0 - mu * mu)" in text


RNG = np.random.default_rng(7)
DATA = 40.0 + 2.0 * RNG.normal(size=50)


def far(y: Any) -> None:
    """A location forty prior units from where jitter starts."""
    mu = bdl.sample("mu", dist.Normal(35.0, 10.0))
    s = bdl.sample("s", dist.HalfNormal(5.0))
    with bdl.plate("row", y.shape[0]):
        bdl.sample("y", dist.Normal(mu, s), obs=y)


def test_the_mode_is_a_start() -> None:
    density = build_density(far, (DATA,))
    starts = starting_positions(density, 3, np.random.default_rng(0), init="map").positions
    found = [density.constrain(start, *density.data) for start in starts]
    np.testing.assert_allclose([f["mu"] for f in found], DATA.mean(), atol=0.1)
    np.testing.assert_allclose([f["s"] for f in found], DATA.std(), rtol=0.1)


def test_pathfinder_starts_among_the_posterior() -> None:
    """Within seven posterior sds of its mean (false alarm far below 1e-6), all different."""
    density = build_density(far, (DATA,))
    starts = starting_positions(density, 4, np.random.default_rng(0), init="pathfinder").positions
    mu = starts[:, density.sites["mu"].slice]
    assert np.abs(mu - DATA.mean()).max() < 7.0 * DATA.std() / np.sqrt(50)
    assert np.unique(mu).size == 4


def test_the_prior_is_a_start() -> None:
    """200 draws: mean and sd within five standard errors (false alarm 1e-6), seed 0."""
    density = build_density(far, (DATA,))
    starts = starting_positions(density, 200, np.random.default_rng(0), init="prior").positions
    mu = starts[:, density.sites["mu"].slice]
    assert abs(mu.mean() - 35.0) < 5.0 * 10.0 / np.sqrt(200)
    assert abs(mu.std() / 10.0 - 1.0) < 5.0 / np.sqrt(400)


@pytest.mark.parametrize("init", ["pior", {"mu": 1.0}])
def test_an_init_that_there_is_not(init: Any) -> None:
    with pytest.raises(ArgumentError, match="there is no init"):
        starting_positions(build_density(far, (DATA,)), 1, np.random.default_rng(0), init=init)


def test_a_fit_says_where_it_started() -> None:
    post = bdl.fit(
        far, DATA, draws=10, tune=30, chains=2, init="map", random_seed=0, progressbar=False
    )
    assert post.draws.attrs["init"] == "map"
    assert post.draws.attrs["init_retries"] == [0, 0]


def test_a_start_that_is_not_the_mode_yet_is_told() -> None:
    """A network's mode is further than 200 steps away; that of a normal density is not."""

    def net(x: Any, y: Any = None) -> None:
        f = nn.MLP(hidden=(30,), out=1)(x)[:, 0]
        bdl.sample("y", dist.Normal(f, 0.1), obs=y)

    def plain(y: Any) -> None:
        mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
        bdl.sample("y", dist.Normal(mu, 1.0), obs=y)

    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 2))
    far, near = build_density(net, (x, np.sin(x[:, 0]))), build_density(plain, (1.0,))
    starts = starting_positions(far, 2, np.random.default_rng(1), init="map")
    assert starts.attrs["init_converged"] == [False, False]
    assert min(starts.attrs["init_gradient"]) > 0.01
    assert starts.attrs["init_missed"] == []
    line = starts.says("map")
    assert line.startswith("init='map': chains 0, 1 start below the mode: after 200 steps")
    assert starts.says("pathfinder") == ""
    starts = starting_positions(near, 1, np.random.default_rng(1), init="map")
    assert starts.attrs["init_converged"] == [True]
    assert starts.says("map") == ""
    assert "init_gradient" not in starting_positions(near, 1, np.random.default_rng(1)).attrs


def centred(error: Any, effect: Any) -> None:
    """Its density has no bound: it rises as tau falls to zero."""
    mu = bdl.sample("mu", dist.Normal(0.0, 5.0))
    tau = bdl.sample("tau", dist.HalfCauchy(5.0))
    with bdl.plate("school", 8):
        theta = bdl.sample("theta", dist.Normal(mu, tau))
        bdl.sample("effect", dist.Normal(theta, error), obs=effect)


SCHOOLS = (
    np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0]),
    np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0]),
)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_climb_to_no_mode_starts_where_it_began(dtype: Any) -> None:
    density = build_density(centred, SCHOOLS, dtype=dtype)
    plain = starting_positions(density, 8, np.random.default_rng(1))
    found = starting_positions(density, 8, np.random.default_rng(1), init="map")
    np.testing.assert_array_equal(found.positions, plain.positions)
    assert all("the log density still rises where " in why for why in found.missed)
    line = found.says("map")
    assert line.startswith("init='map': climbs of chains 0, 1, 2, 3, 4, 5, 6, 7 ended at no mode")
    assert "\n" not in line
    assert found.attrs["init_missed"] == list(range(8))
    assert found.attrs["init_converged"] == [False] * 8
    assert plain.says("jitter") == ""


def test_a_normal_approximation_on_the_way_to_no_mode_is_among_the_posterior() -> None:
    """Its ELBO is bounded where the density is not."""
    density = build_density(centred, SCHOOLS)
    found = starting_positions(density, 8, np.random.default_rng(1), init="pathfinder")
    taus = [density.constrain(p, *density.data)["tau"] for p in found.positions]
    assert found.missed == ("",) * 8
    assert min(taus) > 0.01


def test_a_fit_says_which_climbs_found_no_mode(caplog: pytest.LogCaptureFixture) -> None:
    post = bdl.fit(
        centred, *SCHOOLS, init="map", draws=20, tune=30, random_seed=0, progressbar=False
    )
    assert post.draws.attrs["init_missed"] == [0, 1, 2, 3]
    assert "the log density still rises where tau" in caplog.text


def test_a_climb_begins_at_initial_values() -> None:
    """Of two modes it finds the one whose side it is put on."""

    def two(y: Any) -> None:
        x = bdl.sample("x", dist.Normal(0.0, 10.0))
        bdl.factor("modes", -0.5 * (x * x - 9.0) ** 2)
        bdl.sample("y", dist.Normal(0.0, 1.0), obs=y)

    density = build_density(two, (0.0,))
    for side in (-1.0, 1.0):
        given = {"x": np.float64(2.0 * side)}
        found = starting_positions(density, 3, np.random.default_rng(0), given, init="map")
        np.testing.assert_allclose(found.positions, 3.0 * side, atol=0.05)
        assert found.missed == ("",) * 3


def test_parameters_start_where_they_say() -> None:
    """Unless the user knows better; scales of plain normalisations at 1."""

    def model(x: Any, y: Any) -> None:
        sigma = bdl.param("sigma", support=constraints.positive, start=0.5)
        f = nn.Linear(1)(nn.LayerNorm(scale_prior=None)(x))[:, 0]
        bdl.sample("y", dist.Normal(f, sigma), obs=y)

    density = build_density(model, (np.arange(6.0).reshape(2, 3), np.zeros(2)))
    for initvals, sigma in ((None, 0.5), ({"sigma": 2.0}, 2.0)):
        starts = starting_positions(density, 2, np.random.default_rng(0), initvals)
        for position in starts.positions:
            values = density.constrain(position, *density.data)
            np.testing.assert_allclose(values["sigma"], sigma)
            np.testing.assert_allclose(values["norm.scale"], 1.0)
            assert np.unique(values["linear.weight"]).size == 3
