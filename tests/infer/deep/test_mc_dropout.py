"""MC dropout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl._base.errors import BayesdlError
from bayesdl.infer.deep.mc_dropout import MCDropout
from bayesdl.infer.minibatch import Turn
from bayesdl.infer.optim.rates import Cosine
from bayesdl.infer.targets import dropout_target
from bayesdl.model.density import build_density
from bayesdl.ops import random


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


def test_intervals_cover_new_rows(data: Any) -> None:
    """At a low rate: at a high one intervals are too wide, as the noise that masks add while
    training goes into sigma, and is added by masks again."""
    post = bdl.fit(
        network, *data, method="mc_dropout", draws=500, random_seed=2, rate=0.01, progressbar=False
    )
    rng = np.random.default_rng(6)
    x = rng.normal(size=(2000, 3))
    y = np.sin(x[:, 0]) + 0.1 * rng.normal(size=2000)
    low, high = np.quantile(post.predict(x)["y"][0], [0.05, 0.95], axis=0)
    # 2000 rows: the share is off by more than 0.035 by chance once in 5e6 tries.
    assert 0.865 < ((low < y) & (y < high)).mean() < 0.985


def test_predictions_have_the_noise_of_the_model(post: Any, data: Any) -> None:
    """The variance of a prediction is that of the means plus the noise."""
    x, _ = data
    drawn, mean = post.predict(x)["y"][0], post.predict(x, kind="mean")["y"][0]
    sigma = post["sigma"].ravel()[0]
    # Averaged over 200 rows of 400 draws, the ratio is off by about 1 %.
    assert drawn.var(axis=0).mean() == pytest.approx(mean.var(axis=0).mean() + sigma**2, rel=0.1)


@pytest.mark.parametrize("rate", [0.01, 0.3])
def test_weights_decay_as_the_paper_says(rate: float) -> None:
    """For normal priors the mean log prior is −½ (1 − rate) Σ (w / (1 − rate) / sd)²."""

    def idle(x: Any, y: Any) -> None:
        f = nn.Linear(2)(x)
        bdl.sample("y", dist.Normal(0.0 * f, 1.0), obs=y)

    density = build_density(idle, (np.ones((6, 4)), np.zeros((6, 2))))
    target = dropout_target(density, rate, None)
    w = np.linspace(-1.0, 1.0, 8).reshape(4, 2)
    turn = Turn(random.key(0), np.int64(0))

    def value(w: Any) -> float:
        values = {"linear.weight": w, "linear.bias": np.zeros(2)}
        return float(
            target.function(density.unconstrain(values, *density.data), turn, *target.data)
        )

    expected = -0.5 / (1.0 - rate) * np.sum((w / 0.5) ** 2)
    assert value(w) - value(0.0 * w) == pytest.approx(expected, rel=1e-12)


def test_it_is_finished_when_it_no_longer_climbs(rng: np.random.Generator) -> None:
    noise = rng.normal(size=6000)
    flat = {"lp_estimate": noise - noise.mean()}
    assert MCDropout().finished(flat)
    assert not MCDropout(schedule=Cosine()).finished(flat)
    assert not MCDropout().finished({"lp_estimate": noise + 1e-3 * np.arange(6000)})


def test_it_needs_a_network(data: Any) -> None:
    def plain(y: Any) -> None:
        mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
        bdl.sample("y", dist.Normal(mu, 1.0).expand((200,)), obs=y)

    with pytest.raises(BayesdlError, match="network"):
        bdl.fit(plain, data[1], method="mc_dropout", progressbar=False)


def test_minibatches_learn_too(data: Any) -> None:
    """Rows are drawn anew at each step: 20 of 200 lead to the same fit as all of them."""
    x, y = data
    post = bdl.fit(
        network,
        x,
        y,
        method="mc_dropout",
        draws=200,
        tune=4000,
        batch_size=20,
        random_seed=2,
        progressbar=False,
    )
    mean = post.predict(x, kind="mean")["y"][0]
    assert np.sqrt(np.mean((mean.mean(axis=0) - y) ** 2)) < 0.5 * y.std()


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
