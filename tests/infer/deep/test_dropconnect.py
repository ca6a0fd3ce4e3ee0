"""DropConnect."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl.infer.deep.dropconnect import DropConnect
from bayesdl.infer.minibatch import Turn
from bayesdl.model.density import build_density
from bayesdl.ops import random


def net(x: Any, y: Any = None) -> None:
    f = nn.MLP(hidden=(20,), out=1)(x)[:, 0]
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(f, 0.3), obs=y)


def test_single_weights_are_dropped() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    y = np.sin(2.0 * x[:, 0]) + 0.1 * rng.normal(size=200)
    post = bdl.fit(
        net, x, y, method="dropconnect", rate=0.1, tune=3000, draws=400, random_seed=0,
        progressbar=False,
    )  # fmt: skip
    dropped = post["mlp.0.weight"][0] == 0.0
    # 16 000 weights: 5.2 standard errors, once in 5e6 tries.
    assert abs(dropped.mean() - 0.1) < 5.2 * np.sqrt(0.09 / dropped.size)
    assert (dropped.any(axis=2) & ~dropped.all(axis=2)).any()
    mean = post.predict(x, kind="mean")["y"][0].mean(axis=0)
    assert np.sqrt(np.mean((mean - y) ** 2)) < 0.6 * y.std()


def test_rate_zero_is_the_plain_density() -> None:
    x, y = np.ones((6, 2)), np.zeros(6)
    density = build_density(net, (x, y))
    _, target = DropConnect.prepared(density, {"rate": 1e-12})
    position = np.random.default_rng(1).normal(size=density.dim)
    turn = Turn(random.key(0), np.int64(0))
    found = float(target.function(position, turn, *target.data))
    assert found == pytest.approx(float(density.function(position, *density.data)), rel=1e-9)
