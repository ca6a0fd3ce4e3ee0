"""Bounds of the evidence."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl.infer.vi.objectives import OBJECTIVES, Renyi
from bayesdl.transform.derived import grad

LOG_WEIGHTS = np.array([-1.0, 0.5, 2.0])


@pytest.mark.parametrize("alpha", [1.0, 0.0, 0.5, -2.0, 3.0])
def test_shares_are_the_derivative_of_the_bound(alpha: float) -> None:
    objective = Renyi(alpha)
    expected = grad(objective.bound)(LOG_WEIGHTS)
    np.testing.assert_allclose(objective.shares(LOG_WEIGHTS), expected, rtol=1e-12)


def test_named_ones() -> None:
    """The mean of log w, and the log of the mean of w."""
    assert np.isclose(Renyi(OBJECTIVES["elbo"]).bound(LOG_WEIGHTS), 0.5)
    expected = np.log(np.exp(LOG_WEIGHTS).mean())
    assert np.isclose(Renyi(OBJECTIVES["iwae"]).bound(LOG_WEIGHTS), expected)
    assert np.isclose(Renyi(1.0 - 1e-7).bound(LOG_WEIGHTS), 0.5, atol=1e-6)
