"""Variational dropout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl._base.errors import ArgumentError
from bayesdl.infer.deep.variational_dropout import minus_kl


def net(x: Any, y: Any = None) -> None:
    f = nn.MLP(hidden=(20,), out=1)(x)[:, 0]
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(f, 0.1), obs=y)


def _exact(alpha: float) -> float:
    """½ log α − E[log |ε|] with ε ~ N(1, α): −KL up to a constant."""
    law = norm(1.0, np.sqrt(alpha))
    mean, _ = quad(lambda e: law.pdf(e) * np.log(abs(e)), -12.0, 14.0, points=[0.0, 1.0], limit=400)
    return 0.5 * np.log(alpha) - mean


def test_the_polynomial_is_the_divergence() -> None:
    """Differences between rates; the paper's fit is good to about 0.03 nats."""
    alphas = [0.05, 0.2, 0.5, 0.9]
    ours = np.array([float(minus_kl(a)) for a in alphas])
    exact = np.array([_exact(a) for a in alphas])
    np.testing.assert_allclose(ours - ours[0], exact - exact[0], atol=0.03)


def test_it_learns_and_draws_differ_by_one_factor_a_unit() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    y = np.sin(2.0 * x[:, 0]) + 0.1 * rng.normal(size=200)
    post = bdl.fit(
        net, x, y, method="variational_dropout", tune=4000, draws=200, random_seed=0,
        progressbar=False,
    )  # fmt: skip
    mean = post.predict(x, kind="mean")["y"][0].mean(axis=0)
    assert np.sqrt(np.mean((mean - y) ** 2)) < 0.5 * y.std()
    w = post["mlp.0.weight"][0]
    ratio = w[1] / w[0]
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:, :1], ratio.shape), rtol=1e-4)
    assert abs(ratio[0, 0] - ratio[1, 0]) > 1e-4


@pytest.mark.parametrize("said", ["setting", "model"])
def test_rates_of_a_half_and_more_are_refused(said: str) -> None:
    def often(x: Any, y: Any = None) -> None:
        h = nn.Dropout(0.7)(x) if said == "model" else x
        f = nn.Linear(1)(h)[:, 0]
        bdl.sample("y", dist.Normal(f, 1.0), obs=y)

    rate = {"rate": 0.5} if said == "setting" else {}
    with pytest.raises(ArgumentError, match="no such rate") as caught:
        bdl.fit(often, np.ones((6, 3)), np.zeros(6), method="variational_dropout", **rate)
    assert "below 0.5" in str(caught.value)
