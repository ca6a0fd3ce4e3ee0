"""Constraints: the sets that values live in, how each prints, and the bijector that leads there.

Constants: `real`, `positive`, `nonnegative`, `unit_interval`, `real_vector`, `simplex`, `ordered`,
`positive_ordered`, `corr_cholesky`, `covariance_cholesky`, `positive_definite`, `boolean`,
`nonnegative_integer`. Of parameters: `interval`, `greater_than`, `less_than`, `integer_interval`,
`counts`, `image`, `independent`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesdl import bijectors
from bayesdl._base.errors import ModelError
from bayesdl._base.source import user_source
from bayesdl.bijectors import Bijector
from bayesdl.ir.builder import Handle
from bayesdl.ops import numpy as bnp
from bayesdl.ops.linalg import cholesky

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

# How far sums and lengths that must be 1 may be off: float32 data beside float64 parameters pass.
_SLACK = {np.dtype(np.float64): 1e-6, np.dtype(np.float32): 1e-3}


class Constraint(ABC):
    """A set of values.

    Attributes
    ----------
    name : str
        How the set prints, for example ``(0, ∞)``.
    event_ndim : int
        Number of axes of one value.
    is_discrete : bool
        Whether the set is countable, so that gradients have no meaning.
    interior : float, Array or None
        For sets of numbers: a member at which formulas are safe.
    batch_shape : tuple of int
        Shape of the bounds, where they are arrays.
    """

    name: str
    event_ndim: int = 0
    is_discrete: bool = False
    interior: Any = None
    batch_shape: tuple[int, ...] = ()

    @abstractmethod
    def contains(self, value: Any) -> Any:
        """Whether values lie in the set; NaN does not.

        Parameters
        ----------
        value : Array, shape (..., *event)

        Returns
        -------
        bool Array, shape (...)
        """

    @property
    @abstractmethod
    def bijector(self) -> Bijector:
        """A bijector from Rᵏ onto the set, up to its boundary.

        Raises
        ------
        ModelError
            If there is none, because the set is discrete or has no coordinates here.
        """

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True, repr=False, eq=False)
class _Line(Constraint):
    """Numbers between two bounds, perhaps infinite; `open_low`, `open_high` leave the bound out."""

    low: Any
    high: Any
    open_low: bool = False
    open_high: bool = False

    @property
    def name(self) -> str:  # type: ignore[override]
        """As an interval, with `…` for a bound that is not one known number."""
        left, right = "(" if self.open_low else "[", ")" if self.open_high else "]"
        return f"{left}{_printed(self.low)}, {_printed(self.high)}{right}"

    @property
    def interior(self) -> Any:
        """A number strictly between the bounds."""
        if _is(self.low, -math.inf):
            return 0.0 if _is(self.high, math.inf) else self.high - 1.0
        return self.low + 1.0 if _is(self.high, math.inf) else 0.5 * (self.low + self.high)

    @property
    def batch_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Shape of the bounds."""
        return bnp.broadcast_shape(np.shape(self.low), np.shape(self.high))

    def contains(self, value: Any) -> Any:
        if _is(self.low, -math.inf) and _is(self.high, math.inf):
            return bnp.isfinite(value)
        above = (bnp.greater if self.open_low else bnp.greater_equal)(value, self.low)
        below = (bnp.less if self.open_high else bnp.less_equal)(value, self.high)
        return bnp.logical_and(above, below)

    @property
    def bijector(self) -> Bijector:
        if _is(self.low, -math.inf):
            return (
                bijectors.Identity() if _is(self.high, math.inf) else bijectors.LessThan(self.high)
            )
        if _is(self.high, math.inf):
            return bijectors.Exp() if _is(self.low, 0) else bijectors.GreaterThan(self.low)
        if _is(self.low, 0) and _is(self.high, 1):
            return bijectors.Sigmoid()
        return bijectors.Interval(self.low, self.high)


@dataclass(frozen=True, repr=False, eq=False)
class _Integers(Constraint):
    """Integers between two bounds, both included; of any numeric dtype."""

    low: Any
    high: Any

    is_discrete = True

    @property
    def name(self) -> str:  # type: ignore[override]
        """As a set with its first and last member."""
        first = _printed(self.low)
        if _is(self.high, math.inf):
            return f"{{{first}, {first if first == '…' else _printed(self.low + 1)}, …}}"
        return (
            f"{{{first}, {_printed(self.high)}}}"
            if _is(self.high, 1)
            else f"{{{first}, …, {_printed(self.high)}}}"
        )

    @property
    def interior(self) -> Any:
        """The smallest member."""
        return self.low

    @property
    def batch_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Shape of the bounds."""
        return bnp.broadcast_shape(np.shape(self.low), np.shape(self.high))

    def contains(self, value: Any) -> Any:
        value = bnp.asarray(value)
        value = bnp.astype(value, np.int64) if value.dtype.kind == "b" else value
        if _is(self.low, 0) and _is(self.high, 1):
            return bnp.logical_or(bnp.equal(value, 0), bnp.equal(value, 1))
        top = bnp.less if _is(self.high, math.inf) else bnp.less_equal
        between = bnp.logical_and(bnp.greater_equal(value, self.low), top(value, self.high))
        whole = bnp.equal(bnp.floor(value), value) if value.dtype.kind == "f" else None
        return between if whole is None else bnp.logical_and(between, whole)

    @property
    def bijector(self) -> Bijector:
        raise _no_bijector(self, "sum over its values (dist.Mixture), or observe it.")


@dataclass(frozen=True, repr=False, eq=False)
class _Counts(Constraint):
    """Vectors of counts with a known sum."""

    total: Any

    event_ndim = 1
    is_discrete = True

    @property
    def name(self) -> str:  # type: ignore[override]
        """Says the sum."""
        return f"counts with sum {_printed(self.total)}"

    @property
    def batch_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Shape of the sums."""
        return np.shape(self.total)

    def contains(self, value: Any) -> Any:
        each = bnp.all(nonnegative_integer.contains(value), -1)
        return bnp.logical_and(each, bnp.equal(bnp.sum(value, -1), self.total))

    @property
    def bijector(self) -> Bijector:
        raise _no_bijector(self, "observe it.")


@dataclass(frozen=True, repr=False, eq=False)
class _Arrays(Constraint):
    """Vectors or matrices with a property, named after it."""

    name: str
    axes: int
    test: Callable[[Any], Any]
    coordinates: Bijector | None

    @property
    def event_ndim(self) -> int:  # type: ignore[override]
        """Number of axes of one value."""
        return self.axes

    def contains(self, value: Any) -> Any:
        return self.test(bnp.asarray(value))

    @property
    def bijector(self) -> Bijector:
        if self.coordinates is None:
            raise _no_bijector(self, "use a Cholesky factor (covariance_cholesky) in its place.")
        return self.coordinates


@dataclass(frozen=True, repr=False, eq=False)
class _Image(Constraint):
    """What a bijector makes of a set."""

    of: Constraint
    by: Bijector

    @property
    def name(self) -> str:  # type: ignore[override]
        """Says of what and by what."""
        return f"image of {self.of.name} under {type(self.by).__name__}"

    @property
    def event_ndim(self) -> int:  # type: ignore[override]
        """Number of axes of one value."""
        return max(self.of.event_ndim, self.by.forward_event_ndim) + self._more

    @property
    def interior(self) -> Any:
        """The image of a member, for sets of numbers."""
        return (
            None
            if self.event_ndim or self.of.interior is None
            else self.by.forward(self.of.interior)
        )

    @property
    def batch_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Shape of the bounds of the set."""
        return self.of.batch_shape

    @property
    def _more(self) -> int:
        return self.by.inverse_event_ndim - self.by.forward_event_ndim

    def contains(self, value: Any) -> Any:
        with np.errstate(all="ignore"):
            inside = self.of.contains(self.by.inverse(bnp.asarray(value)))
        extra = self.by.forward_event_ndim - self.of.event_ndim
        return bnp.all(inside, tuple(range(-extra, 0))) if extra > 0 else inside

    @property
    def bijector(self) -> Bijector:
        return bijectors.Chain((self.of.bijector, self.by))


@dataclass(frozen=True, repr=False, eq=False)
class _Independent(Constraint):
    """Arrays of values that each lie in a set."""

    of: Constraint
    ndim: int

    @property
    def name(self) -> str:  # type: ignore[override]
        """As the set of each value."""
        return self.of.name

    @property
    def event_ndim(self) -> int:  # type: ignore[override]
        """Number of axes of one array."""
        return self.of.event_ndim + self.ndim

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        """As of each value."""
        return self.of.is_discrete

    @property
    def batch_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Shape of the bounds, without the axes of one array."""
        own = self.of.batch_shape
        return own[: max(len(own) - self.ndim, 0)]

    def contains(self, value: Any) -> Any:
        return bnp.all(self.of.contains(value), tuple(range(-self.ndim, 0)))

    @property
    def bijector(self) -> Bijector:
        return self.of.bijector


# --- what the sets of arrays ask ---------------------------------------------------------------


def _slack(x: Any) -> float:
    return _SLACK.get(x.dtype, 0.0)


def _finite(x: Any) -> Any:
    return bnp.all(bnp.isfinite(x), -1)


def _on_simplex(x: Any) -> Any:
    near = bnp.less_equal(bnp.abs(bnp.sum(x, -1) - 1.0), _slack(x))
    return bnp.logical_and(bnp.all(bnp.greater_equal(x, 0.0), -1), near)


def _increasing(x: Any) -> Any:
    return bnp.logical_and(_finite(x), bnp.all(bnp.greater(bnp.diff(x), 0.0), -1))


def _increasing_positive(x: Any) -> Any:
    return bnp.logical_and(_increasing(x), bnp.greater(x[..., 0], 0.0))


def _triangular(x: Any) -> Any:
    """Finite, zero above the diagonal, positive on it."""
    k = x.shape[-1]
    above = bnp.where(np.tri(k, dtype=bool), 0.0, x)
    on = bnp.where(np.eye(k, dtype=bool), x, 1.0)
    good = bnp.logical_and(
        bnp.isfinite(x), bnp.logical_and(bnp.equal(above, 0.0), bnp.greater(on, 0.0))
    )
    return bnp.all(good, (-2, -1))


def _correlation_factor(x: Any) -> Any:
    lengths = bnp.sum(bnp.square(x), -1)
    near = bnp.all(bnp.less_equal(bnp.abs(lengths - 1.0), _slack(x)), -1)
    return bnp.logical_and(_triangular(x), near)


def _definite(x: Any) -> Any:
    x = x if x.dtype.kind == "f" else bnp.astype(x, bnp.default_dtype())
    turned = bnp.swapaxes(x, -1, -2)
    gap = bnp.abs(x - turned) - _slack(x) * (bnp.abs(x) + bnp.abs(turned))
    symmetric = bnp.all(bnp.less_equal(gap, 0.0), (-2, -1))
    pivots = bnp.where(np.eye(x.shape[-1], dtype=bool), cholesky(x), 1.0)
    return bnp.logical_and(symmetric, bnp.all(bnp.greater(pivots, 0.0), (-2, -1)))


# --- the sets ---------------------------------------------------------------------------------

real = _Line(-math.inf, math.inf, True, True)
positive = _Line(0.0, math.inf, True, True)
nonnegative = _Line(0.0, math.inf, False, True)
unit_interval = _Line(0.0, 1.0)
boolean = _Integers(0, 1)
nonnegative_integer = _Integers(0, math.inf)
real_vector = _Arrays("real vectors", 1, _finite, bijectors.Identity())
simplex = _Arrays("the simplex", 1, _on_simplex, bijectors.StickBreaking())
ordered = _Arrays("increasing vectors", 1, _increasing, bijectors.Ordered())
positive_ordered = _Arrays(
    "increasing positive vectors", 1, _increasing_positive, bijectors.PositiveOrdered()
)
corr_cholesky = _Arrays(
    "Cholesky factors of correlations", 2, _correlation_factor, bijectors.CorrCholesky()
)
covariance_cholesky = _Arrays("Cholesky factors", 2, _triangular, bijectors.CovarianceCholesky())
positive_definite = _Arrays("symmetric positive definite matrices", 2, _definite, None)


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
    return _Line(low, high)


def greater_than(low: Any) -> Constraint:
    """Numbers above a bound.

    Parameters
    ----------
    low : float or Array
    """
    return _Line(low, math.inf, True, True)


def less_than(high: Any) -> Constraint:
    """Numbers below a bound.

    Parameters
    ----------
    high : float or Array
    """
    return _Line(-math.inf, high, True, True)


def integer_interval(low: Any, high: Any) -> Constraint:
    """Integers from low to high, both included.

    Parameters
    ----------
    low, high : int or Array
    """
    return _Integers(low, high)


def counts(total: Any) -> Constraint:
    """Vectors of counts with a given sum.

    Parameters
    ----------
    total : int or Array
    """
    return _Counts(total)


def image(of: Constraint, by: Bijector) -> Constraint:
    """What a bijector makes of a set.

    Parameters
    ----------
    of : Constraint
    by : Bijector
    """
    return _Image(of, by)


def independent(of: Constraint, ndim: int) -> Constraint:
    """Arrays of values that each lie in a set.

    Parameters
    ----------
    of : Constraint
    ndim : int
        Number of further axes.
    """
    return _Independent(of, ndim) if ndim else of


def _is(bound: Any, number: float) -> bool:
    """Whether a bound is this Python number."""
    return isinstance(bound, float | int) and bound == number


def _printed(bound: Any) -> str:
    if isinstance(bound, Handle) or np.ndim(bound):
        return "…"
    return {math.inf: "∞", -math.inf: "−∞"}.get(float(bound), f"{float(bound):g}")


def _no_bijector(constraint: Constraint, fix: str) -> ModelError:
    return ModelError(
        f"there is no bijector onto {constraint.name}.",
        fix=fix,
        where=user_source(),
        code="D104",
    )
