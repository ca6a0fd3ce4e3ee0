"""Rational-quadratic splines."""

from __future__ import annotations

import numpy as np

from bayesdl.infer.vi.guides.splines import spline, spline_inverse, spline_knots
from bayesdl.transform.derived import grad

RNG = np.random.default_rng(4)


def test_zeros_are_the_identity() -> None:
    x = np.linspace(-4.0, 4.0, 9)
    y, log_slope = spline(x, spline_knots(np.zeros((9, 14)), 5, 3.0), 3.0)
    np.testing.assert_allclose(y, x, atol=1e-12)
    np.testing.assert_allclose(log_slope, 0.0, atol=1e-12)


def test_it_climbs_without_jumps_from_edge_to_edge() -> None:
    raw = np.tile(0.5 * RNG.normal(size=14), (2001, 1))
    x = np.linspace(-3.5, 3.5, 2001)
    y, log_slope = spline(x, spline_knots(raw, 5, 3.0), 3.0)
    steps = np.diff(y)
    assert (steps > 0.0).all()
    # The mean slope of a step lies between the slopes at its ends, up to their change within it.
    np.testing.assert_allclose(steps / np.diff(x), np.exp(log_slope[:-1]), rtol=0.05)
    back, same = spline_inverse(np.asarray(y), spline_knots(raw, 5, 3.0), 3.0)
    np.testing.assert_allclose(back, x, atol=1e-9)
    np.testing.assert_allclose(same, log_slope, atol=1e-6)


def test_the_slope_is_the_derivative() -> None:
    raw = 2.0 * RNG.normal(size=(7, 14))
    x = RNG.uniform(-2.9, 2.9, 7)
    slope = grad(lambda v: spline(v, spline_knots(raw, 5, 3.0), 3.0)[0].sum())(x)
    log_slope = spline(x, spline_knots(raw, 5, 3.0), 3.0)[1]
    np.testing.assert_allclose(np.log(slope), log_slope, atol=1e-9)
