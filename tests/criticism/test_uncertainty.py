"""The two parts of predictive uncertainty."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl._base.errors import ShapeError
from bayesdl.criticism.uncertainty import decompose_entropy, decompose_variance


def test_variances_add_up_to_that_of_predictions() -> None:
    """The law of total variance, against 400 000 draws of one row; seed 0, 5 standard errors."""
    rng = np.random.default_rng(0)
    mean, sd = rng.normal(size=(400_000, 1)), rng.uniform(0.5, 2.0, size=(400_000, 1))
    found = decompose_variance(mean, sd**2)
    drawn = mean + sd * rng.normal(size=mean.shape)
    error = 5.0 * np.std((drawn - drawn.mean()) ** 2) / np.sqrt(len(drawn))
    assert abs(found.total[0] - drawn.var()) < error
    np.testing.assert_allclose(found.total, found.aleatoric + found.epistemic)


def test_draws_that_agree_leave_only_noise() -> None:
    probs = np.broadcast_to([0.2, 0.3, 0.5], (10, 4, 3))
    found = decompose_entropy(probs)
    np.testing.assert_allclose(found.epistemic, 0.0, atol=1e-12)
    np.testing.assert_allclose(found.aleatoric, -np.sum(probs[0, 0] * np.log(probs[0, 0])))


def test_mutual_information_is_never_negative() -> None:
    probs = np.random.default_rng(1).dirichlet([0.1, 0.1, 0.1], size=(50, 200))
    found = decompose_entropy(probs)
    assert found.epistemic.min() >= -1e-12
    assert found.total.max() <= np.log(3.0) + 1e-12


def test_chains_must_be_joined() -> None:
    with pytest.raises(ShapeError, match="join"):
        decompose_entropy(np.ones((2, 3, 4, 5)) / 5)
