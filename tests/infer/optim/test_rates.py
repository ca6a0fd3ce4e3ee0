"""Rates over an optimisation."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl.infer.optim.rates import RATES


@pytest.mark.parametrize("name", list(RATES))
def test_factors_lie_between_0_and_1(name: str) -> None:
    rate = RATES[name]()
    found = np.array([float(rate(np.int64(20 * f), f)) for f in np.linspace(0.0, 1.0, 101)])
    assert (found >= 0.0).all()
    assert (found <= 1.0).all()
    assert found.max() > 0.99
