"""Concrete dropout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl.infer.deep.concrete_dropout import ConcreteDropout, entropy
from bayesdl.infer.minibatch import Turn
from bayesdl.model.density import build_density
from bayesdl.ops import random


def net(x: Any, y: Any = None) -> None:
    f = nn.MLP(hidden=(20,), out=1)(x)[:, 0]
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(f, 0.1), obs=y)


def _data(rows: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 2))
    return x, np.sin(2.0 * x[:, 0]) + 0.1 * rng.normal(size=rows)


def test_entropy_is_that_of_a_coin() -> None:
    assert float(entropy(0.5)) == pytest.approx(np.log(2.0))


def test_rates_fall_with_more_rows() -> None:
    """The more rows, the more a dropped unit costs (the paper's figure 2)."""
    rates = []
    for rows in (20, 500):
        kernel, target = ConcreteDropout.prepared(build_density(net, _data(rows)), {"rate": 0.1})
        post = bdl.fit(
            net, *_data(rows), method="concrete_dropout", rate=0.1, tune=4000, draws=400,
            random_seed=0, progressbar=False,
        )  # fmt: skip
        rates.append(float((post["mlp.1.weight"] == 0.0).mean()))
        assert len(kernel.own_start()) == 2
        assert target.dim == 81
    assert rates[1] < rates[0]


def test_the_bound_holds_the_entropy_of_the_masks() -> None:
    """Of weights that are 0 nothing but entropy depends on the rates: priors count alike."""
    density = build_density(net, _data(10))
    _, target = ConcreteDropout.prepared(density, {})
    turn = Turn(random.key(0), np.int64(0))

    def value(rate: float) -> float:
        logits = np.full(2, np.log(rate / (1.0 - rate)))
        trained = np.concatenate([np.zeros(density.dim), logits])
        return float(target.function(trained, turn, *target.data))

    expected = (2 + 20) * (entropy(0.3) - entropy(0.1))
    assert value(0.3) - value(0.1) == pytest.approx(float(expected), rel=1e-9)
