"""Scores of predictive draws against slow direct formulas and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from bayesdl._base.errors import ArgumentError, DtypeError, ShapeError
from bayesdl.criticism import coverage, crps, interval_width, nlpd, pit, rmse

RNG = np.random.default_rng(7)
Y = RNG.normal(size=(6, 2))
DRAWS = RNG.normal(size=(9, 6, 2)) + 0.3
SCORES = (rmse, crps, coverage, pit)


def test_rmse_is_its_definition():
    errors = [(Y[i] - sum(DRAWS[s, i] for s in range(9)) / 9) ** 2 for i in range(6)]
    assert rmse(Y, DRAWS) == pytest.approx(np.sqrt(np.mean(errors)), rel=1e-13)


def test_nlpd_is_its_definition_and_does_not_underflow():
    log_prob = RNG.normal(size=(9, 6))
    expected = -np.mean([np.log(np.mean(np.exp(log_prob[:, i]))) for i in range(6)])
    assert nlpd(log_prob) == pytest.approx(expected, rel=1e-13)
    assert nlpd(log_prob - 5000.0) == pytest.approx(expected + 5000.0, rel=1e-13)


def test_nlpd_of_a_row_impossible_under_some_draws_is_finite_and_under_all_infinite():
    assert nlpd([[0.0], [-np.inf]]) == pytest.approx(np.log(2.0))
    assert nlpd([[-np.inf, 0.0], [-np.inf, 0.0]]) == np.inf


def slow_crps(y, x):
    pairs = [abs(a - b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j]
    return np.mean(np.abs(x - y)) - 0.5 * np.mean(pairs)


def test_crps_is_its_definition():
    expected = np.mean([slow_crps(Y[i], DRAWS[:, *i]) for i in np.ndindex(6, 2)])
    assert crps(Y, DRAWS) == pytest.approx(expected, rel=1e-13)


def test_crps_keeps_its_digits_far_from_zero():
    assert crps(Y + 1e8, DRAWS + 1e8) == pytest.approx(crps(Y, DRAWS), abs=1e-7)


def gaussian_crps(z):
    return z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi)


@pytest.mark.slow
@pytest.mark.parametrize("samples", [2, 3, 10])
def test_crps_of_few_draws_is_unbiased(samples):
    """Against the Gaussian's closed form; 5 standard errors: false-alarm rate 6e-7."""
    rows = 200_000
    draws = np.random.default_rng(3).normal(size=(samples, rows))
    y = np.full(rows, 0.7)
    one = np.abs(draws - y).mean(axis=0)
    assert abs(crps(y, draws) - gaussian_crps(0.7)) < 5 * (one.std() + 1.0) / np.sqrt(rows)


def test_crps_of_many_draws_is_the_closed_form():
    levels = (np.arange(20_000) + 0.5) / 20_000
    y = np.array([-1.0, 0.0, 2.5])
    draws = np.repeat(norm.ppf(levels)[:, None], 3, axis=1)
    assert crps(y, draws) == pytest.approx(gaussian_crps(y).mean(), abs=2e-4)


def test_coverage_and_width_are_those_of_the_gaussian():
    levels = (np.arange(20_001) + 0.5) / 20_001
    draws = np.repeat(2.0 * norm.ppf(levels)[:, None], 4, axis=1)
    edge = 2.0 * norm.ppf(0.9)
    y = np.array([-edge - 0.01, -edge + 0.01, edge - 0.01, edge + 0.01])
    assert coverage(y, draws, prob=0.8) == 0.5
    assert coverage(y, draws, prob=0.9) == 1.0
    assert interval_width(draws, prob=0.8) == pytest.approx(2.0 * edge, abs=1e-3)


def test_pit_counts_ties_by_half():
    slow = [np.mean((DRAWS[:, *i] < Y[i]) + 0.5 * (DRAWS[:, *i] == Y[i])) for i in np.ndindex(6, 2)]
    np.testing.assert_allclose(pit(Y, DRAWS).ravel(), slow, rtol=1e-13)
    assert pit([2.0], [[2.0], [2.0]]).tolist() == [0.5]


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("shape", [(9, 6), (9, 6, 1), (9, 1, 2), (6, 2)])
def test_nothing_is_broadcast(score, shape):
    with pytest.raises(ShapeError, match="do not belong"):
        score(Y, np.zeros(shape))


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_refuses_what_is_not_finite_and_says_where(score, bad):
    spoilt = DRAWS.copy()
    spoilt[4, 1, 0] = bad
    with pytest.raises(ArgumentError) as caught:
        score(Y, spoilt)
    assert "1 of 108" in str(caught.value)
    assert "index (4, 1, 0)" in str(caught.value)


def test_crps_needs_two_draws():
    with pytest.raises(ArgumentError, match="at least 2"):
        crps(Y, DRAWS[:1])


def test_nlpd_needs_rows_summed_over_outputs():
    with pytest.raises(ShapeError, match="sample, rows"):
        nlpd(DRAWS)
    with pytest.raises(ArgumentError, match="NaN"):
        nlpd([[np.nan]])


def test_refuses_text():
    with pytest.raises(DtypeError, match="real numbers"):
        rmse(["a"], [[1.0]])


def test_a_percentage_is_no_probability():
    with pytest.raises(ArgumentError, match="strictly between 0 and 1"):
        coverage(Y, DRAWS, prob=90)
