"""Priors that keep a layer's output on one scale."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl.infer.log_density import LogDensity, log_density
from bayesdl.model.handlers import substitute
from bayesdl.nn.priors import Hierarchical, Horseshoe, fan_in_laplace, fan_in_normal


@pytest.mark.parametrize("fan_in", [1, 4, 100])
def test_scale_falls_with_the_root_of_the_fan_in(fan_in: int) -> None:
    prior = fan_in_normal(2.0)(fan_in)
    np.testing.assert_allclose(prior.scale, 2.0 / np.sqrt(fan_in))
    assert float(np.asarray(prior.loc)) == 0.0


@pytest.mark.parametrize("fan_in", [1, 4, 100])
def test_laplace_weights_have_the_variance_of_normal_ones(fan_in: int) -> None:
    law = fan_in_laplace(2.0)(fan_in)
    np.testing.assert_allclose(law.variance, fan_in_normal(2.0)(fan_in).variance)


def density(prior: Hierarchical | Horseshoe) -> LogDensity:
    x, y = np.linspace(-1.0, 1.0, 12).reshape(6, 2), np.arange(6.0)

    @bdl.model
    def net(x: Any, y: Any) -> None:
        f = nn.Linear(1, "out", prior=prior, bias=False)(x)
        with bdl.plate("rows", 6):
            bdl.sample("y", dist.Normal(f[:, 0], 1.0), obs=y)

    return log_density(net, x, y)


def test_a_layer_has_one_unknown_scale() -> None:
    found = density(Hierarchical(dist.HalfNormal(2.0)))
    assert set(found.density.sites.latent) == {"out.weight", "out.weight.scale"}
    point = {"out.weight": np.array([[0.3], [-0.2]]), "out.weight.scale": np.array(1.5)}
    expected = stats.norm(0.0, 2.0**-0.5).logpdf(point["out.weight"]).sum()
    expected += stats.halfnorm(scale=2.0).logpdf(1.5)
    x, y = np.linspace(-1.0, 1.0, 12).reshape(6, 2), np.arange(6.0)
    expected += stats.norm((x @ (1.5 * point["out.weight"]))[:, 0], 1.0).logpdf(y).sum()
    position = found.unconstrain(point)
    assert float(found(position)) == pytest.approx(expected + np.log(1.5), rel=1e-10)


def test_a_horseshoe_has_a_scale_for_each_unit_that_enters() -> None:
    found = density(Horseshoe(0.5, 2.0))
    types = {name: site.type.shape for name, site in found.density.sites.latent.items()}
    assert types == {"out.weight": (2, 1), "out.weight.global": (), "out.weight.local": (2,)}
    shape = (2, 3)
    whole, local = 0.5, np.array([1e-6, 1e6])
    with substitute({"w.global": whole, "w.local": local}):
        scales = np.asarray(Horseshoe(0.5, 2.0).scales("w", shape, "w"))
    np.testing.assert_allclose(scales[:, 0], [whole * 1e-6, 2.0], rtol=1e-6)
