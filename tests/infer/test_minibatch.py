"""Minibatches: the order of the rows, and what an estimate is worth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl._base.errors import ModelError
from bayesdl.infer.minibatch import Turn, minibatch_target, rows_at
from bayesdl.model.density import build_density
from bayesdl.ops import random
from bayesdl.pipeline import jit
from bayesdl.transform.derived import value_and_grad, vmap

GENERATOR = np.random.default_rng(2)
X, Y = GENERATOR.normal(size=(30, 3)), GENERATOR.normal(size=30)


def net(x: Any, y: Any = None) -> None:
    """A network, and noise that is learned."""
    f = nn.MLP(hidden=(4,), out=1)(x)[:, 0]
    sigma = bdl.sample("sigma", dist.HalfNormal(1.0))
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(f, sigma), obs=y)


@pytest.mark.parametrize(
    ("rows", "batch"), [(1, 1), (2, 1), (5, 5), (6, 3), (10, 4), (97, 10), (1000, 128)]
)
def test_each_epoch_takes_each_row_once(rows: int, batch: int) -> None:
    """Epochs that do not end with a batch come out even after their least common multiple."""
    steps = np.lcm(rows, batch) // batch
    taken = jit(vmap(lambda t: rows_at(random.key(3), t, batch, rows)))(np.arange(steps))
    counts = np.bincount(np.ravel(taken), minlength=rows)
    assert (counts == np.lcm(rows, batch) // rows).all()
    here = rows_at(random.key(3), np.int64(0), batch, rows)
    np.testing.assert_array_equal(here, taken[0])


def test_orders_are_uniform() -> None:
    """Places, pairs of places, and places in epochs that follow: chi-square, p > 2.5e-7 in each of
    four (false alarms 1e-6), seed 5."""
    n, epochs = 12, 100_000
    order = np.asarray(jit(vmap(lambda t: rows_at(random.key(5), t, n, n)))(np.arange(epochs)))
    pairs = np.bincount(order[:, 0] * n + order[:, 1], minlength=n * n).reshape(n, n)
    following = np.bincount((order[1:, 0] - order[:-1, 0]) % n, minlength=n)
    counts = [np.bincount(order[:, j], minlength=n) for j in (0, 7)]
    for count in (*counts, pairs[~np.eye(n, dtype=bool)], following):
        assert stats.chisquare(count).pvalue > 2.5e-7


@pytest.mark.parametrize("batch", [1, 6, 7, 30])
def test_the_mean_over_an_epoch_is_the_whole(batch: int) -> None:
    """Value and gradient, to 1e-10; rows that do not divide into batches included."""
    density = build_density(net, (X, Y))
    target = minibatch_target(density, batch)
    position = GENERATOR.normal(size=density.dim)
    steps = np.arange(np.lcm(30, batch) // batch)

    def one(step: Any) -> Any:
        return value_and_grad(target.function)(position, Turn(random.key(1), step), *target.data)

    values, gradients = jit(vmap(one))(steps)
    value, gradient = value_and_grad(density.function)(position, *density.data)
    np.testing.assert_allclose(values.mean(), value, rtol=1e-10)
    np.testing.assert_allclose(gradients.mean(axis=0), gradient, rtol=1e-10, atol=1e-10)


def test_the_prior_is_tempered_alone() -> None:
    density = build_density(net, (X, Y))
    target = minibatch_target(density, None)
    position = GENERATOR.normal(size=density.dim)
    turn = Turn(random.key(1), np.int64(0), 0.25)
    terms = density.site_log_densities(position, *density.data)
    expected = sum(t if n == "y" else 0.25 * t for n, t in terms.items())
    np.testing.assert_allclose(target.function(position, turn, *density.data), expected)


@pytest.mark.parametrize("batch", [0, 31, 2.5])
def test_a_batch_must_fit_the_rows(batch: Any) -> None:
    """Before anything is compiled."""
    with pytest.raises(ModelError, match="does not fit the data"):
        minibatch_target(build_density(net, (X, Y)), batch)


def test_unknowns_by_row_are_refused() -> None:
    def local(y: Any) -> None:
        with bdl.plate("rows", y.shape[0]):
            z = bdl.sample("z", dist.Normal(0.0, 1.0))
            bdl.sample("y", dist.Normal(z, 1.0), obs=y)

    with pytest.raises(ModelError, match='"z" has a value for each row'):
        minibatch_target(build_density(local, (Y,)), 5)
