"""Priors that keep a layer's output on one scale."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl.nn.priors import fan_in_laplace, fan_in_normal


@pytest.mark.parametrize("fan_in", [1, 4, 100])
def test_scale_falls_with_the_root_of_the_fan_in(fan_in: int) -> None:
    prior = fan_in_normal(2.0)(fan_in)
    np.testing.assert_allclose(prior.scale, 2.0 / np.sqrt(fan_in))
    assert float(np.asarray(prior.loc)) == 0.0


@pytest.mark.parametrize("fan_in", [1, 4, 100])
def test_laplace_weights_have_the_variance_of_normal_ones(fan_in: int) -> None:
    law = fan_in_laplace(2.0)(fan_in)
    np.testing.assert_allclose(law.variance, fan_in_normal(2.0)(fan_in).variance)
