"""The log density of a model: change of variables, plates, minibatches, handlers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.stats

import bayesdl as bdl
from bayesdl import constraints, dist
from bayesdl.model.density import build_density


@bdl.model
def normal(y: Any) -> None:
    mu = bdl.sample("mu", dist.Normal(0.0, 2.0))
    sigma = bdl.sample("sigma", dist.HalfNormal(1.5))
    with bdl.plate("rows", y.shape[0]):
        bdl.sample("y", dist.Normal(mu, sigma), obs=y)


def test_density_is_the_formula_with_the_change_of_variables(rng: np.random.Generator) -> None:
    y = rng.normal(size=7)
    mu, log_sigma = 0.3, -0.4
    sigma = np.exp(log_sigma)
    expected = scipy.stats.norm(0, 2).logpdf(mu) + scipy.stats.halfnorm(0, 1.5).logpdf(sigma)
    expected += log_sigma + scipy.stats.norm(mu, sigma).logpdf(y).sum()
    ld = bdl.log_density(normal, y)
    assert ld(np.array([mu, log_sigma])) == pytest.approx(expected, rel=1e-13)


def test_gradient_is_the_difference_quotient(rng: np.random.Generator) -> None:
    ld = bdl.log_density(normal, rng.normal(size=7))
    position = rng.normal(size=2)
    _, gradient = ld.value_and_grad(position)
    for i in range(2):
        step = np.eye(2)[i] * 1e-6
        numeric = (ld(position + step) - ld(position - step)) / 2e-6
        assert gradient[i] == pytest.approx(numeric, rel=1e-6)


@bdl.model
def many_supports() -> None:
    bdl.sample("simplex", dist.Dirichlet(np.ones(4)))
    bdl.sample("unit", dist.Beta(2.0, 3.0))
    low = bdl.sample("low", dist.Uniform(0.0, 1.0))
    bdl.sample("between", dist.ImproperUniform(constraints.interval(low, 2.0 + low)))
    bdl.sample("ordered", dist.ImproperUniform(constraints.ordered, event_shape=(3,)))
    bdl.sample("chol", dist.LKJCholesky(3, 2.0))


def test_unconstrain_inverts_constrain(rng: np.random.Generator) -> None:
    ld = bdl.log_density(many_supports)
    position = rng.normal(size=ld.dim)
    np.testing.assert_allclose(ld.unconstrain(ld.constrain(position)), position, rtol=1e-9, atol=1e-9)


def test_nested_plates_are_axes_from_left_to_right() -> None:
    @bdl.model
    def nested() -> None:
        with bdl.plate("school", 3):
            bdl.sample("a", dist.Normal(0.0, 1.0))
            with bdl.plate("pupil", 5):
                bdl.sample("b", dist.Normal(0.0, 1.0))

    sites = build_density(nested, ()).sites
    assert sites["a"].type.shape == (3,) and sites["a"].dims == ("school",)
    assert sites["b"].type.shape == (3, 5) and sites["b"].dims == ("school", "pupil")


def test_minibatch_gradients_average_to_the_full_one(rng: np.random.Generator) -> None:
    @bdl.model
    def part(y: Any, rows: int) -> None:
        mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
        with bdl.plate("rows", 12, minibatch=rows):
            bdl.sample("y", dist.Normal(mu, 0.7), obs=y)

    y, position = rng.normal(size=12), np.array([0.2])
    full = bdl.log_density(part, y, 12).value_and_grad(position)[1]
    parts = [bdl.log_density(part, y[i : i + 3], 3).value_and_grad(position)[1] for i in (0, 3, 6, 9)]
    np.testing.assert_allclose(np.mean(parts, axis=0), full, rtol=1e-12)


def test_new_data_of_one_shape_compile_nothing(rng: np.random.Generator) -> None:
    ld = bdl.log_density(normal, rng.normal(size=4))
    ld(np.zeros(2))
    executable = ld._compiled["value"][0]
    y = rng.normal(size=4)
    (value,) = executable(np.zeros(2), y)
    assert value == pytest.approx(bdl.log_density(normal, y)(np.zeros(2)), rel=1e-14)


def test_factor_adds_to_the_density() -> None:
    def with_factor(weight: float) -> Any:
        def model() -> None:
            x = bdl.sample("x", dist.Normal(0.0, 1.0))
            bdl.factor("w", weight * x)

        return bdl.log_density(model)(np.array([2.0]))

    assert with_factor(3.0) - with_factor(0.0) == pytest.approx(6.0)
