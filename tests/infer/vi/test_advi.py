"""Mean-field variational inference."""

from __future__ import annotations

import numpy as np

from bayesdl.infer.kernel import drifts
from bayesdl.infer.vi.advi import ADVI
from bayesdl.testing.kernels import Gaussian, compiled, walk

TARGET = Gaussian(np.array([3.0, -1.0]), np.array([2.0, 0.05]))


def test_recovers_a_gaussian_and_its_normaliser() -> None:
    """The guide's family holds the target: mean and sd are met, and the ELBO is log ∫π without
    noise."""
    kernel = ADVI()
    block, executable = compiled(kernel, TARGET, 500)
    found = walk(block, executable, TARGET, tune=6000, draws=2000, seed=1)
    draws = found.positions[6000:]
    # 2000 draws: 5.5 standard errors are exceeded once in 2.6e7 tries.
    assert (
        np.abs((draws.mean(axis=0) - TARGET.mean) / TARGET.sd) < 0.01 + 5.5 / np.sqrt(2000)
    ).all()
    assert (np.abs(draws.std(axis=0) / TARGET.sd - 1.0) < 0.01 + 5.5 / np.sqrt(4000)).all()
    evidence = np.log(2.0 * np.pi * TARGET.sd.prod())
    assert abs(found.info["elbo"][6000:].mean() - evidence) < 1e-2


def test_it_is_finished_when_the_elbo_no_longer_climbs(rng: np.random.Generator) -> None:
    noise = rng.normal(size=4000)
    assert ADVI().finished({"elbo": noise})
    assert not ADVI().finished({"elbo": noise + 0.01 * np.arange(4000)})
    assert not ADVI().finished({"elbo": noise[:500]})


def test_a_history_that_is_not_finite_drifts() -> None:
    assert drifts(np.array([1.0, np.nan, 1.0, 1.0]))
