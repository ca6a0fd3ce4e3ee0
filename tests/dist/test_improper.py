"""Flat priors: a density of 1 on their set, and nothing to draw."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl import constraints, dist
from bayesdl._base.errors import ClosedFormError
from bayesdl.ops import random


def test_flat() -> None:
    d = dist.Flat().expand((2,)).to_event(1)
    assert (d.batch_shape, d.event_shape, d.is_proper) == ((), (2,), False)
    assert d.log_prob(np.ones(2)) == 0.0
    with pytest.raises(ClosedFormError, match="nothing to draw"):
        d.sample(random.key(0))


def test_on_a_half_line() -> None:
    assert dist.ImproperUniform(constraints.positive).log_prob(np.array([1.0, -1.0])).tolist() == [
        0.0,
        -np.inf,
    ]


def test_on_increasing_vectors() -> None:
    d = dist.ImproperUniform(constraints.ordered, event_shape=(3,))
    assert d.log_prob(np.array([[1.0, 2.0, 3.0], [1.0, 3.0, 2.0]])).tolist() == [0.0, -np.inf]


def test_bounds_that_are_arrays_are_a_batch() -> None:
    d = dist.ImproperUniform(constraints.interval(0.0, np.array([1.0, 2.0])))
    assert d.batch_shape == (2,)
    assert d.log_prob(1.5).tolist() == [-np.inf, 0.0]
