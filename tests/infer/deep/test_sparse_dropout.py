"""Sparse variational dropout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

import bayesdl as bdl
from bayesdl import dist, jit, nn, vmap
from bayesdl._base.errors import ArgumentError
from bayesdl.infer.deep.sparse_dropout import SparseVariationalDropout, log_alphas, minus_kl
from bayesdl.infer.minibatch import Turn
from bayesdl.infer.optim.rates import Cosine
from bayesdl.model.density import build_density
from bayesdl.ops import random


def net(x: Any, y: Any = None) -> None:
    f = nn.MLP(hidden=(20,), out=1)(x)[:, 0]
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(f, 0.1), obs=y)


def _exact(alpha: float) -> float:
    """½ log α − E[log |ε|] with ε ~ N(1, α): −KL up to a constant."""
    law = norm(1.0, np.sqrt(alpha))
    width = 12.0 * np.sqrt(alpha)
    mean, _ = quad(
        lambda e: law.pdf(e) * np.log(abs(e)),
        1.0 - width,
        1.0 + width,
        points=[0.0, 1.0],
        limit=400,
    )
    return float(0.5 * np.log(alpha) - mean)


def test_the_approximation_is_the_divergence() -> None:
    """It falls to 0 for α = ∞; the paper's fit is good to about 0.01 nats."""
    log_alphas = [-6.0, -2.0, 0.0, 1.0, 3.0, 6.0]
    exact = np.array([_exact(float(np.exp(a))) for a in log_alphas])
    ours = np.array([float(minus_kl(a)) for a in log_alphas])
    limit = _exact(float(np.exp(14.0)))
    np.testing.assert_allclose(ours, exact - limit, atol=0.015)


def test_it_leaves_out_what_does_not_matter() -> None:
    """Two features of ten matter; draws have their zeros at the same places."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 10))
    y = np.sin(2.0 * x[:, 0]) + x[:, 1] + 0.1 * rng.normal(size=500)
    post = bdl.fit(
        net, x, y, method="sparse_variational_dropout", tune=15_000, draws=50, random_seed=0,
        progressbar=False,
    )  # fmt: skip
    mean = post.predict(x, kind="mean")["y"][0].mean(axis=0)
    assert np.sqrt(np.mean((mean - y) ** 2)) < 0.2 * y.std()
    w = post["mlp.0.weight"][0]
    gone = (w == 0.0).all(axis=0)
    assert ((w == 0.0) == gone).all()
    assert gone[2:].mean() > 0.8
    assert not gone[:2].all()
    left = (w[0] != 0.0).sum() + (post["mlp.1.weight"][0, 0] != 0.0).sum()
    assert post.draws.attrs["compression"] == pytest.approx(220 / left, rel=1e-5)


def test_it_is_finished_when_it_no_longer_climbs_in_full_and_its_schedule_may_end(
    rng: np.random.Generator,
) -> None:
    level = {"lp_estimate": np.tile(rng.normal(size=100), 60)}
    assert SparseVariationalDropout().finished(level)
    assert not SparseVariationalDropout(kl_warmup=4000).finished(level)
    assert not SparseVariationalDropout(schedule=Cosine()).finished(level)


def test_a_warm_up_has_no_negative_length() -> None:
    with pytest.raises(ArgumentError, match="no such kl_warmup"):
        bdl.fit(
            net, np.ones((6, 2)), np.zeros(6), method="sparse_variational_dropout", kl_warmup=-3
        )


def test_the_objective_has_the_mean_of_weights_that_are_drawn() -> None:
    """10⁵ objectives of a linear and a grouped convolutional layer against those of 10⁵ draws of
    the weights: |z| < 5 (6e-7), seed 0."""

    def model(x: Any, y: Any) -> None:
        h = nn.Conv1d(2, 2, groups=2, name="a")(x)
        f = nn.Sequential(("tanh", nn.Flatten(), nn.Linear(1, "b")))(h)[:, 0]
        with bdl.plate("rows", 6):
            bdl.sample("y", dist.Normal(f, 1.0), obs=y)

    rng = np.random.default_rng(1)
    density = build_density(model, (rng.normal(size=(6, 3, 2)), rng.normal(size=6)))
    kernel, target = SparseVariationalDropout.prepared(density, {"kl_warmup": 1})
    assert isinstance(kernel, SparseVariationalDropout)
    count = sum(w.units * w.width for w in kernel.weights)
    assert (target.once, count) == (("b",), 10)
    dim, position = density.dim, rng.normal(size=density.dim)
    trained = np.concatenate([position, -1.0 + rng.normal(size=count)])
    sd = np.exp(0.5 * trained[dim:])
    keys = random.split(random.key(0), 100_000)

    def estimated(key: Any) -> Any:
        return target.function(trained, Turn(key, np.int64(0)), *target.data)

    def drawn(key: Any) -> Any:
        noise = sd * random.normal(key, (count,), np.float64)
        parts, at = [], 0
        for w in kernel.weights:
            parts.append((w.slice, noise[at : at + w.units * w.width]))
            at += w.units * w.width
        place = position
        for where, change in parts:
            place = np.concatenate(
                [place[: where.start], place[where] + change, place[where.stop :]]
            )
        terms = density.site_log_densities(place, *density.data)
        return sum(t for name, t in terms.items() if not name.endswith("weight"))

    ours, theirs = (np.asarray(jit(vmap(f))(keys)) for f in (estimated, drawn))
    kl = float(np.sum(minus_kl(log_alphas(trained, dim, kernel.weights))))
    error = np.sqrt((ours.var() + theirs.var()) / len(keys))
    assert abs(ours.mean() - kl - theirs.mean()) < 5.0 * error
