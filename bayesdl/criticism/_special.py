"""What the summary of a run needs of SciPy, without SciPy: importing that takes as long."""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist

import numpy as np

from ._checks import Floats


@lru_cache(maxsize=8)
def blom_scores(size: int) -> Floats:
    """Normal scores of the ranks 0, 1/2, 1, …, size among so many values, with Blom's offset.

    Returns
    -------
    array, shape (2 · size + 1,)
        The first one, of no value's rank, is NaN.
    """
    levels = (np.arange(2 * size + 1) / 2.0 - 0.375) / (size + 0.25)
    quantile = NormalDist().inv_cdf
    scores = np.array([np.nan, *(quantile(p) for p in levels[1:].tolist())])
    scores.flags.writeable = False
    return scores


def fast_length(least: int) -> int:
    """The smallest product of powers of 2, 3 and 5 that is at least so large."""
    best = 1 << (least - 1).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            two = -(-least // three)
            best = min(best, three << (two - 1).bit_length())
            three *= 3
        five *= 5
    return best


def log_sum_exp(values: Floats, axis: int | tuple[int, ...]) -> Floats:
    """log Σ exp along axes, without overflow; −∞ where all terms are."""
    top = values.max(axis=axis, keepdims=True)
    finite = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        total = np.log(np.exp(values - finite).sum(axis=axis, keepdims=True)) + finite
    result: Floats = np.squeeze(total, axis=axis)
    return result
