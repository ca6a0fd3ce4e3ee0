"""Distances from references are standard normal where nothing is wrong, and large where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bayesdl._base.errors import ArgumentError
from bayesdl.bench.reference import Reference, read, z_scores
from bayesdl.criticism import convergence


def walk(generator: np.random.Generator, chains: int, draws: int, memory: float) -> Any:
    """Stationary autoregression with variance 1."""
    noise = generator.standard_normal((chains, draws))
    found = np.empty_like(noise)
    found[:, 0] = noise[:, 0]
    for t in range(1, draws):
        found[:, t] = memory * found[:, t - 1] + np.sqrt(1.0 - memory**2) * noise[:, t]
    return found


def published(draws: Any) -> dict[str, float]:
    """What a reference file says of draws."""
    quantiles = np.quantile(draws, [0.05, 0.5, 0.95])
    return {
        "mean": draws.mean(),
        "sd": draws.std(ddof=1),
        **dict(zip(("q5", "q50", "q95"), map(float, quantiles), strict=True)),
        "mcse_mean": float(convergence.mcse_mean(draws)),
        "mcse_sd": float(convergence.mcse_sd(draws)),
        "ess_bulk": float(convergence.ess_bulk(draws)),
        "ess_tail": float(convergence.ess_tail(draws)),
    }


def test_distances_of_right_draws_are_standard_normal() -> None:
    """Mean square of 400 z of each statistic within 1 ± 0.36: 5 sd of χ²; rate below 1e-5; seed 3.

    Estimated effective sample sizes add to the noise, hence the margin on the false-alarm rate.
    """
    generator = np.random.default_rng(3)
    found = [
        z_scores(walk(generator, 4, 500, 0.5), published(walk(generator, 4, 1000, 0.1)))
        for _ in range(400)
    ]
    for statistic in found[0]:
        square = np.mean([z[statistic] ** 2 for z in found])
        assert 0.64 < square < 1.36, (statistic, square)


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (lambda x: x + 0.3, {"mean", "q5", "q50", "q95"}),
        (lambda x: 1.15 * x, {"sd", "q5", "q95"}),
        (lambda x: np.abs(x), {"mean", "sd", "q5", "q50"}),
    ],
    ids=["shifted", "stretched", "folded"],
)
def test_wrong_draws_are_far(change: Any, seen: set[str]) -> None:
    """Each error shows where it should; |z| > 4."""
    generator = np.random.default_rng(4)
    expected = published(generator.standard_normal((10, 1000)))
    z = z_scores(change(generator.standard_normal((4, 1000))), expected)
    assert seen <= {name for name, value in z.items() if abs(value) > 4.0}


def test_published_names_count_from_one() -> None:
    draws = np.arange(24.0).reshape(2, 4, 3)
    reference = Reference("x", None, (), {"theta[3]": {}, "mu": {}})
    found = reference.draws({"theta": draws, "mu": draws[..., 0]})
    np.testing.assert_array_equal(found["theta[3]"], draws[..., 2])
    np.testing.assert_array_equal(found["mu"], draws[..., 0])


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="no reference draws of 'arK-arK'"):
        read(tmp_path, "arK-arK")
