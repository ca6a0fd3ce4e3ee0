"""NUTS on the UCI sets."""

from __future__ import annotations

import numpy as np

from bayesdl.bench.uci_nuts import CHAINS, Sampled
from bayesdl.bench.uci_sets import Split


def test_it_samples_a_network_that_fits() -> None:
    """A kink of noise 0.1 in units of 2: no straight line has an RMSE below 0.9."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(120, 1))
    y = np.abs(x[:, 0]) - 0.8 + 0.1 * rng.normal(size=120)
    split = Split(x[:100], y[:100], x[100:], y[100:], 2.0)
    score = Sampled("yacht", tune=100, draws=25).score(split, 0)
    assert score.rmse < 0.5
    assert score.ll > -0.5
    assert 0.1 < score.noise < 0.4
    assert 0 <= score.divergences <= CHAINS * 25
    assert 0.0 < score.tree_depth <= 7.0
