"""Batching is a loop, and its arguments are checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bayesdl._base.errors import ShapeError
from bayesdl.ops import linalg
from bayesdl.ops import numpy as bnp
from bayesdl.tracing.flow import cond, scan, while_loop
from bayesdl.transform.derived import vmap

X = np.random.default_rng(0).uniform(0.2, 1.5, (4, 3))
SPD = np.stack([np.diag(x) + 0.1 for x in X])
CASES: dict[str, Any] = {
    "elementwise": lambda x: bnp.exp(x) * 2.0,
    "reduce": lambda x: x.sum() + bnp.max(x),
    "index": lambda x: x[::-1][1:],
    "gather": lambda x: x[np.array([2, 0, 0])],
    "dynamic index": lambda x: x[bnp.astype(x[0], int)],
    "product": lambda x: bnp.outer(x, x) @ x,
    "cond": lambda x: cond(x[0] > 0.8, lambda v: v * 2.0, lambda v: -v, x),
    "while": lambda x: while_loop(lambda v: v.sum() < 20.0, lambda v: v * 1.5, x),
    "scan": lambda x: scan(lambda c, v: (c * v, c + v), 1.0, x),
    "nothing batched": lambda x: np.arange(3.0),
    "sort": lambda x: bnp.sort(x),
    "cumprod": lambda x: bnp.cumprod(x),
}


@pytest.mark.parametrize("name", CASES)
def test_vmap_is_a_loop(name: str) -> None:
    function = CASES[name]
    found = vmap(function)(X)
    each = [function(x) for x in X]
    if isinstance(found, tuple):
        for i, leaf in enumerate(found):
            np.testing.assert_allclose(leaf, np.stack([e[i] for e in each]), rtol=1e-13)
    else:
        np.testing.assert_allclose(found, np.stack(each), rtol=1e-13)


def test_factorisations() -> None:
    np.testing.assert_allclose(vmap(linalg.cholesky)(SPD), np.linalg.cholesky(SPD), rtol=1e-12)


def test_axes() -> None:
    np.testing.assert_allclose(vmap(bnp.sum, in_axes=1)(X), X.sum(0))
    np.testing.assert_allclose(vmap(lambda x: x * 2.0, in_axes=-1, out_axes=1)(X), X * 2.0)
    np.testing.assert_allclose(vmap(lambda x, y: x @ y, in_axes=(0, None))(X, X[0]), X @ X[0])
    np.testing.assert_allclose(
        vmap(lambda d: d["a"] + d["b"])({"a": X, "b": X[:, 0]}), X + X[:, :1]
    )


def test_nesting_is_an_outer_table() -> None:
    table = vmap(vmap(lambda x, y: (x * y).sum(), in_axes=(None, 0)), in_axes=(0, None))(X, X)
    np.testing.assert_allclose(table, X @ X.T, rtol=1e-13)


@pytest.mark.parametrize(
    ("args", "axes"),
    [((X, X[:2]), 0), ((X,), None), ((np.float64(1.0),), 0), ((X, X), (0,))],
)
def test_bad_batches(args: Any, axes: Any) -> None:
    with pytest.raises(ShapeError) as caught:
        vmap(lambda *v: v[0], in_axes=axes)(*args)
    assert "`vmap`" in str(caught.value)
