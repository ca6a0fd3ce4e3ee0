"""Activations by name."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl._base.errors import ArgumentError
from bayesdl.nn.activations import ACTIVATIONS, activation

X = np.linspace(-3.0, 3.0, 7)
WANTED = {
    "identity": X,
    "relu": np.maximum(X, 0.0),
    "sigmoid": 1 / (1 + np.exp(-X)),
    "silu": X / (1 + np.exp(-X)),
    "softplus": np.log1p(np.exp(X)),
    "tanh": np.tanh(X),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_values(name: str) -> None:
    np.testing.assert_allclose(activation(name)(X), WANTED[name], rtol=1e-14)


def test_functions_are_taken_as_they_are() -> None:
    assert activation(np.exp) is np.exp


def test_unknown_names() -> None:
    with pytest.raises(ArgumentError, match="there is no activation 'gelu2'"):
        activation("gelu2")
