"""Heads: from outputs to the distribution of an observation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

import bayesdl as bdl
from bayesdl import nn
from bayesdl._base.errors import ShapeError
from bayesdl.nn import heads

RNG = np.random.default_rng(0)
F = RNG.normal(size=(5, 6))
Y = RNG.normal(size=5)


def softplus(x: Any) -> Any:
    return np.log1p(np.exp(x)) + heads.LEAST_SCALE


def mixture() -> Any:
    weights = np.exp(F[:, :2]) / np.exp(F[:, :2]).sum(axis=1, keepdims=True)
    parts = stats.norm(F[:, 2:4], softplus(F[:, 4:])).pdf(Y[:, None])
    return np.log((weights * parts).sum(axis=1))


COUNTS = np.arange(5)
CASES: dict[str, tuple[Any, Any, Any]] = {
    "gaussian": (heads.gaussian(F[:, :1], 0.5), Y, stats.norm(F[:, 0], 0.5).logpdf(Y)),
    "heteroscedastic": (
        heads.heteroscedastic(F[:, :2]),
        Y,
        stats.norm(F[:, 0], softplus(F[:, 1])).logpdf(Y),
    ),
    "student_t": (
        heads.student_t(F[:, :1], 4.0, 0.5),
        Y,
        stats.t(4.0, F[:, 0], 0.5).logpdf(Y),
    ),
    "quantile": (
        heads.quantile(F[:, :1], 0.9, 0.5),
        Y,
        stats.laplace_asymmetric(3.0, F[:, 0], 0.5 / 0.3).logpdf(Y),
    ),
    "bernoulli": (
        heads.bernoulli(F[:, :1]),
        COUNTS % 2,
        stats.bernoulli(1.0 / (1.0 + np.exp(-F[:, 0]))).logpmf(COUNTS % 2),
    ),
    "poisson": (heads.poisson(F[:, :1]), COUNTS, stats.poisson(np.exp(F[:, 0])).logpmf(COUNTS)),
    "categorical": (
        heads.categorical(F),
        COUNTS,
        np.log((np.exp(F) / np.exp(F).sum(axis=1, keepdims=True))[COUNTS, COUNTS]),
    ),
    "mixture_density": (heads.mixture_density(F, 2), Y, mixture()),
}


@pytest.mark.parametrize("name", CASES)
def test_log_probabilities_are_scipys(name: str) -> None:
    law, values, expected = CASES[name]
    assert law.batch_shape == (5,)
    np.testing.assert_allclose(law.log_prob(values), expected, rtol=1e-10)


def test_a_head_of_each_time() -> None:
    outputs = RNG.normal(size=(5, 3, 6))
    law, one = (heads.mixture_density(f, 2) for f in (outputs, outputs[:, 1]))
    assert law.batch_shape == (5, 3)
    found = law.log_prob(np.tile(Y[:, None], 3))
    np.testing.assert_allclose(found[:, 1], one.log_prob(Y), rtol=1e-12)
    assert heads.gaussian(outputs[..., :1], 0.5).batch_shape == (5, 3)


def test_outputs_of_another_width_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"\(rows, 2\)"):
        heads.heteroscedastic(F[:, :1])


def test_a_head_closes_a_model() -> None:
    def model(x: Any, y: Any = None) -> None:
        f = nn.MLP(hidden=(3,), out=2)(x)
        with bdl.plate("rows", x.shape[0]):
            bdl.sample("y", heads.heteroscedastic(f), obs=y)

    density = bdl.log_density(model, F, Y)
    assert np.isfinite(density(np.zeros(density.dim)))
