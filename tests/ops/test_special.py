"""Special functions against SciPy and mpmath, at their edges and in their tails."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import scipy.special
import scipy.stats

from bayesdl.ir.types import ArrayType
from bayesdl.ops import special
from bayesdl.ops._bind import evaluate
from bayesdl.ops._trace import trace_flat
from bayesdl.ops.special.incomplete import stirling_correction
from bayesdl.ops.special.primitive import tetragamma
from bayesdl.transform.vjp import vjp_program


def relative(found, wanted):
    found, wanted = np.asarray(found), np.asarray(wanted)
    same = found == wanted
    return float(
        np.max(np.where(same, 0.0, np.abs(found - wanted) / np.where(same, 1.0, np.abs(wanted))))
    )


def derivatives(function, *args):
    """Gradient of the sum over elements: the elementwise partials."""
    args = [np.asarray(a, float) for a in args]
    program = trace_flat(
        lambda *v: [function(*v)], [ArrayType(a.shape, a.dtype) for a in args], "f"
    )
    ones = np.ones(program.output_types[0].shape)
    return evaluate(vjp_program(program, (True,) * len(args)), *args, ones)[1:]


def gamma_points(n=400, seed=0):
    rng = np.random.default_rng(seed)
    a = 10.0 ** rng.uniform(-2, 5, n)
    return a, a * np.exp(rng.normal(size=n) * np.minimum(3.0 / np.sqrt(a), 2.0))


def beta_points(n=400, seed=0):
    rng = np.random.default_rng(seed)
    a, b = 10.0 ** rng.uniform(-2, 4, (2, n))
    logit = np.log(a / b) + 3.0 * rng.normal(size=n) * np.minimum(np.sqrt(1 / a + 1 / b), 3.0)
    return a, b, scipy.special.expit(logit)


def test_incomplete_gamma():
    a, x = gamma_points()
    assert relative(special.gammainc(a, x), scipy.special.gammainc(a, x)) < 1e-10
    assert relative(special.gammaincc(a, x), scipy.special.gammaincc(a, x)) < 1e-10


@pytest.mark.parametrize(
    ("a", "x"), [(8.2e5, 8.15e5), (0.01, 1e-8), (1e-3, 5.0), (5.0, 60.0), (40.0, 2.0)]
)
def test_incomplete_gamma_in_the_tails(a, x):
    with mpmath.workdps(40):
        lower = float(mpmath.gammainc(a, 0, x, regularized=True))
        upper = float(mpmath.gammainc(a, x, mpmath.inf, regularized=True))
    assert relative(special.gammainc(np.array(a), np.array(x)), lower) < 1e-11
    assert relative(special.gammaincc(np.array(a), np.array(x)), upper) < 1e-11


def test_incomplete_gamma_at_the_ends():
    a, x = np.array([2.0, 2.0, 2.0]), np.array([0.0, np.inf, -1.0])
    np.testing.assert_array_equal(special.gammainc(a, x), [0.0, 1.0, 0.0])
    np.testing.assert_array_equal(special.gammaincc(a, x), [1.0, 0.0, 1.0])
    assert all(np.all(np.isfinite(d)) for d in derivatives(special.gammainc, a, x))


def test_derivative_of_incomplete_gamma_is_the_density():
    a, x = gamma_points()
    by_a, by_x = derivatives(special.gammainc, a, x)
    assert relative(by_x, scipy.stats.gamma(a).pdf(x)) < 1e-9
    a, x = a[:20], x[:20]
    with mpmath.workdps(40):
        wanted = [
            float(mpmath.diff(lambda s, v=v: mpmath.gammainc(s, 0, v, regularized=True), u))
            for u, v in zip(a, x, strict=True)
        ]
    np.testing.assert_allclose(by_a[:20], wanted, rtol=1e-8, atol=1e-14)


def test_incomplete_beta():
    a, b, x = beta_points()
    assert relative(special.betainc(a, b, x), scipy.special.betainc(a, b, x)) < 1e-10
    assert relative(special.betainc(a, a, np.full_like(a, 0.5)), 0.5) < 1e-12


def test_incomplete_beta_at_the_ends():
    a, b, x = np.full(4, 2.0), np.full(4, 0.5), np.array([0.0, 1.0, -0.1, 1.1])
    np.testing.assert_array_equal(special.betainc(a, b, x), [0.0, 1.0, 0.0, 1.0])
    assert all(np.all(np.isfinite(d)) for d in derivatives(special.betainc, a, b, x))


def test_derivative_of_incomplete_beta_is_the_density():
    a, b, x = beta_points()
    by_x = derivatives(special.betainc, a, b, x)[2]
    density = scipy.stats.beta(a, b).pdf(x)
    # Measured against the value: where the tail probability is tiny, so is what can be known of its
    # slope.
    assert relative(by_x, density) < 1e-7


def test_derivative_of_incomplete_beta_by_its_shapes():
    a, b, x = (v[:15] for v in beta_points(seed=3))
    found = derivatives(special.betainc, a, b, x)
    with mpmath.workdps(30):
        wanted = [
            [
                float(
                    mpmath.diff(lambda s, w=w, v=v: mpmath.betainc(s, w, 0, v, regularized=True), u)
                )
                for u, w, v in zip(a, b, x, strict=True)
            ],
            [
                float(
                    mpmath.diff(lambda s, u=u, v=v: mpmath.betainc(u, s, 0, v, regularized=True), w)
                )
                for u, w, v in zip(a, b, x, strict=True)
            ],
        ]
    for f, w in zip(found[:2], wanted, strict=True):
        np.testing.assert_allclose(f, w, rtol=1e-7, atol=1e-12)


def test_betaln_keeps_its_digits():
    a, b = np.array([0.5, 3.0, 1e-3, 0.165]), np.array([1e8, 3.0, 1e-3, 3.5e4])
    with mpmath.workdps(40):
        wanted = [float(mpmath.log(mpmath.beta(u, v))) for u, v in zip(a, b, strict=True)]
    assert relative(special.betaln(a, b), wanted) < 1e-12
    np.testing.assert_array_equal(special.betaln(a, b), special.betaln(b, a))


def test_betaln_has_the_right_curvature_where_both_are_equal():
    (by_a, by_b) = derivatives(lambda a, b: special.betaln(a, b), 2.0, 2.0)
    wanted = scipy.special.digamma(2.0) - scipy.special.digamma(4.0)
    np.testing.assert_allclose([by_a, by_b], wanted, rtol=1e-12)

    def slope(a, b):
        program = trace_flat(
            lambda *v: [special.betaln(*v)], [ArrayType((), np.dtype(float))] * 2, "f"
        )
        return evaluate(vjp_program(program, (True, True)), a, b, np.float64(1.0))[1]

    step = 1e-6
    curvature = (
        slope(np.float64(2 + step), np.float64(2)) - slope(np.float64(2 - step), np.float64(2))
    ) / (2 * step)
    np.testing.assert_allclose(
        curvature, scipy.special.polygamma(1, 2) - scipy.special.polygamma(1, 4), rtol=1e-7
    )


def test_stirling_correction():
    x = np.array([1e-3, 0.5, 9.99, 10.0, 1e3, 1e8])
    with mpmath.workdps(40):
        wanted = [
            float(
                mpmath.loggamma(v) - (v - 0.5) * mpmath.log(v) + v - mpmath.log(2 * mpmath.pi) / 2
            )
            for v in map(mpmath.mpf, x)
        ]
    assert relative(stirling_correction(x), wanted) < 1e-12


def test_tetragamma_on_both_sides_of_zero():
    x = np.array([0.01, 0.5, 3.0, 20.0, -0.3, -1.5, -7.25])
    wanted = [float(mpmath.polygamma(2, v)) for v in x]
    assert relative(tetragamma(x), wanted) < 1e-12


@pytest.mark.parametrize("x", [-1e8, -1e3, -25.0, -20.0001, -19.9999, -5.0, 0.0, 3.0, 40.0])
def test_derivative_of_log_ndtr_in_the_far_tail(x):
    with mpmath.workdps(60):
        v = mpmath.mpf(x)
        tail = mpmath.erfc(-v / mpmath.sqrt(2)) / 2
        wanted = float(mpmath.npdf(v) / tail) if x > -1e5 else -x
    (found,) = derivatives(special.log_ndtr, x)
    assert relative(found, wanted) < 1e-12


@pytest.mark.parametrize(
    "name", ["erf", "erfc", "erfinv", "ndtri", "ndtr", "log_ndtr", "digamma", "logit"]
)
def test_scipy_is_the_meaning(name):
    x = np.linspace(0.02, 0.98, 7)
    np.testing.assert_allclose(
        getattr(special, name)(x), getattr(scipy.special, name)(x), rtol=1e-14, atol=1e-16
    )


def test_ndtr_keeps_relative_accuracy_in_the_left_tail():
    assert relative(special.ndtr(np.array([-30.0])), scipy.special.ndtr(-30.0)) < 1e-13


@pytest.mark.parametrize(
    ("function", "x", "y"),
    [(special.xlogy, 0.0, 0.0), (special.xlog1py, 0.0, -1.0), (special.xlogy, 0.0, np.inf)],
)
def test_nothing_times_infinity_is_nothing_and_so_is_its_gradient(function, x, y):
    assert function(np.array(x), np.array(y)) == 0.0
    assert all(np.isfinite(d) for d in derivatives(function, x, y))


def test_derivative_of_xlogy_at_zero_successes():
    by_x, by_y = derivatives(special.xlogy, 0.0, 0.3)
    np.testing.assert_allclose([by_x, by_y], [np.log(0.3), 0.0])


def test_log_sigmoid_on_both_sides():
    x = np.array([-800.0, -1.0, 0.0, 1.0, 40.0])
    np.testing.assert_allclose(special.log_sigmoid(x), scipy.special.log_expit(x), rtol=1e-14)


def test_infinite_partials_meet_zero_cotangents():
    # erfinv and ndtri have infinite slope at their ends; a value that is not used there must not
    # spoil the rest.
    x = np.array([1.0, 0.5])
    program = trace_flat(lambda v: [special.erfinv(v)], [ArrayType((2,), np.dtype(float))], "f")
    found = evaluate(vjp_program(program, (True,)), x, np.array([0.0, 1.0]))[1]
    assert found[0] == 0.0
    assert np.isfinite(found[1])
