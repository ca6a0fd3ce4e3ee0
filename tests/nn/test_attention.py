"""Attention against its formula, one head at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bayesdl import nn
from bayesdl._base.errors import ShapeError
from bayesdl.model.handlers import substitute
from bayesdl.ops import numpy as bnp
from bayesdl.transform.checking import check_grads

from .reference import applied

X = np.random.default_rng(1).normal(size=(3, 5, 4))


@pytest.mark.parametrize("causal", [False, True])
def test_attention_is_its_formula(causal: bool) -> None:
    """One head at a time."""
    found, w = applied(nn.MultiHeadAttention(heads=2, causal=causal), X)
    joined = []
    for h in range(2):
        part = slice(2 * h, 2 * h + 2)
        q, k, v = (X @ w[f"attention.{n}"][:, part] for n in ("query", "key", "value"))
        scores = q @ np.swapaxes(k, 1, 2) / np.sqrt(2)
        scores = np.where(np.tril(np.ones((5, 5))) > 0, scores, -np.inf) if causal else scores
        share = np.exp(scores - scores.max(-1, keepdims=True))
        joined.append(share / share.sum(-1, keepdims=True) @ v)
    wanted = np.concatenate(joined, -1) @ w["attention.out"] + w["attention.bias"]
    np.testing.assert_allclose(found, wanted, rtol=1e-11)


def test_a_causal_head_does_not_see_the_future() -> None:
    """Later inputs may change without effect on earlier outputs."""
    layer = nn.MultiHeadAttention(heads=2, causal=True)
    before, w = applied(layer, X)
    changed = X.copy()
    changed[:, 3:] += 1.0
    with substitute(w):
        after = np.asarray(layer(changed))
    np.testing.assert_allclose(after[:, :3], before[:, :3], rtol=1e-13)
    assert np.abs(after[:, 3:] - before[:, 3:]).max() > 1e-3


@pytest.mark.parametrize("layer", [nn.MultiHeadAttention(2, causal=True)])
def test_gradients_of_inputs(layer: Any) -> None:
    """Both modes, through the scan."""
    _, w = applied(layer, X)

    def loss(x: Any) -> Any:
        with substitute(w):
            return bnp.sum(layer(x) ** 2)

    check_grads(loss, (X,))


@pytest.mark.parametrize("layer", [nn.MultiHeadAttention(heads=3)])
def test_heads_must_divide_the_features(layer: Any) -> None:
    """Before anything is computed."""
    with pytest.raises(ShapeError, match="split into its heads"):
        applied(layer, X)
