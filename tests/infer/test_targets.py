"""The target of MC dropout: what it estimates, from masks and a part of the rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist, jit, nn, vmap
from bayesdl import numpy as bnp
from bayesdl._base.errors import ModelError
from bayesdl.infer import targets
from bayesdl.infer.deep.concrete_dropout import TEMPERATURE, ConcreteDropout, entropy
from bayesdl.infer.deep.dropconnect import DropConnect
from bayesdl.infer.deep.mc_dropout import MCDropout
from bayesdl.infer.deep.sparse_dropout import SparseVariationalDropout
from bayesdl.infer.deep.variational_dropout import VariationalDropout, minus_kl
from bayesdl.infer.each import EachDraw
from bayesdl.infer.minibatch import Turn
from bayesdl.infer.targets import dropout_target
from bayesdl.model.density import build_density
from bayesdl.model.handlers import thinned
from bayesdl.ops import random
from bayesdl.transform.derived import value_and_grad

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


EPOCH_X, EPOCH_Y = GENERATOR.normal(size=(30, 3)), GENERATOR.normal(size=30)


def noisy(x: Any, y: Any = None) -> None:
    """Two layers behind noise, and a scale that is a point."""
    f = nn.MLP(hidden=(4,), out=1)(x)[:, 0]
    sigma = bdl.sample("sigma", dist.HalfNormal(1.0))
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(f, sigma), obs=y)


@pytest.fixture
def one_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same noise in all steps, and where it differs by row the same in all rows."""

    def shared(draw: Any) -> Any:
        def drawn(key: Any, shape: Any = (), dtype: Any = None) -> Any:
            by_row = len(shape) == 2 and shape[0] > 4
            here = (1, *shape[1:]) if by_row else shape
            return bnp.broadcast_to(draw(key, here, dtype), shape)

        return drawn

    def mask(key: Any, x: Any, rate: Any) -> Any:
        return x * thinned(key, bnp.ones((1, *x.shape[1:]), x.dtype), rate)

    monkeypatch.setattr(targets, "thinned", mask)
    for name in ("uniform", "normal"):
        monkeypatch.setattr(random, name, shared(getattr(random, name)))
    monkeypatch.setattr(targets.NoisyTarget, "key", lambda self, turn: random.key(3))


@pytest.mark.usefixtures("one_noise")
@pytest.mark.parametrize(
    "kind",
    [MCDropout, ConcreteDropout, VariationalDropout, SparseVariationalDropout, DropConnect],
    ids=lambda kind: kind.name,
)
def test_under_one_noise_the_mean_over_an_epoch_is_the_whole(kind: Any) -> None:
    """Value and gradient of each objective, to 1e-10; 7 does not divide the 30 rows."""
    batch = 7
    density = build_density(noisy, (EPOCH_X, EPOCH_Y))
    (kernel, part), (_, whole) = (
        kind.prepared(density, {"batch_size": size, "rate": 0.2}) for size in (batch, 30)
    )
    position = np.random.default_rng(0).normal(size=density.dim)
    trained = np.asarray(kernel.init(random.key(0), position, lambda q: q).trained)

    def one(step: Any, target: Any = part) -> Any:
        turn = Turn(random.key(1), step)
        return value_and_grad(target.function)(trained, turn, *target.data)

    values, gradients = jit(vmap(one))(np.arange(np.lcm(30, batch) // batch))
    value, gradient = one(np.int64(0), whole)
    assert values.std() > 0.1
    np.testing.assert_allclose(values.mean(), value, rtol=1e-10)
    np.testing.assert_allclose(gradients.mean(axis=0), gradient, rtol=1e-10, atol=1e-10)


SMALL_X, SMALL_Y = GENERATOR.normal(size=(5, 2)), GENERATOR.normal(size=(5, 2))


def affine(x: Any, y: Any = None) -> None:
    """Two sums of two units, behind noise."""
    f = nn.Linear(2)(x)
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(f, 0.7).to_event(1), obs=y)


def relaxed(logit: Any) -> tuple[Any, Any]:
    """Mean and variance of a softened mask: trapezoids over its logistic number."""
    noise, step = np.linspace(-40.0, 40.0, 8001, retstep=True)
    weights = step / (4.0 * np.cosh(0.5 * noise) ** 2)
    z = bnp.sigmoid(-(logit + noise) / TEMPERATURE) * (1.0 + np.exp(logit))
    mean = (weights * z).sum()
    return mean, (weights * z * z).sum() - mean * mean


def log_normal(x: Any, sd: float) -> Any:
    return -0.5 * (x / sd) ** 2 - np.log(sd * np.sqrt(2.0 * np.pi))


def mean_objective(kind: Any, trained: Any) -> Any:
    """Of `affine`: the likelihood is quadratic in the noise, so its mean needs two moments."""
    w, bias, own = trained[:4].reshape(2, 2), trained[4:6], trained[6:]
    prior = log_normal(bias, 1.0).sum()
    mean, rate = 1.0, 0.25
    variance = rate / (1.0 - rate)
    if kind is VariationalDropout:
        variance = bnp.sigmoid(own[0])
        prior = prior + 2.0 * minus_kl(variance)
    else:
        if kind is ConcreteDropout:
            rate, (mean, variance) = bnp.sigmoid(own[0]), relaxed(own[0])
            prior = prior + 2.0 * entropy(rate) + rate * 4.0 * log_normal(0.0, np.sqrt(0.5))
        kept = log_normal(w / (1.0 - rate), np.sqrt(0.5)).sum()
        prior = prior + (1.0 - rate) * kept
    missed = SMALL_Y - mean * (SMALL_X @ w) - bias
    spread = variance * ((SMALL_X * SMALL_X) @ (w * w))
    constant = SMALL_Y.size * np.log(0.7 * np.sqrt(2.0 * np.pi))
    return -0.5 * (missed * missed + spread).sum() / 0.49 - constant + prior


@pytest.mark.parametrize(
    "kind",
    [MCDropout, ConcreteDropout, VariationalDropout, DropConnect],
    ids=lambda kind: kind.name,
)
def test_objectives_in_minibatches_are_unbiased(kind: Any) -> None:
    """10⁵ values and gradients, each of its own noise and 3 of 5 rows, against the mean under that
    noise: |z| < 5.3 in each of at most 8 figures (1e-6)."""
    density = build_density(affine, (SMALL_X, SMALL_Y))
    kernel, target = kind.prepared(density, {"batch_size": 3, "rate": 0.25})
    position = np.array([0.8, -0.4, 0.5, 1.1, 0.3, -0.2])
    trained = np.asarray(kernel.init(random.key(0), position, lambda q: q).trained)

    def one(key: Any) -> Any:
        return value_and_grad(target.function)(trained, Turn(key, np.int64(0)), *target.data)

    found = np.column_stack(jit(vmap(one))(random.split(random.key(8), 100_000)))
    value, gradient = value_and_grad(lambda t: mean_objective(kind, t))(trained)
    error = found.std(axis=0) / np.sqrt(len(found))
    exact = np.array([value, *gradient])
    assert (np.abs(found.mean(axis=0) - exact) < 5.3 * error + 1e-10).all()
