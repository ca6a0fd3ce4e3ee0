"""Layers one after another."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl import nn
from bayesdl._base.errors import ShapeError

from .reference import applied

X = np.random.default_rng(1).normal(size=(3, 5, 4))


def test_sequential_and_residual() -> None:
    """A small residual net, written out."""
    x = X[:, 0]
    net = nn.Sequential((nn.Residual(nn.Linear(4, "a")), "relu", nn.Linear(2, "b")))
    found, w = applied(net, x)
    hidden = np.maximum(x + x @ w["a.weight"] + w["a.bias"], 0.0)
    np.testing.assert_allclose(found, hidden @ w["b.weight"] + w["b.bias"], rtol=1e-12)
    with pytest.raises(ShapeError, match="changes the shape"):
        applied(nn.Residual(nn.Linear(3)), x)
