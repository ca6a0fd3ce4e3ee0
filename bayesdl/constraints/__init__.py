"""Constraints: the sets that values live in, how each prints, and the bijector that leads there.

Constants: `real`, `positive`, `nonnegative`, `unit_interval`, `real_vector`, `simplex`, `ordered`,
`positive_ordered`, `corr_cholesky`, `covariance_cholesky`, `positive_definite`, `boolean`,
`nonnegative_integer`. Of parameters: `interval`, `greater_than`, `less_than`, `integer_interval`,
`counts`, `image`, `independent`.
"""

from __future__ import annotations

import math
from typing import Any

from bayesdl import bijectors
from bayesdl.bijectors import Bijector

from ._base import Constraint
from .array import (
    Arrays,
    correlation_factor,
    definite,
    finite,
    increasing,
    increasing_positive,
    on_simplex,
    triangular,
)
from .composed import Image, Independent
from .number import Counts, Integers, Line

__all__ = [
    "Constraint",
    "boolean",
    "corr_cholesky",
    "counts",
    "covariance_cholesky",
    "greater_than",
    "image",
    "independent",
    "integer_interval",
    "interval",
    "less_than",
    "nonnegative",
    "nonnegative_integer",
    "ordered",
    "positive",
    "positive_definite",
    "positive_ordered",
    "real",
    "real_vector",
    "simplex",
    "unit_interval",
]

real = Line(-math.inf, math.inf, True, True)
positive = Line(0.0, math.inf, True, True)
nonnegative = Line(0.0, math.inf, False, True)
unit_interval = Line(0.0, 1.0)
boolean = Integers(0, 1)
nonnegative_integer = Integers(0, math.inf)
real_vector = Arrays("real vectors", 1, finite, bijectors.Identity())
simplex = Arrays("the simplex", 1, on_simplex, bijectors.StickBreaking())
ordered = Arrays("increasing vectors", 1, increasing, bijectors.Ordered())
positive_ordered = Arrays(
    "increasing positive vectors", 1, increasing_positive, bijectors.PositiveOrdered()
)
corr_cholesky = Arrays(
    "Cholesky factors of correlations", 2, correlation_factor, bijectors.CorrCholesky()
)
covariance_cholesky = Arrays("Cholesky factors", 2, triangular, bijectors.CovarianceCholesky())
positive_definite = Arrays("symmetric positive definite matrices", 2, definite, None)


def interval(low: Any, high: Any) -> Constraint:
    """Numbers from low to high, both included; bounds may depend on other sites.

    Parameters
    ----------
    low, high : float or Array

    Examples
    --------
    >>> interval(0.0, 2.0)
    [0, 2]
    >>> interval(0.0, 2.0).contains([1.0, 3.0]).tolist()
    [True, False]
    """
    return Line(low, high)


def greater_than(low: Any) -> Constraint:
    """Numbers above a bound.

    Parameters
    ----------
    low : float or Array
    """
    return Line(low, math.inf, True, True)


def less_than(high: Any) -> Constraint:
    """Numbers below a bound.

    Parameters
    ----------
    high : float or Array
    """
    return Line(-math.inf, high, True, True)


def integer_interval(low: Any, high: Any) -> Constraint:
    """Integers from low to high, both included.

    Parameters
    ----------
    low, high : int or Array
    """
    return Integers(low, high)


def counts(total: Any) -> Constraint:
    """Vectors of counts with a given sum.

    Parameters
    ----------
    total : int or Array
    """
    return Counts(total)


def image(of: Constraint, by: Bijector) -> Constraint:
    """What a bijector makes of a set.

    Parameters
    ----------
    of : Constraint
    by : Bijector
    """
    return Image(of, by)


def independent(of: Constraint, ndim: int) -> Constraint:
    """Arrays of values that each lie in a set.

    Parameters
    ----------
    of : Constraint
    ndim : int
        Number of further axes.
    """
    return Independent(of, ndim) if ndim else of
