"""The diagonal mass: posterior variances by Welford's recursion, regularised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from bayesdl.ops import numpy as bnp


@dataclass(frozen=True)
class Welford:
    """Running mean and sum of squares.

    Parameters
    ----------
    count : Array, shape ()
    mean, squares : Array, shape (dim,)
        Mean, and Σ (x − mean)².
    """

    __tree__: ClassVar[bool] = True

    count: Any
    mean: Any
    squares: Any


def start_counting(like: Any) -> Welford:
    """No position seen yet."""
    zero = bnp.zeros_like(like)
    return Welford(zero.sum(), zero, zero)


def count_in(state: Welford, position: Any) -> Welford:
    """One more position.

    References
    ----------
    Welford (1962), Note on a method for calculating corrected sums of squares and products.
    """
    count = state.count + 1.0
    change = position - state.mean
    mean = state.mean + change / count
    return Welford(count, mean, state.squares + change * (position - mean))


def variance(state: Welford) -> Any:
    """Regularised variances, shape (dim,): shrunk towards 10⁻³ as if by five more positions.

    References
    ----------
    Stan Reference Manual, section "HMC algorithm parameters"; the rule is
    n/(n+5) s² + 10⁻³ · 5/(n+5).
    """
    n = state.count
    plain = state.squares / bnp.maximum(n - 1.0, 1.0)
    return (n * plain + 5e-3) / (n + 5.0)
