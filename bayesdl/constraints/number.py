"""Sets of numbers, and of counts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bayesdl import bijectors
from bayesdl._base.dataclass import dataclass
from bayesdl.bijectors import Bijector
from bayesdl.ops import numpy as bnp

from ._base import Constraint, no_bijector, printed, same


@dataclass(frozen=True, repr=False, eq=False)
class Line(Constraint):
    """Numbers between two bounds, perhaps infinite; `open_low`, `open_high` leave the bound out."""

    low: Any
    high: Any
    open_low: bool = False
    open_high: bool = False

    @property
    def name(self) -> str:  # type: ignore[override]
        """As an interval, with `…` for a bound that is not one known number."""
        left, right = "(" if self.open_low else "[", ")" if self.open_high else "]"
        return f"{left}{printed(self.low)}, {printed(self.high)}{right}"

    @property
    def interior(self) -> Any:
        """A number strictly between the bounds."""
        if same(self.low, -math.inf):
            return 0.0 if same(self.high, math.inf) else self.high - 1.0
        return self.low + 1.0 if same(self.high, math.inf) else 0.5 * (self.low + self.high)

    @property
    def batch_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Shape of the bounds."""
        return bnp.broadcast_shape(np.shape(self.low), np.shape(self.high))

    def contains(self, value: Any) -> Any:
        if same(self.low, -math.inf) and same(self.high, math.inf):
            return bnp.isfinite(value)
        above = (bnp.greater if self.open_low else bnp.greater_equal)(value, self.low)
        below = (bnp.less if self.open_high else bnp.less_equal)(value, self.high)
        return bnp.logical_and(above, below)

    @property
    def bijector(self) -> Bijector:
        if same(self.low, -math.inf):
            return (
                bijectors.Identity() if same(self.high, math.inf) else bijectors.LessThan(self.high)
            )
        if same(self.high, math.inf):
            return bijectors.Exp() if same(self.low, 0) else bijectors.GreaterThan(self.low)
        if same(self.low, 0) and same(self.high, 1):
            return bijectors.Sigmoid()
        return bijectors.Interval(self.low, self.high)


@dataclass(frozen=True, repr=False, eq=False)
class Integers(Constraint):
    """Integers between two bounds, both included; of any numeric dtype."""

    low: Any
    high: Any

    is_discrete = True

    @property
    def name(self) -> str:  # type: ignore[override]
        """As a set with its first and last member."""
        first = printed(self.low)
        if same(self.high, math.inf):
            return f"{{{first}, {first if first == '…' else printed(self.low + 1)}, …}}"
        return (
            f"{{{first}, {printed(self.high)}}}"
            if same(self.high, 1)
            else f"{{{first}, …, {printed(self.high)}}}"
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
        if same(self.low, 0) and same(self.high, 1):
            return bnp.logical_or(bnp.equal(value, 0), bnp.equal(value, 1))
        top = bnp.less if same(self.high, math.inf) else bnp.less_equal
        between = bnp.logical_and(bnp.greater_equal(value, self.low), top(value, self.high))
        whole = bnp.equal(bnp.floor(value), value) if value.dtype.kind == "f" else None
        return between if whole is None else bnp.logical_and(between, whole)

    @property
    def bijector(self) -> Bijector:
        raise no_bijector(self, "sum over its values (dist.Mixture), or observe it.")


@dataclass(frozen=True, repr=False, eq=False)
class Counts(Constraint):
    """Vectors of counts with a known sum."""

    total: Any

    event_ndim = 1
    is_discrete = True

    @property
    def name(self) -> str:  # type: ignore[override]
        """Says the sum."""
        return f"counts with sum {printed(self.total)}"

    @property
    def batch_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Shape of the sums."""
        return np.shape(self.total)

    def contains(self, value: Any) -> Any:
        each = bnp.all(Integers(0, math.inf).contains(value), -1)
        return bnp.logical_and(each, bnp.equal(bnp.sum(value, -1), self.total))

    @property
    def bijector(self) -> Bijector:
        raise no_bijector(self, "observe it.")
