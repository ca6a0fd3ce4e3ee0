"""R-hat, effective sizes, Monte Carlo errors: ArviZ's numbers, NaN where undefined."""

from __future__ import annotations

import logging
import warnings

import numpy as np
import pytest

from bayesdl._base.errors import ArgumentError, DtypeError, ShapeError
from bayesdl.criticism import (
    bfmi,
    convergence,
    ess_bulk,
    ess_mean,
    ess_quantile,
    ess_tail,
    mcse_mean,
    mcse_quantile,
    mcse_sd,
    rhat,
)
from bayesdl.criticism._blocks import quantiles


def chains(rng, kind, shape):
    """Random chains (chain, draw) with the troubles of real ones."""
    if kind == "heavy":
        return rng.standard_t(1.2, size=shape)
    draws = rng.normal(size=shape)
    if kind in ("autoregressive", "bad chain"):
        phi = rng.uniform(-0.9, 0.98)
        for t in range(1, shape[1]):
            draws[:, t] += phi * draws[:, t - 1]
    if kind == "bad chain":
        draws[-1] += 3.0
    return np.floor(2.0 * draws) if kind == "ties" else draws


KINDS = ("independent", "heavy", "autoregressive", "bad chain", "ties")
# ArviZ's quantile is off by a rounding error where prob · (size − 1) is a whole number; one draw
# then falls on the other side of it. An irrational level never meets that case.
LEVEL = float(np.sqrt(0.1))

REFERENCE = {
    "rhat": (rhat, lambda az, x: az.rhat(x)),
    "ess_bulk": (ess_bulk, lambda az, x: az.ess(x, method="bulk")),
    "ess_tail": (ess_tail, lambda az, x: az.ess(x, method="tail", prob=(0.05, 0.95))),
    "ess_mean": (ess_mean, lambda az, x: az.ess(x, method="mean")),
    "ess_quantile": (
        lambda x: ess_quantile(x, LEVEL),
        lambda az, x: az.ess(x, method="quantile", prob=LEVEL),
    ),
    "mcse_mean": (mcse_mean, lambda az, x: az.mcse(x, method="mean")),
    "mcse_sd": (mcse_sd, lambda az, x: az.mcse(x, method="sd")),
    "mcse_quantile": (
        lambda x: mcse_quantile(x, LEVEL),
        lambda az, x: az.mcse(x, method="quantile", prob=LEVEL),
    ),
}


@pytest.fixture(scope="module")
def arviz():
    """ArviZ's functions of plain arrays, 0.x or 1.x; its own warnings are not ours to heed."""
    logging.getLogger("arviz").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = pytest.importorskip("arviz")
        if module.__version__.startswith("0."):
            return module
        return pytest.importorskip("arviz_stats.base").array_stats


@pytest.mark.parametrize("name", REFERENCE)
@pytest.mark.parametrize("kind", KINDS)
def test_agrees_with_arviz(name, kind, arviz):
    ours, theirs = REFERENCE[name]
    rng = np.random.default_rng(20_26)
    for _ in range(12):
        shape = int(rng.integers(1, 6)), 2 * int(rng.integers(2, 100)) + int(rng.integers(2))
        draws = chains(rng, kind, shape)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = float(theirs(arviz, draws))
        np.testing.assert_allclose(ours(draws), expected, rtol=1e-9, err_msg=f"{shape}")


@pytest.mark.parametrize("name", [*REFERENCE])
@pytest.mark.parametrize("draws", [4, 5, 6, 7])
def test_agrees_with_arviz_on_the_shortest_chains(name, draws, arviz):
    ours, theirs = REFERENCE[name]
    values = np.random.default_rng(draws).normal(size=(3, draws))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = float(theirs(arviz, values))
    np.testing.assert_allclose(ours(values), expected, rtol=1e-9)


@pytest.mark.parametrize("name", REFERENCE)
def test_trailing_elements_are_independent_problems(name, monkeypatch):
    """Many elements in several blocks give what each gives alone; a spoilt one harms no other."""
    ours, _ = REFERENCE[name]
    rng = np.random.default_rng(1)
    draws = np.stack([chains(rng, kind, (3, 41)) for kind in KINDS for _ in range(2)], axis=2)
    draws = draws.reshape(3, 41, 5, 2)
    draws[1, 3, 2, 1] = np.nan
    monkeypatch.setattr(convergence, "_BLOCK_VALUES", 3 * 3 * 41)
    together = ours(draws)
    assert together.shape == (5, 2)
    assert np.isnan(together[2, 1])
    for i in np.ndindex(5, 2):
        np.testing.assert_allclose(together[i], ours(draws[:, :, *i]), rtol=1e-12)


@pytest.mark.parametrize("name", REFERENCE)
@pytest.mark.parametrize(
    "draws",
    [
        np.full((4, 50), 0.1),
        np.where(np.arange(200).reshape(4, 50) == 7, np.nan, 1.0),
        np.where(np.arange(200).reshape(4, 50) == 7, np.inf, np.arange(200).reshape(4, 50)),
        np.full((4, 50), -np.inf),
        np.arange(12.0).reshape(4, 3),
        np.ones((4, 0)),
        np.ones((0, 10)),
    ],
    ids=["constant", "nan", "inf", "all -inf", "three draws", "no draws", "no chains"],
)
def test_nan_where_it_has_no_meaning(name, draws):
    assert np.isnan(REFERENCE[name][0](draws))


@pytest.mark.parametrize("count", [1, 3])
def test_mixing_is_what_each_gives_by_itself_to_the_last_bit(count, monkeypatch):
    rng = np.random.default_rng(1)
    draws = np.stack([chains(rng, kind, (count, 41)) for kind in KINDS], axis=2)
    draws[0, 3, 2] = np.nan
    monkeypatch.setattr(convergence, "_BLOCK_VALUES", 2 * count * 41)
    for have, function in zip(convergence.mixing(draws), (rhat, ess_bulk, ess_tail), strict=True):
        np.testing.assert_array_equal(have, function(draws))


def test_mixing_is_kept_for_the_same_numbers_only(monkeypatch):
    monkeypatch.setattr(convergence, "_RECENT", {})
    draws = np.random.default_rng(1).normal(size=(4, 100, 2))
    first = convergence.mixing(draws)
    assert convergence.mixing(draws.copy()) is first
    draws[0, :, 1] += 3.0
    second = convergence.mixing(draws)
    assert second[0][0] == first[0][0]
    assert second[0][1] > 1.1 > first[0][1]
    for shift in range(1, 2 * convergence._KEPT):
        convergence.mixing(draws[:, :, 0] + shift)
    assert len(convergence._RECENT) == convergence._KEPT


def test_rhat_of_one_chain_is_nan():
    assert np.isnan(rhat(np.random.default_rng(0).normal(size=(1, 100))))


def test_rhat_of_chains_that_never_moved_is_infinite():
    assert rhat(np.repeat([[0.0], [1.0]], 20, axis=1)) == np.inf


def test_rhat_of_two_values_equally_frequent_is_finite():
    """Their distances from the median are all equal, so only the unfolded version speaks."""
    draws = np.tile([0.0, 1.0], (2, 20))
    assert 0.9 < rhat(draws) < 1.1


def test_rhat_sees_chains_that_differ_in_scale_only():
    draws = np.random.default_rng(0).normal(size=(4, 500)) * np.array([[1.0], [1.0], [1.0], [4.0]])
    assert rhat(draws) > 1.1


def test_effective_size_does_not_depend_on_the_unit():
    """No absolute threshold hides in it: draws of size 1e-30 are no constant."""
    draws = np.random.default_rng(0).normal(size=(4, 100))
    np.testing.assert_allclose(ess_mean(1e-30 * draws), ess_mean(draws), rtol=1e-9)


def test_integers_and_booleans_are_draws():
    values = np.random.default_rng(0).integers(0, 2, size=(4, 100))
    assert ess_bulk(values) == ess_bulk(values.astype(bool)) == ess_bulk(values.astype(float))


@pytest.mark.slow
def test_effective_size_of_an_autoregression_is_the_known_one():
    """AR(1) has τ = (1 + φ) / (1 − φ). Over seeds the ratio has sd 0.04; 0.25 is beyond 6 sd."""
    rng, phi = np.random.default_rng(5), 0.6
    draws = rng.normal(size=(4, 5000))
    for t in range(1, 5000):
        draws[:, t] += phi * draws[:, t - 1]
    assert abs(ess_mean(draws) / (20_000 * (1 - phi) / (1 + phi)) - 1.0) < 0.25


def test_bfmi_is_the_ratio_of_its_definition():
    energy = np.random.default_rng(0).normal(size=(3, 100)).cumsum(axis=1)
    expected = [
        sum((e[t] - e[t - 1]) ** 2 for t in range(1, 100)) / 99 / np.var(e, ddof=1) for e in energy
    ]
    np.testing.assert_allclose(bfmi(energy), expected, rtol=1e-12)


def test_bfmi_of_a_spoilt_chain_is_nan_and_of_the_others_is_not():
    energy = np.random.default_rng(0).normal(size=(3, 100))
    energy[0] = 2.0
    energy[2, 5] = np.inf
    assert np.isnan(bfmi(energy)).tolist() == [True, False, True]


@pytest.mark.parametrize("function", [rhat, ess_bulk, ess_tail, ess_mean, mcse_mean, mcse_sd])
def test_needs_a_chain_axis(function):
    with pytest.raises(ShapeError, match=r"shape \(10,\)") as caught:
        function(np.arange(10.0))
    assert "draws[None]" in str(caught.value)


def test_bfmi_needs_two_axes():
    with pytest.raises(ShapeError, match=r"\(chain, draw\)"):
        bfmi(np.zeros((2, 10, 1)))


def test_refuses_complex_draws():
    with pytest.raises(DtypeError, match="complex128"):
        rhat(np.ones((2, 10), dtype=complex))


@pytest.mark.parametrize("prob", [0.0, 1.0, 5.0, float("nan")])
def test_refuses_a_level_outside_the_unit_interval(prob):
    for function in (ess_quantile, mcse_quantile):
        with pytest.raises(ArgumentError, match="strictly between 0 and 1"):
            function(np.arange(20.0).reshape(2, 10), prob)


def test_quantiles_are_those_of_numpy() -> None:
    values = np.random.default_rng(8).normal(size=(3, 2, 97))
    values[0, 1, 5], values[1, 0, 3] = np.nan, np.inf
    probs = [0.0, 0.05, 0.5, 0.731, 1.0]
    with np.errstate(invalid="ignore"):
        found, expected = quantiles(values, probs), np.quantile(values, probs, axis=-1)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(quantiles(values[..., :1], probs)[:, 2, 1], values[2, 1, 0])
