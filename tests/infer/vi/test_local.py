"""Local reparametrisation of linear layers, and flipout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist, jit, nn, vmap
from bayesdl._base.errors import ModelError
from bayesdl._base.tree import flatten
from bayesdl.infer.minibatch import Turn
from bayesdl.infer.vi.estimators import ESTIMATORS, estimate, keys_of
from bayesdl.infer.vi.guides import MeanField
from bayesdl.infer.vi.local import flipped_target, local_target
from bayesdl.infer.vi.objectives import Renyi
from bayesdl.model.density import build_density
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random
from bayesdl.transform.derived import grad, value_and_grad

RNG = np.random.default_rng(3)
X, Y = RNG.normal(size=(12, 2)), RNG.normal(size=12)
DRAWS = 100_000


def affine(x: Any, y: Any) -> None:
    f = nn.Linear(1, prior=dist.Normal(0.0, 0.7))(x)[:, 0]
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(f, 0.8), obs=y)


def network(x: Any, y: Any) -> None:
    f = nn.MLP(hidden=(2,), out=1)(x)[:, 0]
    sd = bdl.sample("sd", dist.HalfNormal(1.0))
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(f, sd), obs=y)


def hierarchical(x: Any, y: Any) -> None:
    """One layer whose weights meet the units as they are, after one whose weights are scaled."""
    first = nn.Linear(2, "first", nn.priors.Hierarchical(dist.HalfNormal(1.0)))(x)
    f = nn.Linear(1, "second")(np.tanh(first))[:, 0]
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(f, 0.8), obs=y)


def convolved(x: Any, y: Any) -> None:
    """Two groups of channels, whose weights enter the sums of a row at two places."""
    h = nn.Conv1d(4, 3, groups=2, name="a")(bnp.reshape(x, (6, 2, 2)))
    f = nn.Sequential(("tanh", nn.Flatten(), nn.Linear(2, "b")))(h)
    with bdl.plate("rows", 12):
        bdl.sample("y", dist.Normal(bnp.reshape(f, (12,)), 0.8), obs=y)


def over_time(x: Any, y: Any) -> None:
    """A linear layer at two times of a row, whose sums share the noise of its weights."""
    h = nn.Linear(2, "a")(bnp.reshape(x, (6, 2, 2)))
    f = nn.Sequential(("tanh", nn.Flatten(), nn.Linear(2, "b")))(h)
    with bdl.plate("rows", 12):
        bdl.sample("y", dist.Normal(bnp.reshape(f, (12,)), 0.8), obs=y)


def params_of(dim: int) -> dict[str, Any]:
    rng = np.random.default_rng(5)
    return {"mean": 0.5 * rng.normal(size=dim), "log_sd": -1.0 + 0.3 * rng.normal(size=dim)}


def estimates(model: Any, name: str, samples: int = 1) -> np.ndarray[Any, Any]:
    """Gradients and bounds from independent keys, one row each."""
    of_name = flipped_target if name == "flipout" else local_target
    target = of_name(build_density(model, (X, Y)), None)
    density = value_and_grad(target.function)
    params = params_of(target.dim)

    def one(key: Any) -> Any:
        def here(place: Any, noise: Any = None) -> Any:
            return density(place, Turn(key, np.int64(0), None, noise), *target.data)

        keys = keys_of(key, samples)
        found = estimate(ESTIMATORS[name], Renyi(), MeanField(), params, keys, here)
        return [*flatten(found.gradient)[0], found.bound]

    found = jit(vmap(one))(random.split(random.key(7), DRAWS))
    return np.column_stack([np.reshape(f, (DRAWS, -1)) for f in found])


def elbo(params: Any) -> Any:
    """Of the affine model, in closed form; a position is two weights and a bias."""
    mean, variance = params["mean"], np.exp(2.0 * params["log_sd"])
    d = Y - X @ mean[:2] - mean[2]
    spread = (X * X) @ variance[:2] + variance[2]
    seen = -0.5 * ((d * d + spread) / 0.64).sum() - len(Y) * np.log(0.8 * np.sqrt(2 * np.pi))
    prior = -0.5 * ((mean[:2] * mean[:2] + variance[:2]) / 0.49).sum() - 2 * np.log(0.7)
    prior = prior - 0.5 * (mean[2] * mean[2] + variance[2]) - 1.5 * np.log(2 * np.pi)
    return seen + prior + MeanField().entropy(params)


@pytest.mark.parametrize("name", ["local_reparametrised", "flipout"])
@pytest.mark.parametrize("samples", [1, 3])
def test_it_is_unbiased_where_the_bound_is_a_formula(name: str, samples: int) -> None:
    """10⁵ gradients and bounds: |z| < 5.3 in each of 7 figures (1e-6)."""
    found = estimates(affine, name, samples)
    exact = np.concatenate([*flatten(grad(elbo)(params_of(3)))[0], [elbo(params_of(3))]])
    error = found.std(axis=0) / np.sqrt(DRAWS)
    assert (np.abs(found.mean(axis=0) - exact) < 5.3 * error).all()


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("local_reparametrised", network),
        ("local_reparametrised", hierarchical),
        ("flipout", network),
        ("local_reparametrised", over_time),
        ("flipout", convolved),
        ("flipout", over_time),
    ],
)
def test_it_has_the_mean_of_shared_noise_in_a_network(name: str, model: Any) -> None:
    """10⁵ draws of each: |z| < 5.7 in each of at most 41 figures (1e-6)."""
    local, shared = (estimates(model, n) for n in (name, "closed_form_entropy"))
    error = np.sqrt((local.var(axis=0) + shared.var(axis=0)) / DRAWS)
    assert (np.abs(local.mean(axis=0) - shared.mean(axis=0)) < 5.7 * error).all()


@pytest.mark.parametrize(
    ("name", "quiet"), [("local_reparametrised", [0, 1, 3, 4]), ("flipout", [3, 4])]
)
def test_gradients_by_weights_have_less_noise(name: str, quiet: list[int]) -> None:
    """Twelve rows with noise of their own, or its signs: then gradients by log sds, which come
    first, gain little. Noise of the bias is still shared."""
    local, shared = (estimates(affine, n) for n in (name, "closed_form_entropy"))
    ratio = local.std(axis=0)[:6] / shared.std(axis=0)[:6]
    assert (ratio[quiet] < 0.7).all()
    np.testing.assert_allclose(ratio[[2, 5]], 1.0, atol=0.2)


def test_a_fit_with_minibatches_recovers_the_posterior_of_a_linear_model() -> None:
    """Its mean, and one over the root of its precision's diagonal: the optimum in closed form."""
    x = np.random.default_rng(0).normal(size=(200, 2))
    y = x @ [1.0, -0.5] + 0.3 + 0.8 * np.random.default_rng(1).normal(size=200)
    post = bdl.fit(
        affine, x, y, method="vi", estimator="local_reparametrised", batch_size=50, draws=4000,
        tune=6000, random_seed=2, progressbar=False,
    )  # fmt: skip
    design = np.column_stack([x, np.ones(200)])
    precision = design.T @ design / 0.64 + np.diag([1 / 0.49, 1 / 0.49, 1.0])
    mean = np.linalg.solve(precision, design.T @ y / 0.64)
    sd = 1.0 / np.sqrt(np.diag(precision))
    found = np.concatenate(
        [np.ravel(post["linear.weight"].mean((0, 1))), [post["linear.bias"].mean()]]
    )
    assert (np.abs(found - mean) < 0.35 * sd).all()
    assert abs(float(np.std(post["linear.bias"])) / sd[2] - 1.0) < 0.15


def test_sums_of_several_times_do_not_get_noise_of_their_own() -> None:
    """Weights enter a row's sums at each time: only signs can differ from row to row."""
    density = build_density(over_time, (X, Y))
    assert [w.layer for w in local_target(density, None).weights] == ["b"]
    assert [w.layer for w in flipped_target(density, None).weights] == ["a", "b"]


def test_a_model_without_linear_layers_is_refused() -> None:
    def plain(y: Any) -> None:
        mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
        with bdl.plate("rows", 12):
            bdl.sample("y", dist.Normal(mu, 1.0), obs=y)

    with pytest.raises(ModelError):
        local_target(build_density(plain, (Y,)), None)
