"""Recurrent layers against their formulas, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bayesdl import nn
from bayesdl.model.handlers import substitute
from bayesdl.ops import numpy as bnp
from bayesdl.transform.checking import check_grads

from .reference import applied, sigmoid

X = np.random.default_rng(1).normal(size=(3, 5, 4))


def test_gru_is_its_formula() -> None:
    """Step by step."""
    found, w = applied(nn.GRU(2), X)
    W, U, b = (w[f"recurrent.{k}"] for k in ("weight", "recurrent", "bias"))
    h = np.zeros((3, 2))
    for t in range(5):
        now, past = X[:, t] @ W + b, h @ U
        z, r = sigmoid(now[:, :2] + past[:, :2]), sigmoid(now[:, 2:4] + past[:, 2:4])
        h = (1 - z) * np.tanh(now[:, 4:] + r * past[:, 4:]) + z * h
        np.testing.assert_allclose(found[:, t], h, rtol=1e-12)


def test_lstm_is_its_formula() -> None:
    """Step by step."""
    found, w = applied(nn.LSTM(2), X)
    W, U, b = (w[f"recurrent.{k}"] for k in ("weight", "recurrent", "bias"))
    h, c = np.zeros((3, 2)), np.zeros((3, 2))
    for t in range(5):
        i, f, g, o = np.split(X[:, t] @ W + h @ U + b, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        np.testing.assert_allclose(found[:, t], h, rtol=1e-12)


@pytest.mark.parametrize("layer", [nn.GRU(2), nn.LSTM(2)])
def test_gradients_of_inputs(layer: Any) -> None:
    """Both modes, through the scan."""
    _, w = applied(layer, X)

    def loss(x: Any) -> Any:
        with substitute(w):
            return bnp.sum(layer(x) ** 2)

    check_grads(loss, (X,))
