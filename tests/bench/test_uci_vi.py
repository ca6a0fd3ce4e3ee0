"""Mean-field VI on the UCI sets."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from bayesdl.bench.uci_sets import Split
from bayesdl.bench.uci_vi import MeanField, _start

SPREAD = 2.0


def line() -> Split:
    """The first of two inputs, with noise of standard deviation 0.1 exp(the other)."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(600, 2))
    y = x[:, 0] + 0.1 * np.exp(x[:, 1]) * rng.normal(size=600)
    return Split(x[:500], y[:500], x[500:], y[500:], SPREAD)


def test_it_learns_and_says_noise_row_by_row() -> None:
    """The truth has a known log likelihood; with one noise for all rows it is lower by one."""
    split = line()
    even, uneven = (
        MeanField("yacht", k, epochs=500, draws=100).score(split, 0) for k in (False, True)
    )
    assert even.steps == uneven.steps == 500 * 4
    sd = 0.1 * np.exp(split.x_test[:, 1])
    truth = norm(split.x_test[:, 0], sd).logpdf(split.y_test).mean() - np.log(SPREAD)
    assert abs(uneven.ll - truth) < 0.35
    assert even.ll < uneven.ll - 0.35
    assert max(even.rmse, uneven.rmse) < SPREAD * 0.4


def test_lengths_are_the_same_for_all_sets_unless_told() -> None:
    assert (
        MeanField("protein", False)._steps(41_157) == MeanField("yacht", True)._steps(277) == 40_000
    )
    assert MeanField("yacht", True, epochs=10)._steps(277) == 30


@pytest.mark.parametrize("by_row", [False, True])
def test_units_keep_the_scale_of_their_inputs_at_the_start(by_row: bool) -> None:
    start = _start(line(), 2000, by_row, np.random.default_rng(0))
    units = np.maximum(line().x @ start["hidden.weight"], 0.0)
    assert np.mean(units**2) == pytest.approx(np.mean(line().x ** 2), rel=0.15)
    assert ("spread.bias" in start, "noise" in start) == (by_row, not by_row)
