"""Stand-ins for SciPy's functions give SciPy's numbers."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
import scipy.special

from bayesdl.criticism._special import blom_scores, fast_length, log_sum_exp


@pytest.mark.parametrize("size", [2, 7, 400, 4000])
def test_blom_scores(size: int) -> None:
    levels = (np.arange(1, 2 * size + 1) / 2.0 - 0.375) / (size + 0.25)
    np.testing.assert_allclose(blom_scores(size)[1:], scipy.special.ndtri(levels), rtol=1e-13)


def test_fast_lengths() -> None:
    """The smallest number without other prime factors, as SciPy's for real transforms."""
    wanted = [scipy.fft.next_fast_len(n, real=True) for n in range(1, 5000)]
    assert [fast_length(n) for n in range(1, 5000)] == wanted


@pytest.mark.parametrize("axis", [0, 1, (0, 1)])
def test_log_sum_exp(axis: int | tuple[int, ...]) -> None:
    x = np.array([[1e3, 1e3, -5.0], [-1e4, -2e4, -np.inf], [-np.inf] * 3])
    np.testing.assert_allclose(log_sum_exp(x, axis), scipy.special.logsumexp(x, axis=axis))
    assert log_sum_exp(np.array([[np.inf, 0.0]]), 1) == np.inf
    assert np.isnan(log_sum_exp(np.array([np.nan, 0.0]), 0))
