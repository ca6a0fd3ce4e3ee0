"""Calibration of HMC and NUTS on models of different supports; and planted errors, which it finds.

Every test of a right method allows false alarms with probability 1e-6 (Bonferroni over ranks), or
|z| < 5.5 over at most 30 moments (1e-6 as well). Seeds are fixed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist
from bayesdl._base.errors import ArgumentError
from bayesdl.bijectors import Exp
from bayesdl.criticism import calibration
from bayesdl.criticism.calibration import simulation_based_calibration
from bayesdl.criticism.joint import joint_distribution_test
from bayesdl.infer.mcmc.hmc import HMC
from bayesdl.infer.mcmc.nuts import NUTS
from bayesdl.ops import numpy as bnp

FALSE_ALARM = 1e-6
X = np.random.default_rng(3).normal(size=(12, 2))


@bdl.model
def regression(x: Any, y: Any = None) -> None:
    """Real and positive."""
    b = bdl.sample("b", dist.Normal(0.0, 1.0).expand((2,)).to_event(1))
    s = bdl.sample("s", dist.Gamma(3.0, 2.0))
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(x @ b, s), obs=y)


@bdl.model
def proportions(counts: Any = None) -> None:
    """A simplex."""
    p = bdl.sample("p", dist.Dirichlet(np.array([1.0, 2.0, 3.0])))
    bdl.sample("counts", dist.Multinomial(10, p), obs=counts)


@bdl.model
def triangle(y: Any = None) -> None:
    """An interval whose bound is another site."""
    a = bdl.sample("a", dist.Uniform(0.0, 2.0))
    b = bdl.sample("b", dist.Uniform(a, 3.0))
    with bdl.plate("rows", 4):
        bdl.sample("y", dist.Normal(a + b, 1.0), obs=y)


@bdl.model
def correlated(y: Any = None) -> None:
    """A Cholesky factor of a correlation matrix."""
    factor = bdl.sample("factor", dist.LKJCholesky(3, 2.0))
    with bdl.plate("rows", 5):
        bdl.sample("y", dist.MultivariateNormal(np.zeros(3), scale_tril=factor), obs=y)


@bdl.model
def lone_scale(y: Any = None) -> None:
    """So few data that the prior, and so its change of variables, shows."""
    s = bdl.sample("s", dist.Gamma(3.0, 2.0))
    with bdl.plate("rows", 1):
        bdl.sample("y", dist.Normal(0.0, s), obs=y)


MODELS = {
    "regression": (regression, (X, np.zeros(12))),
    "proportions": (proportions, (np.array([2, 3, 5]),)),
    "triangle": (triangle, (np.zeros(4),)),
    "correlated": (correlated, (np.zeros((5, 3)),)),
}


@pytest.mark.slow
@pytest.mark.parametrize("method", ["nuts", "hmc"])
@pytest.mark.parametrize(
    "name", [pytest.param("regression", marks=pytest.mark.ci), *list(MODELS)[1:]]
)
def test_posteriors_are_calibrated(name: str, method: str) -> None:
    """Ranks of truths are uniform."""
    model, data = MODELS[name]
    found = simulation_based_calibration(
        model, *data, method=method, simulations=300, tune=400, thin=6, random_seed=11
    )
    assert found.p_value > FALSE_ALARM, found


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["low_rank", "dense"])
def test_posteriors_are_calibrated_with_other_metrics(metric: str) -> None:
    """Of a model whose two coefficients and scale the metric may turn."""
    model, data = MODELS["regression"]
    asked: dict[str, Any] = {"simulations": 300, "tune": 400, "thin": 6, "random_seed": 11}
    found = simulation_based_calibration(model, *data, method="nuts", metric=metric, **asked)
    assert found.p_value > FALSE_ALARM, found


@pytest.mark.slow
@pytest.mark.ci
def test_wrong_log_determinant_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of variables that forgets its stretch."""
    monkeypatch.setattr(Exp, "forward_and_log_det", lambda self, x: (bnp.exp(x), 0.0 * x))
    found = simulation_based_calibration(lone_scale, np.zeros(1), simulations=300, tune=400)
    assert found.p_value < FALSE_ALARM, found


class Careless(HMC):
    """Accepts by half the log density."""

    def init(self, key: Any, position: Any, density: Any) -> Any:
        return HMC.init(self, key, position, halved(density))

    def step(self, key: Any, state: Any, density: Any, phase: Any) -> Any:
        return HMC.step(self, key, state, halved(density), phase)


class CarelessNUTS(NUTS):
    """Chooses among the points of a trajectory by half the log density."""

    def init(self, key: Any, position: Any, density: Any) -> Any:
        return NUTS.init(self, key, position, halved(density))

    def step(self, key: Any, state: Any, density: Any, phase: Any) -> Any:
        return NUTS.step(self, key, state, halved(density), phase)


CARELESS: dict[str, Any] = {
    "hmc": (Careless, {"max_steps": 30}),
    "nuts": (CarelessNUTS, {"max_treedepth": 5}),
}


def halved(density: Any) -> Any:
    """Half the value beside the whole gradient."""

    def both(position: Any) -> Any:
        value, gradient = density(position)
        return 0.5 * value, gradient

    return both


@pytest.mark.slow
@pytest.mark.parametrize("method", CARELESS)
def test_biased_acceptance_is_found(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trajectories are right, decisions are not."""
    kernel, settings = CARELESS[method]
    monkeypatch.setattr(calibration, "KERNELS", {"careless": kernel})
    model, data = MODELS["regression"]
    found = simulation_based_calibration(
        model, *data, method="careless", simulations=200, tune=200, thin=3, **settings
    )
    assert found.p_value < FALSE_ALARM, found


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.parametrize("kernel", [HMC(), NUTS()], ids=["hmc", "nuts"])
@pytest.mark.parametrize("name", ["regression", "triangle"])
def test_joint_distribution_is_left_alone(name: str, kernel: Any) -> None:
    """Moments of parameters and data agree with independent draws."""
    model, data = MODELS[name]
    table = joint_distribution_test(model, *data, kernel=kernel, random_seed=5)
    assert max(abs(float(row[3])) for row in table.rows) < 5.5, table


@pytest.mark.slow
@pytest.mark.parametrize("method", CARELESS)
def test_joint_distribution_shows_biased_acceptance(method: str) -> None:
    """The same test fails for a kernel with another invariant distribution."""
    model, data = MODELS["regression"]
    table = joint_distribution_test(model, *data, kernel=CARELESS[method][0](), random_seed=5)
    assert max(abs(float(row[3])) for row in table.rows) > 5.5, table


@pytest.mark.slow
def test_joint_distribution_shows_a_wrong_log_determinant(monkeypatch: pytest.MonkeyPatch) -> None:
    """And for a right kernel on a density whose change of variables forgets its stretch."""
    monkeypatch.setattr(Exp, "forward_and_log_det", lambda self, x: (bnp.exp(x), 0.0 * x))
    table = joint_distribution_test(lone_scale, np.zeros(1), kernel=NUTS(), random_seed=5)
    assert max(abs(float(row[3])) for row in table.rows) > 5.5, table


def test_optimisers_cannot_be_calibrated_by_ranks() -> None:
    """Their draws are of an approximation."""
    with pytest.raises(ArgumentError, match="needs a Markov chain"):
        simulation_based_calibration(regression, *MODELS["regression"][1], method="advi")


def test_p_values_of_uniform_and_of_crowded_ranks() -> None:
    """The χ² test itself."""
    generator = np.random.default_rng(0)
    uniform = calibration.Calibration({"x": generator.integers(0, 100, size=2000)}, 99)
    crowded = calibration.Calibration({"x": generator.binomial(99, 0.5, size=2000)}, 99)
    assert uniform.p_value > FALSE_ALARM
    assert crowded.p_value < FALSE_ALARM
