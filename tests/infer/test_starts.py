"""Where chains start."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl._base.errors import SampleError
from bayesdl.infer.starts import starting_positions
from bayesdl.model.density import build_density


def test_starts_differ_and_repeat() -> None:
    def model(y: Any) -> None:
        mu = bdl.sample("mu", dist.Normal(0.0, 1.0).expand((3,)).to_event(1))
        bdl.sample("y", dist.Normal(mu[0], 1.0), obs=y)

    density = build_density(model, (1.0,))
    one, same = (starting_positions(density, 4, np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(one, same)
    assert one.shape == (4, 3)
    assert np.unique(one).size == 12


def test_weights_of_networks_start_at_the_scale_of_their_fan_in() -> None:
    """100 × 50 weights and 50 biases, uniform with variances 0.01 and 1, whatever the jitter."""

    def model(x: Any, y: Any = None) -> None:
        f = nn.MLP(hidden=(50,), out=1)(x)[:, 0]
        bdl.sample("y", dist.Normal(f, 1.0), obs=y)

    density = build_density(model, (np.ones((4, 100)), np.zeros(4)))
    for jitter in (1.0, 0.1):
        (start,) = starting_positions(density, 1, np.random.default_rng(1), jitter=jitter)
        weights = start[density.sites["mlp.0.weight"].slice]
        assert 0.172 < np.abs(weights).max() < np.sqrt(0.03)
        assert 1.0 < np.abs(start[density.sites["mlp.0.bias"].slice]).max() < np.sqrt(3.0)


def test_an_optimisation_starts_near_zero() -> None:
    def model(y: Any) -> None:
        mu = bdl.sample("mu", dist.Normal(0.0, 1.0).expand((50,)).to_event(1))
        bdl.sample("y", dist.Normal(mu, 1.0), obs=y)

    density = build_density(model, (np.ones(50),))
    (start,) = starting_positions(density, 1, np.random.default_rng(1), jitter=0.1)
    assert 0.05 < np.abs(start).max() < 0.1


def test_a_start_is_tried_again_until_it_is_finite() -> None:
    def model(y: Any) -> None:
        mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
        bdl.factor("only above a half", np.log(mu - 0.5))
        bdl.sample("y", dist.Normal(mu, 1.0), obs=y)

    starts = starting_positions(build_density(model, (1.0,)), 8, np.random.default_rng(0))
    assert (starts > 0.5).all()
    assert len(np.unique(starts)) == 8


def test_initial_values_are_taken() -> None:
    def model(y: Any) -> None:
        s = bdl.sample("s", dist.HalfNormal(1.0))
        bdl.sample("y", dist.Normal(0.0, s), obs=y)

    density = build_density(model, (1.0,))
    (start,) = starting_positions(density, 1, np.random.default_rng(0), {"s": 2.5})
    np.testing.assert_allclose(density.constrain(start, *density.data)["s"], 2.5)


def test_sites_without_an_initial_value_start_at_random() -> None:
    def model(y: Any) -> None:
        a = bdl.sample("a", dist.Normal(0.0, 1.0))
        b = bdl.sample("b", dist.Normal(0.0, 1.0))
        bdl.sample("y", dist.Normal(a + b, 1.0), obs=y)

    starts = starting_positions(
        build_density(model, (1.0,)), 3, np.random.default_rng(0), {"b": 0.25}
    )
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
