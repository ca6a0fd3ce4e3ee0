"""Variances by Welford's recursion."""

from __future__ import annotations

import numpy as np

from bayesdl.infer.mcmc.mass import count_in, start_counting, variance


def test_equals_the_two_pass_variance(rng: np.random.Generator) -> None:
    x = 1e6 + rng.normal(size=(40, 3)) * [1.0, 0.1, 10.0]
    state = start_counting(x[0])
    for row in x:
        state = count_in(state, row)
    n = len(x)
    expected = n / (n + 5) * x.var(axis=0, ddof=1) + 1e-3 * 5 / (n + 5)
    np.testing.assert_allclose(variance(state), expected, rtol=1e-9)


def test_nothing_counted_is_finite() -> None:
    np.testing.assert_allclose(variance(start_counting(np.ones(2))), 1e-3)
