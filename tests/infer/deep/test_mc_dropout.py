"""MC dropout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl._base.errors import BayesdlError


@bdl.model
def network(x: Any, y: Any = None) -> None:
    f = nn.MLP(hidden=(8,), out=1)(x)[:, 0]
    sigma = bdl.sample("sigma", dist.HalfNormal(1.0))
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(f, sigma), obs=y)


@pytest.fixture(scope="module")
def data() -> tuple[Any, Any]:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(200, 3))
    return x, np.sin(x[:, 0]) + 0.1 * rng.normal(size=200)


@pytest.fixture(scope="module")
def post(data: Any) -> Any:
    return bdl.fit(
        network, *data, method="mc_dropout", draws=400, random_seed=2, rate=0.2, progressbar=False
    )


def test_draws_drop_whole_units_and_scale_the_others(post: Any) -> None:
    w = post["mlp.0.weight"][0]
    dropped = (w == 0.0).all(axis=2)
    assert ((w == 0.0).any(axis=2) == dropped).all()
    # 400 × 3 units at rate 0.2: 5.2 standard errors, once in 5e6 tries.
    assert abs(dropped.mean() - 0.2) < 5.2 * np.sqrt(0.16 / dropped.size)
    kept = w[~dropped[:, 0], 0]
    np.testing.assert_allclose(kept, np.broadcast_to(kept[0], kept.shape))
    assert np.unique(post["sigma"]).size == 1


def test_it_learns_and_its_predictions_are_stochastic(post: Any, data: Any) -> None:
    x, y = data
    mean = post.predict(x, kind="mean")["y"][0]
    assert np.sqrt(np.mean((mean.mean(axis=0) - y) ** 2)) < 0.5 * y.std()
    assert mean.std(axis=0).min() > 0.0


def test_it_needs_a_network(data: Any) -> None:
    def plain(y: Any) -> None:
        mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
        bdl.sample("y", dist.Normal(mu, 1.0).expand((200,)), obs=y)

    with pytest.raises(BayesdlError, match="network"):
        bdl.fit(plain, data[1], method="mc_dropout", progressbar=False)


def test_all_rows_at_once(data: Any) -> None:
    post = bdl.fit(
        network,
        *data,
        method="mc_dropout",
        draws=5,
        tune=50,
        batch_size=200,
        random_seed=2,
        progressbar=False,
    )
    assert np.isfinite(post["mlp.1.weight"]).all()
