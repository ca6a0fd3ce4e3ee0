"""Verdicts on draws that are made to have one fault each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bayesdl.criticism.verdict import of_approximation, of_chains, of_moments
from bayesdl.infer.draws import Moment

GENERATOR = np.random.default_rng(8)
GOOD = GENERATOR.normal(size=(4, 500))
QUIET = {"diverging": np.zeros((4, 500), bool), "energy": GENERATOR.normal(size=(4, 500))}


def bad(found: Any) -> list[str]:
    """Names of what is not fine."""
    return [f.name for f in found.findings if not f.fine]


def test_good_draws_are_fine() -> None:
    """Nothing to attend to, and the block says so line by line."""
    found = of_chains({"mu": GOOD}, QUIET)
    assert found.fine
    assert str(found).count("ok  ") == 4
    assert found.attrs()["attention"] == []


def test_chains_that_disagree() -> None:
    """R-hat names the element."""
    draws = np.stack([GOOD, GOOD + np.arange(4)[:, None]], axis=-1)
    found = of_chains({"theta": draws}, QUIET)
    assert "rhat_max" in bad(found)
    assert "(theta[1])" in str(found)
    assert "run longer" in str(found)


def test_draws_that_are_alike() -> None:
    """An autoregression of 0.99 has few effective draws."""
    walk = np.zeros((4, 500))
    for t in range(1, 500):
        walk[:, t] = 0.99 * walk[:, t - 1] + GOOD[:, t]
    assert "ess_min" in bad(of_chains({"mu": walk}, QUIET))


def test_divergences_and_what_sets_them_apart() -> None:
    """Draws diverge where tau is small, whatever mu."""
    tau = np.exp(GENERATOR.normal(size=(4, 500)))
    found = of_chains({"mu": GOOD, "tau": tau}, {"diverging": tau < 0.15})
    assert bad(found) == ["divergences"]
    (one,) = found.apart
    assert (one.name, one.how) == ("tau", "low")
    assert one.effect > 0.95
    assert one.divergent < 0.15 < 0.8 < one.others
    assert "there, tau is low: median 0." in str(found)
    assert found.attrs()["divergences_apart"] == ["tau"]
    assert found.attrs()["divergences_where"] == ["low"]


def test_divergences_in_both_tails() -> None:
    """Their mean rank is in the middle; their distance from it is not."""
    theta = GENERATOR.normal(size=(4, 500, 2))
    (one,) = of_chains({"theta": theta}, {"diverging": np.abs(theta[..., 1]) > 2.0}).apart
    assert (one.name, one.how) == ("theta[1]", "far out")
    (one,) = of_chains({"theta": theta}, {"diverging": np.abs(theta[..., 1]) < 0.1}).apart
    assert (one.name, one.how) == ("theta[1]", "near its middle")


def test_divergences_anywhere_set_nothing_apart() -> None:
    """200 random ones, among 300 elements of which one is constant: rate 0.04 if |z| alone counted.

    An effect of 0.3 is 7 standard deviations for as many: below 1e-8 with a fresh seed.
    """
    values = np.concatenate([GENERATOR.normal(size=(4, 500, 299)), np.ones((4, 500, 1))], axis=2)
    diverging = np.zeros(2000, bool)
    diverging[GENERATOR.permutation(2000)[:200]] = True
    assert of_chains({"x": values}, {"diverging": diverging.reshape(4, 500)}).apart == ()


def test_one_divergence_is_no_pattern() -> None:
    diverging = np.zeros((4, 500), bool)
    diverging[0, 7] = True
    assert of_chains({"mu": GOOD}, {"diverging": diverging}).apart == ()


def test_energies_that_mix_slowly() -> None:
    """Steps of the energy far below its spread."""
    energy = np.cumsum(GENERATOR.normal(size=(4, 500)), axis=1)
    found = of_chains({"mu": GOOD}, {"energy": np.stack([QUIET["energy"][0], energy[1]])})
    assert bad(found) == ["bfmi_min"]
    assert "(chain 1)" in str(found)
    first, second = found.attrs()["bfmi"]
    assert second < 0.3 < first


def test_deep_trees() -> None:
    """More than one in a hundred at the limit."""
    stats = {"reached_max_treedepth": GENERATOR.uniform(size=(4, 500)) < 0.2}
    found = of_chains({"mu": GOOD}, stats, limits={"max_treedepth": 10})
    assert bad(found) == ["reached_max_treedepth"]
    assert "% of trees reached the depth limit of 10\n" in str(found)


def test_trajectories_that_are_cut_off() -> None:
    """More than one in a hundred; the limit is named where the user gave it."""
    stats = {"reached_max_steps": np.arange(2000).reshape(4, 500) < 21}
    found = of_chains({"mu": GOOD}, stats, limits={"max_steps": 7})
    assert bad(found) == ["reached_max_steps"]
    assert "1.1% of trajectories reached the step limit of 7\n" in str(found)
    assert "raise max_steps" in str(found)
    assert of_chains({"mu": GOOD}, {"reached_max_steps": np.zeros((4, 500), bool)}).fine


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_number_that_is_none_is_reported(value: float) -> None:
    """In one element of many, whose R-hat and ESS are passed over."""
    draws = GENERATOR.normal(size=(4, 500, 2))
    assert of_chains({"x": draws}, QUIET).fine
    draws[2, 7, 1] = value
    found = of_chains({"x": draws, "mu": GOOD}, QUIET)
    assert bad(found) == ["non_finite"]
    assert found.attrs()["non_finite"] == 1
    assert "NaN or infinite (x: 1)" in str(found)


def test_weights_that_are_no_numbers_are_reported_beside_predictions() -> None:
    weights = GOOD.copy()
    weights[0, 0] = np.nan
    found = of_chains({"w": weights}, QUIET, predictions={"y": GOOD}, weights=("w",))
    assert bad(found) == ["non_finite"]


def test_moments_that_are_no_numbers_are_reported() -> None:
    fine = Moment(np.zeros(2), np.ones(2), np.ones(2), np.full(2, 2000.0))
    none = Moment(np.array([0.0, np.nan]), np.ones(2), np.ones(2), np.full(2, 2000.0))
    assert of_moments({"x": fine}, QUIET).fine
    assert bad(of_moments({"x": none}, QUIET)) == ["non_finite"]


def test_energies_that_say_nothing_are_not_fine() -> None:
    """One chain's does not vary, so that its E-BFMI is no number."""
    energy = QUIET["energy"].copy()
    energy[3] = 1.0
    found = of_chains({"mu": GOOD}, {"energy": energy})
    assert bad(found) == ["bfmi_min"]
    assert "not defined (chain 3)" in str(found)


def test_networks_are_judged_by_their_predictions() -> None:
    """Weights may differ between chains."""
    weights = GOOD + np.arange(4)[:, None]
    assert not of_chains({"w": weights}, QUIET).fine
    assert of_chains({"w": weights}, QUIET, predictions={"y": GOOD}, weights=("w",)).fine


def test_layers_have_a_line_each() -> None:
    """Weights and biases of a layer together; ranges of R-hat and ESS; the same as data."""
    weights = np.stack([GOOD, GOOD + np.arange(4)[:, None]], axis=-1)
    values = {"net.0.weight": 0.1 * weights, "net.0.bias": GOOD, "net.1.weight": 3.0 * GOOD}
    found = of_chains(values, QUIET, predictions={"y": GOOD}, weights=tuple(values))
    first, second = found.layers
    assert (first.name, first.count) == ("net.0", 3)
    assert first.rhat_low < 1.01 < 1.2 < first.rhat_high
    assert first.ess_low < 20 < 1000 < first.ess_high
    assert second.size == pytest.approx(3.0 * np.abs(GOOD).mean())
    assert second.sd == pytest.approx(3.0 * GOOD.std())
    assert "    net.1: 1 weights, mean |w| 2." in str(found)
    assert list(found.attrs()["layers"]) == ["net.0", "net.1"]
    assert found.attrs()["layers"]["net.0"]["count"] == 3
    assert found.fine


def test_a_layer_that_does_not_vary_has_no_ranges() -> None:
    found = of_chains({"w": np.zeros((2, 50, 3))}, {}, predictions={"y": GOOD}, weights=("w",))
    assert np.isnan(found.layers[0].rhat_high)


def test_each_advice_leads_to_a_heading() -> None:
    """Every finding that can need attention names a section that `bayesdl explain` prints."""
    page = Path(__file__).resolve().parents[2] / "docs" / "guide" / "verdict.md"
    headings = {
        line[3:].lower().replace(" ", "-")
        for line in page.read_text(encoding="utf-8").splitlines()
        if line.startswith("## ")
    }
    reached = dict.fromkeys(("reached_max_treedepth", "reached_max_steps"), np.ones((4, 500)))
    draws = np.where(GOOD > 3.0, np.nan, GOOD)
    chains = of_chains({"mu": draws}, {**QUIET, **reached})
    climb = {"gradient_max": 2.0, "gradient_limit": 1.0, "optimisation_steps": 3}
    lost = of_approximation(0.9, {"lp": np.array([[0.0, np.nan]])}, climb)
    found = [*chains.findings, *lost.findings]
    assert len({f.heading for f in found}) == len(found) == 10
    assert {f.heading for f in found} <= headings
    assert "\n      more: bayesdl explain tree-depth" in str(chains)


def test_fine_runs_take_a_line() -> None:
    assert of_chains({"mu": GOOD}, QUIET).line().count("\n") == 0
    assert "no divergences; E-BFMI" in of_chains({"mu": GOOD}, QUIET).line()
    assert of_chains({"mu": GOOD}, QUIET).line().startswith("ok  R-hat at most 1.0")


def test_approximations_are_judged_by_khat() -> None:
    """Above 0.7 the tails are missed; methods without a density are not judged."""
    assert not of_approximation(0.9).fine
    assert of_approximation(0.3).fine
    assert of_approximation(None).findings == ()
    assert "not judged" in str(of_approximation(None)) == of_approximation(None).line()


@pytest.mark.parametrize("name", ["lp", "lp_estimate"])
def test_approximations_without_a_density_need_attention(name: str) -> None:
    """They have no k-hat, which alone would say that all is well."""
    found = of_approximation(None, {name: np.array([[0.0, -np.inf, np.nan, 1.0]])})
    assert bad(found) == ["not_finite"]
    assert found.attrs()["not_finite"] == 0.5
    assert of_approximation(None, {name: np.zeros((1, 4))}).findings == ()


def test_climbs_are_judged_by_their_gradient() -> None:
    climb = {"gradient_max": 0.5, "gradient_limit": 1.0, "optimisation_steps": 3}
    assert of_approximation(None, {}, climb).fine
    assert "after 3 steps" in of_approximation(None, {}, climb).line()
    found = of_approximation(None, {}, {**climb, "gradient_max": 2.0})
    assert bad(found) == ["gradient_max"]


def test_one_chain_cannot_be_judged() -> None:
    """And the verdict says what to do."""
    found = of_chains({"mu": GOOD[:1]}, {})
    assert bad(found)[0] == "rhat_max"
    assert "chains=4" in str(found)


@pytest.mark.parametrize("draws", [np.ones((4, 500)), np.full((4, 500), np.nan)])
def test_draws_that_do_not_vary_are_not_fine(draws: Any) -> None:
    """A stuck sampler must not pass."""
    assert {"rhat_max", "ess_min"} <= set(bad(of_chains({"mu": draws}, {})))
