"""Verdicts on draws that are made to have one fault each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bayesdl.criticism.verdict import of_approximation, of_chains

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
    assert found.apart == ("tau",)
    assert "they lie apart in tau" in str(found)


def test_energies_that_mix_slowly() -> None:
    """Steps of the energy far below its spread."""
    energy = np.cumsum(GENERATOR.normal(size=(4, 500)), axis=1)
    assert bad(of_chains({"mu": GOOD}, {"energy": energy})) == ["bfmi_min"]


def test_deep_trees() -> None:
    """More than one in a hundred at the limit."""
    stats = {"reached_max_treedepth": GENERATOR.uniform(size=(4, 500)) < 0.2}
    found = of_chains({"mu": GOOD}, stats, max_treedepth=10)
    assert bad(found) == ["reached_max_treedepth"]
    assert "limit of 10" in str(found)


def test_networks_are_judged_by_their_predictions() -> None:
    """Weights may differ between chains."""
    weights = GOOD + np.arange(4)[:, None]
    assert not of_chains({"w": weights}, QUIET).fine
    assert of_chains({"w": weights}, QUIET, predictions={"y": GOOD}, weights=("w",)).fine


def test_approximations_are_judged_by_khat() -> None:
    """Above 0.7 the tails are missed; methods without a density are not judged."""
    assert not of_approximation(0.9).fine
    assert of_approximation(0.3).fine
    assert of_approximation(None).findings == ()


def test_one_chain_cannot_be_judged() -> None:
    """And the verdict says what to do."""
    found = of_chains({"mu": GOOD[:1]}, {})
    assert bad(found)[0] == "rhat_max"
    assert "chains=4" in str(found)


@pytest.mark.parametrize("draws", [np.ones((4, 500)), np.full((4, 500), np.nan)])
def test_draws_that_do_not_vary_are_not_fine(draws: Any) -> None:
    """A stuck sampler must not pass."""
    assert set(bad(of_chains({"mu": draws}, {}))) == {"rhat_max", "ess_min"}
