"""The bench models compute what their twins for other libraries compute, and what SciPy does."""

from __future__ import annotations

from types import SimpleNamespace

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from scipy import stats

from bayesdl.bench.loop import gradient_loop, gradient_time
from bayesdl.bench.models import CASES, EFFECT, ERROR
from bayesdl.bench.peers.densities import DENSITIES
from bayesdl.infer.log_density import log_density
from bayesdl.model.density import build_density

DIMS = {
    "eight_schools": 10,
    "hierarchical": 25,
    "logistic": 25,
    "gaussian": 100,
    "poisson_glmm": 45,
    "volatility": 503,
    "volatility_recursive": 503,
    "network_one": 402,
    "network_two": 1382,
}


def scan(step, first, xs):
    found = [first]
    for i in range(xs.shape[0]):
        found.append(step(found[-1], xs[i]))
    return anp.stack(found)


SPACE = SimpleNamespace(
    exp=anp.exp,
    log=anp.log,
    log1p=anp.log1p,
    sum=anp.sum,
    tanh=anp.tanh,
    softplus=lambda x: anp.logaddexp(x, 0.0),
    scan=scan,
)


@pytest.mark.parametrize("name", CASES)
def test_agrees_with_its_twin(name: str) -> None:
    """Gradients, and differences of log densities between two positions; seed 4."""
    case = CASES[name]
    ours = log_density(case.model, *case.arguments())
    twin = autograd.value_and_grad(lambda q: DENSITIES[name](SPACE, q, *case.data()))
    one, two = 0.5 * np.random.default_rng(4).standard_normal((2, case.dim))
    (value, gradient), (other, _) = ours.value_and_grad(one), ours.value_and_grad(two)
    twin_value, twin_gradient = twin(one)
    np.testing.assert_allclose(gradient, twin_gradient, rtol=1e-8, atol=1e-10 * abs(gradient).max())
    np.testing.assert_allclose(value - other, twin_value - twin(two)[0], rtol=1e-9)


def test_eight_schools_agrees_with_scipy() -> None:
    """The normalised joint density, change of variables included."""
    case = CASES["eight_schools"]
    q = case.position()
    mu, tau, offset = q[0], np.exp(q[1]), q[2:]
    expected = stats.norm.logpdf(mu, 0, 5) + stats.halfcauchy.logpdf(tau, 0, 5) + q[1]
    expected += stats.norm.logpdf(offset).sum()
    expected += stats.norm.logpdf(EFFECT, mu + tau * offset, ERROR).sum()
    assert log_density(case.model, *case.arguments())(q) == pytest.approx(expected, rel=1e-12)


def test_dimensions_are_those_that_were_published() -> None:
    """The recorded length of a position is the model's own."""
    for name, dim in DIMS.items():
        case = CASES[name]
        assert case.dim == dim == build_density(case.model, case.arguments(), {}).dim
    assert set(DIMS) == set(CASES) == set(DENSITIES)


@pytest.mark.parametrize("name", ["logistic", "network_one", "hierarchical"])
def test_rows_are_free(name: str) -> None:
    """More rows are more data and more work; the seed is fixed."""
    case = CASES[name]
    assert all(len(a) == 17 for a in case.data(17))
    assert all(np.array_equal(a, b) for a, b in zip(case.data(), case.data(), strict=True))
    assert case.work(2000).flops > case.work(1000).flops


def test_the_loop_computes_as_many_gradients_as_it_is_asked_for() -> None:
    """Each turn moves by step times the gradient: turns are neither hoisted nor dropped."""
    case = CASES["eight_schools"]
    density = build_density(case.model, case.arguments(), {})
    loop, start, step = gradient_loop(density), case.position(), np.array(0.01)
    ours = log_density(case.model, *case.arguments())
    total, here = 0.0, start
    for _ in range(5):
        value, gradient = ours.value_and_grad(here)
        total, here = total + value, here + 0.01 * gradient
    found = loop(np.array(5), start, step, *density.data)
    np.testing.assert_allclose(found[0], total, rtol=1e-12)
    np.testing.assert_allclose(found[1], here, rtol=1e-12)
    np.testing.assert_allclose(found[2], gradient, rtol=1e-12)


def test_gradient_time_reports_what_it_timed() -> None:
    """Value and gradient at the case's position come with the time."""
    case = CASES["gaussian"]
    found = gradient_time("gaussian", np.float32, repeats=1)
    q = case.position()
    (precision,) = case.data()
    assert found.microseconds > 0
    assert found.value == pytest.approx(-0.5 * q @ precision @ q, rel=1e-4)
    np.testing.assert_allclose(found.gradient, -precision @ q, rtol=1e-3, atol=1e-2)
