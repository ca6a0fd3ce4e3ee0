"""Normalisations against their formulas."""

from __future__ import annotations

import numpy as np

from bayesdl import nn

from .reference import applied

X = np.random.default_rng(1).normal(size=(3, 5, 4))


def test_layer_norm() -> None:
    """Mean 0 and variance 1 before scale and shift."""
    found, w = applied(nn.LayerNorm(epsilon=1e-12), X)
    plain = (found - w["norm.shift"]) / w["norm.scale"]
    np.testing.assert_allclose(plain.mean(-1), 0.0, atol=1e-10)
    np.testing.assert_allclose(plain.var(-1), 1.0, rtol=1e-9)


def test_filter_response_norm() -> None:
    """Each channel by its root mean square over space; nothing below the threshold."""
    image = np.random.default_rng(2).normal(size=(2, 4, 3, 5))
    found, w = applied(nn.FilterResponseNorm(), image)
    size = np.sqrt((image**2).mean((1, 2), keepdims=True) + 1e-6)
    wanted = np.maximum(w["norm.scale"] * image / size + w["norm.shift"], w["norm.threshold"])
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
