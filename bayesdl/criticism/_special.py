"""What the summary of a run needs of SciPy, without SciPy: importing that takes as long."""

from __future__ import annotations

from functools import lru_cache

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
    scores = np.full(len(levels), np.nan)
    scores[1:] = _normal_quantile(levels[1:])
    scores.flags.writeable = False
    return scores


def _normal_quantile(level: Floats) -> Floats:
    """Wichura (1988), algorithm AS 241, PPND16: 16 digits for levels from 10⁻¹¹ to 1 − 10⁻¹¹."""
    offset = level - 0.5
    central = np.abs(offset) <= 0.425
    square = 0.180625 - offset * offset
    inner = offset * _horner(CENTRE_TOP, square) / _horner(CENTRE_BOTTOM, square)
    tail = np.sqrt(-np.log(np.minimum(level, 1.0 - level))) - 1.6
    outer = np.copysign(_horner(TAIL_TOP, tail) / _horner(TAIL_BOTTOM, tail), offset)
    return np.where(central, inner, outer)


def _horner(coefficients: tuple[float, ...], x: Floats) -> Floats:
    total = np.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        total = total * x + c
    return total


# Coefficients of the four polynomials, the constant term first.
CENTRE_TOP = (
    3.3871328727963666080,
    1.3314166789178437745e2,
    1.9715909503065514427e3,
    1.3731693765509461125e4,
    4.5921953931549871457e4,
    6.7265770927008700853e4,
    3.3430575583588128105e4,
    2.5090809287301226727e3,
)
CENTRE_BOTTOM = (
    1.0,
    4.2313330701600911252e1,
    6.8718700749205790830e2,
    5.3941960214247511077e3,
    2.1213794301586595867e4,
    3.9307895800092710610e4,
    2.8729085735721942674e4,
    5.2264952788528545610e3,
)
TAIL_TOP = (
    1.42343711074968357734,
    4.63033784615654529590,
    5.76949722146069140550,
    3.64784832476320460504,
    1.27045825245236838258,
    2.41780725177450611770e-1,
    2.27238449892691845833e-2,
    7.74545014278341407640e-4,
)
TAIL_BOTTOM = (
    1.0,
    2.05319162663775882187,
    1.67638483018380384940,
    6.89767334985100004550e-1,
    1.48103976427480074590e-1,
    1.51986665636164571966e-2,
    5.47593808499534494600e-4,
    1.05075007164441684324e-9,
)


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
