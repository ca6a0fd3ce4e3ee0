"""Distributions moved by bijectors are the ones that have names."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl import bijectors, dist
from bayesdl._base.errors import ClosedFormError
from bayesdl.ops import random


def test_exp_of_normal_is_log_normal() -> None:
    d = dist.TransformedDistribution(dist.Normal(0.5, 2.0), bijectors.Exp())
    known = dist.LogNormal(0.5, 2.0)
    x = np.array([0.1, 1.0, 7.0])
    np.testing.assert_allclose(d.log_prob(x), known.log_prob(x))
    np.testing.assert_allclose(d.cdf(x), known.cdf(x))
    np.testing.assert_allclose(d.icdf(d.cdf(x)), x)
    np.testing.assert_array_equal(d.sample(random.key(0), (3,)), known.sample(random.key(0), (3,)))
    assert d.log_prob(-1.0) == -np.inf


def test_a_map_that_turns_the_order_round() -> None:
    d = dist.TransformedDistribution(dist.Normal(0.0, 1.0), bijectors.Affine(1.0, -2.0))
    known = dist.Normal(1.0, 2.0)
    x = np.array([-1.0, 1.0, 4.0])
    np.testing.assert_allclose(d.log_prob(x), known.log_prob(x))
    np.testing.assert_allclose(d.cdf(x), known.cdf(x))
    np.testing.assert_allclose(d.icdf(np.array([0.1, 0.6])), known.icdf(np.array([0.1, 0.6])))


def test_logistic_normal_on_the_simplex() -> None:
    base = dist.Normal(np.zeros((5, 2)), 1.0).to_event(1)
    d = dist.TransformedDistribution(base, bijectors.StickBreaking())
    assert (d.batch_shape, d.event_shape) == ((5,), (3,))
    x = d.sample(random.key(0), (4,))
    np.testing.assert_allclose(np.sum(x, -1), 1.0)
    assert np.shape(d.log_prob(x)) == (4, 5)


def test_there_is_no_general_mean() -> None:
    with pytest.raises(ClosedFormError, match="no mean in closed form"):
        _ = dist.TransformedDistribution(dist.Normal(0.0, 1.0), bijectors.Exp()).mean
