"""Divergences in closed form under a mean-field guide."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist, jit, vmap
from bayesdl._base.tree import flatten
from bayesdl.infer.minibatch import Turn
from bayesdl.infer.vi.closed import closed_target
from bayesdl.infer.vi.estimators import ESTIMATORS, estimate, keys_of
from bayesdl.infer.vi.guides import MeanField
from bayesdl.infer.vi.objectives import Renyi
from bayesdl.model.density import build_density
from bayesdl.ops import random
from bayesdl.transform.derived import value_and_grad

RNG = np.random.default_rng(3)
X, Y = RNG.normal(size=(12, 2)), RNG.normal(size=12)
PARAMS = {"mean": np.array([0.2, -0.4, 0.5, -0.3, 0.1]), "log_sd": np.full(5, -1.2)}
DRAWS = 100_000


def regression(x: Any, y: Any) -> None:
    """A normal prior that depends on another unknown, one on (0, ∞) with a formula, one without."""
    center = bdl.sample("center", dist.Normal(0.0, 1.0))
    w = bdl.sample("w", dist.Normal(center, 0.7).expand((2,)).to_event(1))
    sd = bdl.sample("sd", dist.LogNormal(0.0, 0.5))
    b = bdl.sample("b", dist.StudentT(4.0, 0.0, 1.0))
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(x @ w + b, sd), obs=y)


def alone(x: Any, y: Any) -> None:
    bdl.sample("w", dist.Normal(0.3, 0.7).expand((5,)))
    bdl.factor("none", 0.0 * x.sum() + 0.0 * y.sum())


def estimates(model: Any, name: str, batch: int | None) -> np.ndarray[Any, Any]:
    """Gradients and bounds from independent keys, one row each."""
    target = closed_target(build_density(model, (X, Y)), batch)
    density = value_and_grad(target.function)

    def one(key: Any) -> Any:
        turn = Turn(key, np.int64(0))
        found = estimate(
            ESTIMATORS[name],
            Renyi(),
            MeanField(),
            PARAMS,
            keys_of(random.fold_in(key, 3), 1),
            lambda place, noise=None: density(place, turn, *target.data),
        )
        return [*flatten(found.gradient)[0], found.bound]

    found = jit(vmap(one))(random.split(random.key(9), DRAWS))
    return np.column_stack([np.reshape(f, (DRAWS, -1)) for f in found])


@pytest.mark.parametrize("batch", [None, 4])
def test_it_has_the_mean_of_the_plain_one_and_less_noise(batch: int | None) -> None:
    """10⁵ gradients and bounds, in pairs: |z| < 5.5 in each of 11 figures (1e-6)."""
    closed, plain = (estimates(regression, n, batch) for n in ("closed_form_kl", "reparametrised"))
    difference = closed - plain
    error = difference.std(axis=0) / np.sqrt(DRAWS)
    assert (np.abs(difference.mean(axis=0)) <= 5.5 * error).all()
    if batch is None:
        assert (closed.std(axis=0) <= plain.std(axis=0)).all()
        assert (closed.std(axis=0)[[0, 5]] < 0.9 * plain.std(axis=0)[[0, 5]]).all()


def test_without_data_nothing_is_left_to_chance() -> None:
    """The bound is minus the divergence of normals, each gradient the same."""
    found = estimates(alone, "closed_form_kl", None)[:100]
    assert np.ptp(found, axis=0).max() < 1e-14
    q = dist.Normal(PARAMS["mean"], np.exp(PARAMS["log_sd"]))
    expected = -dist.kl_divergence(q, dist.Normal(0.3, 0.7)).sum()
    assert found[0, -1] == pytest.approx(expected, rel=1e-12)


def test_a_fit_goes_where_the_plain_one_goes() -> None:
    settings: dict[str, Any] = {"method": "advi", "random_seed": 1, "progressbar": False}
    found = [
        bdl.fit(regression, X, Y, estimator=name, **settings).draws.attrs["elbo"]
        for name in ("closed_form_kl", "reparametrised")
    ]
    assert abs(found[0] - found[1]) < 0.1


LINEAR = [name for name, e in ESTIMATORS.items() if not e.local or name == "closed_form_kl"]


@pytest.mark.parametrize("name", LINEAR)
def test_the_mean_over_an_epoch_is_the_gradient_of_all_rows(name: str) -> None:
    """With one noise for all minibatches, to 1e-10, for each estimator that is linear in log w."""
    density = build_density(regression, (X, Y))

    def gradient(batch: int | None, step: int) -> np.ndarray[Any, Any]:
        target = closed_target(density, batch)
        slope = value_and_grad(target.function)
        turn = Turn(random.key(4), np.int64(step))
        found = estimate(
            ESTIMATORS[name],
            Renyi(),
            MeanField(),
            PARAMS,
            keys_of(random.key(8), 2),
            lambda place, noise=None: slope(place, turn, *target.data),
        )
        return np.concatenate([*flatten(found.gradient)[0], [found.bound]])

    mean = np.mean([gradient(4, step) for step in range(3)], axis=0)
    np.testing.assert_allclose(mean, gradient(None, 0), rtol=1e-10, atol=1e-10)
