"""A perceptron is its layers, one after another."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from bayesdl import nn
from bayesdl._base.errors import ArgumentError
from bayesdl.model.handlers import seed, substitute, trace_sites
from bayesdl.ops import numpy as bnp
from bayesdl.transform.derived import grad

X = np.random.default_rng(0).standard_normal((5, 3))


def weights(*sizes: int) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    pairs = list(pairwise(sizes))
    return {f"mlp.{i}.weight": rng.standard_normal(p) for i, p in enumerate(pairs)} | {
        f"mlp.{i}.bias": rng.standard_normal(p[1]) for i, p in enumerate(pairs)
    }


def test_layers_one_after_another() -> None:
    w = weights(3, 4, 2, 1)
    with substitute(w):
        found = nn.MLP(hidden=(4, 2), out=1)(X)
    hidden = np.tanh(X @ w["mlp.0.weight"] + w["mlp.0.bias"])
    hidden = np.tanh(hidden @ w["mlp.1.weight"] + w["mlp.1.bias"])
    np.testing.assert_allclose(found, hidden @ w["mlp.2.weight"] + w["mlp.2.bias"], rtol=1e-13)


def test_without_hidden_layers_it_is_affine() -> None:
    w = weights(3, 2)
    with substitute(w):
        found = nn.MLP(hidden=(), out=2)(X)
    np.testing.assert_allclose(found, X @ w["mlp.0.weight"] + w["mlp.0.bias"], rtol=1e-13)


def test_names_of_the_sites() -> None:
    with trace_sites() as sites, seed(0):
        nn.MLP(hidden=(4,), name="net")(X)
    assert [n for n, s in sites.items() if s.role] == [
        "net.0.weight",
        "net.0.bias",
        "net.1.weight",
        "net.1.bias",
    ]


def test_the_last_layer_is_not_squashed() -> None:
    w = {k: 0.0 * v for k, v in weights(3, 4, 1).items()} | {"mlp.1.bias": np.array([7.0])}
    with substitute(w):
        assert (nn.MLP(hidden=(4,), activation="relu")(X) == 7.0).all()


def test_gradient_by_the_weights() -> None:
    w = weights(3, 4, 1)

    def loss(values: Any) -> Any:
        with substitute(values):
            return bnp.sum(nn.MLP(hidden=(4,), activation="softplus")(X) ** 2)

    found, step = grad(loss)(w), 1e-6
    for name in ("mlp.0.weight", "mlp.1.bias"):
        moved = np.zeros_like(w[name])
        moved.flat[0] = step
        ahead, behind = (loss(w | {name: w[name] + s * moved}) for s in (1, -1))
        np.testing.assert_allclose(found[name].flat[0], (ahead - behind) / (2 * step), rtol=1e-6)


@pytest.mark.parametrize("sizes", [{"hidden": (0,)}, {"out": 0}, {"hidden": 50}])
def test_bad_sizes(sizes: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match="at least one unit") as caught:
        nn.MLP(**sizes)
    assert "hidden=(50,)" in str(caught.value)


def test_unknown_activation() -> None:
    with pytest.raises(ArgumentError, match="no activation 'tahn'") as caught:
        nn.MLP(activation="tahn")
    assert "use 'tanh'" in str(caught.value)
