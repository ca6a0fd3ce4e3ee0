"""The target of MC dropout: what it estimates, from masks and a part of the rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl._base.errors import ModelError
from bayesdl.infer.each import EachDraw
from bayesdl.infer.minibatch import Turn
from bayesdl.infer.targets import dropout_target
from bayesdl.model.density import build_density
from bayesdl.ops import random

GENERATOR = np.random.default_rng(2)
X, Y = GENERATOR.normal(size=(600, 3)), GENERATOR.normal(size=600)


def net(x: Any, y: Any = None) -> None:
    """One hidden layer."""
    f = nn.MLP(hidden=(4,), out=1)(x)[:, 0]
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(f, 1.0), obs=y)


def test_minibatches_estimate_the_density_of_all_rows() -> None:
    """Mean over 20 000 batches against the full density: |z| < 4.9 (false alarms 1e-6), seed 0.

    With a rate of 1e-12 nothing is dropped, so that rows are the only source of noise.
    """
    density = build_density(net, (X, Y))
    target = dropout_target(density, 1e-12, 32)
    position = GENERATOR.normal(size=density.dim)
    keys = np.asarray(random.split(random.key(0), 20_000))
    turns = (keys, np.zeros(len(keys), np.int64))
    each = EachDraw(lambda turn, *data: target.function(position, Turn(*turn), *data), np.float64)
    found = np.asarray(each(turns, [*target.data]))
    full = float(density.function(position, *density.data))
    assert found.std() > 1.0
    assert abs(found.mean() - full) < 4.9 * found.std() / np.sqrt(len(found))


def test_many_rows_are_taken_in_batches_unless_told_otherwise() -> None:
    """128 of more than 512."""
    density = build_density(net, (X, Y))
    assert dropout_target(density, 0.1, None).minibatch.batch == 128
    assert dropout_target(density, 0.1, 600).minibatch.batch == 600
    small = build_density(net, (X[:50], Y[:50]))
    assert dropout_target(small, 0.1, None).minibatch.batch == 50


@pytest.mark.parametrize("batch", [0, 601])
def test_a_batch_must_fit_the_rows(batch: int) -> None:
    """Before anything is compiled."""
    with pytest.raises(ModelError, match="does not fit the data"):
        dropout_target(build_density(net, (X, Y)), 0.1, batch)
