"""Dropout said in the model: where it drops, and that draws do as training does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist, jit, nn, vmap
from bayesdl._base.errors import ArgumentError, ModelError
from bayesdl.infer.deep._base import DropoutKernel
from bayesdl.infer.deep.mc_dropout import MCDropout
from bayesdl.infer.methods import KERNELS
from bayesdl.infer.targets import Perturbed, dropped_weights, spread
from bayesdl.model.density import build_density
from bayesdl.model.handlers import thinned
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

RATE = 0.3
X = np.random.default_rng(1).normal(size=(1, 4, 6))
DRAWS = 100_000
LAYERS = {
    "linear": nn.Sequential((nn.Flatten(), nn.Linear(3, "a"))),
    # The sum over times knows whether they share a mask.
    "linear over time": nn.Sequential((nn.Linear(3, "a"), lambda f: bnp.sum(f, axis=1))),
    "conv": nn.Conv1d(4, 3, name="a"),
    "groups": nn.Conv1d(4, 3, groups=2, name="a"),
    "transposed": nn.ConvTranspose1d(4, 3, name="a"),
    "gru": nn.GRU(3, "a"),
    "lstm": nn.LSTM(3, "a"),
    "attention": nn.MultiHeadAttention(2, name="a"),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_masks_of_units_and_of_weights_have_one_law(kind: str) -> None:
    """Mean and square of the outputs of one row under masks on its units, as in training, and under
    masks on the weights, as in draws: |z| < 6 in each of at most 48 figures (1e-7), seed 0."""

    def model(x: Any, y: Any) -> None:
        f = bdl.deterministic("f", nn.Sequential((nn.Dropout(RATE), LAYERS[kind]))(x))
        bdl.sample("y", dist.Normal(bnp.reshape(f, (1, -1))[:, 0], 1.0), obs=y)

    density = build_density(model, (X, np.zeros(1)))
    weights = dropped_weights(density)
    position = np.random.default_rng(2).normal(size=density.dim)
    kernel = MCDropout(weights=weights)

    def seen(place: Any, *noise: Any) -> Any:
        f = replace(density, ambient=noise).constrain(place, *density.data)["f"]
        return bnp.concatenate([bnp.reshape(f, (-1,)), bnp.reshape(f * f, (-1,))])

    def of_units(key: Any) -> Any:
        def thin(layer: str, count: int, x: Any) -> Any:
            return thinned(random.fold_in(key, count), x, RATE)

        return seen(position, Perturbed(["a"], thin))

    def of_weights(key: Any) -> Any:
        factors = kernel.factors(key, None, np.float64)
        return seen(position * spread(factors, weights, density.dim, np.float64))

    keys = random.split(random.key(0), DRAWS)
    one, two = (np.asarray(jit(vmap(f))(keys)) for f in (of_units, of_weights))
    error = np.sqrt((one.var(axis=0) + two.var(axis=0)) / DRAWS)
    assert (error > 0.0).all()
    assert (np.abs(one.mean(axis=0) - two.mean(axis=0)) < 6.0 * error).all()


def network(*parts: Any) -> Any:
    """A model of a net of these parts on rows of four features."""

    def model(x: Any, y: Any) -> None:
        f = nn.Sequential(parts)(x)[:, 0]
        with bdl.plate("rows", x.shape[0]):
            bdl.sample("y", dist.Normal(f, 1.0), obs=y)

    return model


DATA = np.random.default_rng(3).normal(size=(40, 4)), np.zeros(40)


def test_it_drops_where_it_stands_and_nowhere_else() -> None:
    """10³ draws of five units at 0.4: 0.5 ± 0.05 would be off by 6 sd. Seed 0."""
    net = network(nn.Linear(5, "a"), "relu", nn.Dropout(0.4), nn.Linear(1, "b"))
    common: Any = {"tune": 20, "draws": 1000, "random_seed": 0, "progressbar": False}
    for method in ("mc_dropout", "dropconnect", "concrete_dropout"):
        post = bdl.fit(net, *DATA, method=method, **common)
        assert (post["a.weight"] != 0.0).all()
        assert abs(float((post["b.weight"] == 0.0).mean()) - 0.4) < 0.05
    post = bdl.fit(net, *DATA, method="variational_dropout", **common)
    assert np.ptp(post["a.weight"], axis=1).max() == 0.0
    assert np.ptp(post["b.weight"], axis=1).min() > 0.0


def test_without_it_all_layers_are_dropped_that_several_units_enter() -> None:
    net = network(nn.Linear(1, "a"), "tanh", nn.Linear(3, "b"), "tanh", nn.Linear(1, "c"))
    found = dropped_weights(build_density(net, DATA))
    assert [(w.layer, w.rate) for w in found] == [("a", None), ("c", None)]


def test_plain_layers_are_dropped_only_behind_it() -> None:
    """Weights without a prior are trained; it takes an `nn.Dropout` to drop them. Seed 0."""
    plain = nn.Linear(5, "a", prior=None)
    common: Any = {"tune": 50, "draws": 50, "random_seed": 0, "progressbar": False}
    methods = ("mc_dropout", "dropconnect", "concrete_dropout", "variational_dropout")
    for method in (*methods, "sparse_variational_dropout"):
        post = bdl.fit(network(plain, "relu", nn.Linear(1, "b")), *DATA, method=method, **common)
        assert (post["a.weight"] == post["a.weight"][0, 0]).all()
        assert (post["b.weight"] != post["b.weight"][0, 0]).any()
    behind = network(nn.Dropout(0.4), plain, "relu", nn.Linear(1, "b"))
    post = bdl.fit(behind, *DATA, method="mc_dropout", **common)
    assert (post["a.weight"] == 0.0).any()
    assert (post["b.weight"] == post["b.weight"][0, 0]).all()
    with pytest.raises(ModelError, match="that has a prior"):
        dropped_weights(build_density(network(plain, nn.Linear(1, "b", prior=None)), DATA))


def test_it_is_the_identity_elsewhere() -> None:
    nets = [network(*drop, nn.Linear(1)) for drop in ((), (nn.Dropout(0.5),))]
    plain, dropped = (build_density(net, DATA) for net in nets)
    position = np.arange(1.0, 6.0)
    assert plain.function(position, *plain.data) == dropped.function(position, *dropped.data)


@pytest.mark.parametrize(
    "parts", [(nn.Linear(1), nn.Dropout()), (nn.Dropout(), nn.Dropout(0.2), nn.Linear(1))]
)
def test_a_dropout_before_no_layer_is_refused(parts: Any) -> None:
    net = network(*parts)
    with pytest.raises(ModelError, match="no layer with weights follows"):
        dropped_weights(build_density(net, DATA))


def test_a_net_with_nothing_to_drop_is_refused() -> None:
    with pytest.raises(ModelError, match="nothing to drop"):
        dropped_weights(build_density(network(nn.Linear(1)), (DATA[0][:, :1], DATA[1])))


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, 5])
def test_rates_lie_between_0_and_1(rate: float) -> None:
    with pytest.raises(ArgumentError, match="between 0 and 1"):
        nn.Dropout(rate)


@pytest.mark.parametrize("method", [n for n, k in KERNELS.items() if issubclass(k, DropoutKernel)])
def test_every_method_drops_a_layer_over_time(method: str) -> None:
    """The same features of a row at all its times: draws are of weights, which know no time."""

    def model(x: Any, y: Any = None) -> None:
        f = nn.Linear(1, "out")(np.tanh(nn.Linear(4, "in", prior=None)(x)))[..., 0]
        with bdl.plate("rows", x.shape[0]):
            bdl.sample("y", dist.Normal(f, 0.5).to_event(1), obs=y)

    x = np.random.default_rng(4).normal(size=(30, 5, 2))
    common: Any = {"tune": 600, "draws": 20, "random_seed": 0, "progressbar": False}
    post = bdl.fit(model, x, x[..., 0], method=method, learning_rate=0.03, **common)
    mean = post.predict(x, kind="mean")["y"][0]
    assert mean.shape == (20, 30, 5)
    # A rate that is learned may come to 0.
    assert method == "concrete_dropout" or np.ptp(mean, axis=0).max() > 0.0
    assert np.sqrt(np.mean((mean.mean(axis=0) - x[..., 0]) ** 2)) < 0.6
