"""Counts of several classes: the sum, and the marginal counts."""

from __future__ import annotations

import numpy as np
from scipy import stats

from bayesdl import dist
from bayesdl.ops import random


def test_counts_sum_to_the_number_of_trials() -> None:
    d = dist.Multinomial(np.array([4, 9]), np.array([0.2, 0.3, 0.5]))
    x = np.asarray(d.sample(random.key(0), (50,)))
    assert x.shape == (50, 2, 3)
    assert np.all(x.sum(-1) == [4, 9])
    assert np.all(np.isfinite(d.log_prob(x)))
    assert np.all(np.isneginf(d.log_prob(x + 1)))


def test_each_count_is_binomial() -> None:
    """Largest distance of distribution functions; false-alarm rate 1e-6 a class (DKW); seed 6."""
    probs = np.array([0.2, 0.3, 0.5])
    x = np.asarray(dist.Multinomial(12, probs).sample(random.key(6), (4000,)))
    for i in range(3):
        found = np.cumsum(np.bincount(x[:, i], minlength=13)) / 4000
        gap = np.abs(found - stats.binom(12, probs[i]).cdf(np.arange(13))).max()
        assert gap < np.sqrt(np.log(2e6) / 8000)
