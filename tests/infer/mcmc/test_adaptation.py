"""The warm-up as a whole."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from bayesdl._base.errors import ArgumentError
from bayesdl.infer.kernel import Phase
from bayesdl.infer.mcmc.adaptation import learner, temperature
from bayesdl.infer.mcmc.hmc import HMC
from bayesdl.infer.mcmc.metric import Stretched
from bayesdl.infer.mcmc.nuts import NUTS
from bayesdl.infer.schedule import schedule
from bayesdl.testing.kernels import Gaussian, compiled, walk


@pytest.mark.parametrize("kernel", [NUTS(), HMC()], ids=["nuts", "hmc"])
def test_scales_of_eight_orders_are_learnt(kernel: Any) -> None:
    """With the right mass a trajectory of a normal target needs 3 to 15 steps, not thousands."""
    target = Gaussian(np.linspace(-1.0, 1.0, 12), np.logspace(-4.0, 4.0, 12))
    block, executable = compiled(kernel, target, 500)
    found = walk(block, executable, target, tune=500, draws=500, seed=1)
    steps = found.info["n_steps"][500:]
    assert steps.mean() < 15.0
    # Steps of all draws, those of the warm-up among them: learning begins at once.
    assert found.info["n_steps"].sum() < 60_000


@pytest.mark.parametrize("target_accept", [0.6, 0.8, 0.95])
def test_the_acceptance_rate_meets_its_target(target_accept: float) -> None:
    """The averaged step size is held to the rate that was asked for, within 0.06."""
    target = Gaussian(np.zeros(30), np.logspace(-1.0, 1.0, 30))
    block, executable = compiled(NUTS(target_accept=target_accept), target, 1000)
    found = walk(block, executable, target, tune=1000, draws=1000, seed=2)
    assert abs(found.info["acceptance_rate"][1000:].mean() - target_accept) < 0.06


@pytest.mark.parametrize("kernel", [NUTS(), HMC()], ids=["nuts", "hmc"])
def test_the_warmup_begins_hot(kernel: Any) -> None:
    """Σ z² / 200 is 1 on average at temperature 1, and about 1.9 in the first tenth of the cooling.

    Its mean over 15 draws has a standard deviation below 0.1, so that 1.5 is at least 4 of them
    away: false alarms in less than 10⁻⁴ of seeds; seed 4.
    """
    target = Gaussian(np.zeros(200), np.ones(200))
    block, executable = compiled(kernel, target, 200)
    found = walk(block, executable, target, tune=1000, draws=200, seed=4)
    size = (found.positions**2).mean(1)
    assert size[10:25].mean() > 1.5
    assert size[300:315].mean() < 1.5
    assert abs(size[1000:].mean() - 1.0) < 0.1


def test_temperature_falls_to_one_within_the_warmup() -> None:
    phases = schedule(1000, 2)
    assert [float(temperature(_at(phases, i))) for i in (0, 100, 200, 999, 1000, 1001)] == [
        2.0,
        1.5,
        1.0,
        1.0,
        1.0,
        1.0,
    ]
    begun_late = replace(_at(phases, 0), tuning=np.bool_(False))
    assert float(temperature(begun_late)) == 1.0


def _at(phases: Phase, i: int) -> Phase:
    return Phase(*(getattr(phases, f.name)[i] for f in fields(Phase)))


def test_the_step_size_stands_still_after_the_warmup() -> None:
    target = Gaussian(np.zeros(3), np.ones(3))
    block, executable = compiled(NUTS(), target, 300)
    found = walk(block, executable, target, tune=200, draws=100, seed=3)
    assert np.unique(found.info["step_size"][200:]).size == 1
    assert np.unique(found.info["step_size"][:200]).size > 100


@pytest.mark.parametrize("kind", [NUTS, HMC])
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"metric": "dens"}, "there is no metric 'dens'"),
        ({"metric": "dense", "dense": ((0, 1),)}, "exclude each other"),
        ({"dense": ((0, 1), (1, 2))}, "in two dense blocks"),
    ],
)
def test_settings_that_contradict_one_another(kind: Any, settings: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        kind(**settings)


@pytest.mark.parametrize("metric", ["low_rank", "dense"])
def test_correlated_scales_are_learnt(metric: str) -> None:
    """A rotated target of condition 1e6 takes trajectories as short as a round one does."""
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(10, 10)))[0]

    class Rotated(Gaussian):
        def function(self, position: Any, *rest: Any) -> Any:
            return super().function(turn @ position, *rest)

    target = Rotated(np.zeros(10), np.logspace(-3.0, 3.0, 10))
    block, executable = compiled(NUTS(metric=metric), target, 500)
    found = walk(block, executable, target, tune=500, draws=500, seed=1)
    assert found.info["n_steps"][500:].mean() < 15.0


class Lifted(Gaussian):
    """Of 300 coordinates, scaled by `sd`, with variances of 100 and 0.01 along two directions."""

    directions = np.linalg.qr(np.random.default_rng(0).normal(size=(300, 2)))[0].T
    variances = np.array([100.0, 0.01])

    def function(self, position: Any, *rest: Any) -> Any:
        along = self.directions @ (position / self.sd)
        stretch = 1.0 / self.variances - 1.0
        return super().function(position, *rest) - 0.5 * (stretch * along * along).sum()

    def whitened(self, positions: Any) -> Any:
        """Draws as independent standard normals."""
        scaled = positions / self.sd
        along = scaled @ self.directions.T
        return scaled + (along * (1.0 / np.sqrt(self.variances) - 1.0)) @ self.directions


@pytest.mark.parametrize(
    "kernel", [NUTS(metric="low_rank"), HMC(metric="low_rank")], ids=["nuts", "hmc"]
)
def test_low_rank_of_more_coordinates_than_a_square_is_worth(kernel: Any) -> None:
    """Vectors lifted into directions: moments are right, and trajectories short.

    Means and squares along the two directions and four others, and of all coordinates together,
    by 50 batch means: |t| < 7 in 14 of them is missed once in 1e7 tries. A diagonal metric would
    take 100 steps of the shortest scale for one of the longest.
    """
    target = Lifted(np.zeros(300), np.exp(np.random.default_rng(1).normal(size=300)))
    first = learner("low_rank", (), 300).start(np.ones(300))[1]
    assert isinstance(first, Stretched)
    block, executable = compiled(kernel, target, 500)
    found = walk(block, executable, target, tune=1000, draws=3000, seed=1)
    white = target.whitened(found.positions[1000:])
    others = np.linalg.qr(np.random.default_rng(2).normal(size=(300, 4)))[0]
    seen = white @ np.concatenate([target.directions.T, others], axis=1)
    moments = [seen, seen**2 - 1.0, white.mean(axis=1, keepdims=True)]
    moments.append((white**2).mean(axis=1, keepdims=True) - 1.0)
    batches = np.concatenate(moments, axis=1).reshape(50, 60, -1).mean(axis=1)
    t = batches.mean(axis=0) / (batches.std(axis=0, ddof=1) / np.sqrt(50))
    assert np.abs(t).max() < 7.0, t
    assert found.info["n_steps"][1000:].mean() < 20.0
