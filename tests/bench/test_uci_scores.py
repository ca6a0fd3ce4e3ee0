"""Scores of posteriors on the test rows of a split."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm

import bayesdl as bdl
from bayesdl import dist
from bayesdl.bench.uci_scores import log_mean, scores_of
from bayesdl.bench.uci_sets import Split


@bdl.model
def level(x: Any, y: Any = None, sd: float = 1.0) -> None:
    mean = bdl.sample("mean", dist.Normal(0.0, 1.0))
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(mean + x[:, 0], sd), obs=y)


def test_scores_are_of_the_mixture_of_draws_in_raw_units() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(30, 1)), rng.normal(size=30)
    split = Split(x[:20], y[:20], x[20:], y[20:], 5.0)
    post = bdl.fit(level, split.x, split.y, 0.5, draws=20, tune=20, chains=2, progressbar=False)
    rmse, ll = scores_of(post, split, 0.5)
    means = post["mean"].reshape(-1, 1) + split.x_test[:, 0]
    expected = logsumexp(norm(means, 0.5).logpdf(split.y_test), axis=0) - np.log(40)
    assert ll == pytest.approx(expected.mean() - np.log(5.0))
    assert rmse == pytest.approx(5.0 * np.sqrt(np.mean((means.mean(axis=0) - split.y_test) ** 2)))


def test_log_means_of_what_underflows_are_finite() -> None:
    np.testing.assert_allclose(log_mean(np.full((2, 3, 1), -1e5)), -1e5)
