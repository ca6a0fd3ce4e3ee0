"""The structured guide: which coordinates it makes dense."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl._base.errors import ArgumentError
from bayesdl.infer.vi.guides import Structured
from bayesdl.model.density import build_density
from bayesdl.ops import random
from bayesdl.transform.derived import vmap

X, Y = np.random.default_rng(0).normal(size=(8, 3)), np.zeros(8)
QUIET: dict[str, Any] = {"random_seed": 1, "progressbar": False}


def net(x: Any, y: Any) -> None:
    """Blocks by site: 6, 2, 2, 1, 1 coordinates; by layer: 8, 3, 1."""
    f = nn.MLP(hidden=(2,), out=1)(x)[:, 0]
    sigma = bdl.sample("sigma", dist.HalfNormal(1.0))
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(f, sigma), obs=y)


@pytest.mark.parametrize(
    ("within", "spans"), [("site", ((0, 6), (6, 8), (8, 10))), ("layer", ((0, 8), (8, 11)))]
)
def test_blocks_are_sites_or_layers(within: str, spans: Any) -> None:
    """Blocks of one coordinate have nothing to be dense in."""
    guide = Structured(within=within).fitted_to(build_density(net, (X, Y)))
    assert guide.spans == spans


def test_coordinates_of_one_layer_depend_on_one_another_and_no_others() -> None:
    """20 000 draws, seed 3: correlations of independent ones are below 5.4 / √20 000 (66 pairs,
    1e-6 each at most); those of a dense block, with 0.3 below its diagonal, are above that."""
    guide = Structured(within="layer").fitted_to(build_density(net, (X, Y)))
    params = guide.start(random.key(0), np.zeros(12), 1.0)
    params["below"] = np.full(params["below"].shape, 0.3)
    keys = random.split(random.key(3), 20_000)
    draws = vmap(lambda key: guide.sample_and_log_prob(params, key)[0])(keys)
    found = np.abs(np.corrcoef(np.asarray(draws).T)) > 5.4 / np.sqrt(20_000)
    dense = np.eye(12, dtype=bool)
    for start, stop in ((0, 8), (8, 11)):
        dense[start:stop, start:stop] = True
    np.testing.assert_array_equal(found, dense)


def pair(y: Any) -> None:
    """Of one layer: the two coordinates of a Gaussian with a correlation of 0.9."""
    one = bdl.sample("one", dist.Flat(), layer="both")
    other = bdl.sample("other", dist.Flat(), layer="both")
    square = (one * one + other * other - 1.8 * one * other) / (1.0 - 0.81)
    bdl.factor("target", -0.5 * square + 0.0 * y)


def test_a_layer_of_two_sites_is_fitted_with_its_correlation() -> None:
    """Within 5.5 standard errors of 4000 draws and 0.02; by sites it is that of independent ones,
    for which 5.5 standard errors are 0.09."""
    found = {}
    for within in ("layer", "site"):
        guide = Structured(within=within)
        post = bdl.fit(pair, 0.0, method="vi", guide=guide, draws=4000, **QUIET)
        found[within] = np.corrcoef(post["one"][0], post["other"][0])[0, 1]
    assert abs(found["layer"] - 0.9) < 5.5 * (1.0 - 0.81) / np.sqrt(4000) + 0.02
    assert abs(found["site"]) < 0.09


def test_blocks_that_are_too_large_are_named(caplog: pytest.LogCaptureFixture) -> None:
    """Each with its size, what would make it dense, and what that costs."""
    density = build_density(net, (X, Y))
    with caplog.at_level(logging.WARNING, logger="bayesdl"):
        guide = Structured(within="layer", largest=7).fitted_to(density)
    assert guide.spans == ((8, 11),)
    (said,) = caplog.messages
    assert "more than 7: layer mlp.0 (8); Structured(largest=8)" in said
    assert said.endswith("with 28 parameters more.")


def test_what_is_not_too_large_is_not_spoken_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="bayesdl"):
        Structured(within="layer", largest=8).fitted_to(build_density(net, (X, Y)))
    assert not caplog.messages


def test_other_blocks_are_refused() -> None:
    with pytest.raises(ArgumentError, match="site, layer"):
        bdl.fit(pair, 0.0, method="vi", guide=Structured(within="layers"), **QUIET)
