"""Constraints: the sets that values live in, how each prints, and the bijector that leads there.

Constants: `real`, `positive`, `nonnegative`, `unit_interval`, `simplex`, `ordered`, `positive_ordered`,
`corr_cholesky`, `covariance_cholesky`, `positive_definite`, `real_vector`, `boolean`, `nonnegative_integer`. Of parameters:
`interval`, `greater_than`, `less_than`, `integer_interval`, `image`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
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
    "covariance_cholesky",
    "greater_than",
    "image",
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

# How far sums and lengths that must be 1 may be off, in units of the dtype's resolution.
_SLACK = 1e4


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
    interior : float or Array, or None
        A point of the set, where formulas are safe; only for sets of numbers.
    """

    name: str
    event_ndim: int
    is_discrete: bool
    interior: Any

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
            If the set is discrete.
        """

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Shape of the bounds, where they are arrays."""
        return ()

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True, repr=False, eq=False)
class _Line(Constraint):
    """Numbers between two bounds; None where there is no bound."""

    low: Any = None
    high: Any = None
    includes_low: bool = False

    event_ndim = 0
    is_discrete = False

    @property
    def name(self) -> str:  # type: ignore[override]
        """As an interval, with `…` for bounds that are not known yet."""
        left, right = _printed(self.low, "−∞"), _printed(self.high, "∞")
        return f"{'[' if self.includes_low else '('}{left}, {right})"

    @property
    def interior(self) -> Any:  # type: ignore[override]
        """A number strictly between the bounds."""
        if self.low is None:
            return 0.0 if self.high is None else self.high - 1.0
        return self.low + 1.0 if self.high is None else 0.5 * (self.low + self.high)

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Shape of the bounds."""
        bounds = (b for b in (self.low, self.high) if b is not None)
        return bnp.broadcast_shape(*(np.shape(b) for b in bounds))

    def contains(self, value: Any) -> Any:
        if self.low is None and self.high is None:
            return bnp.isfinite(value)
        above = bnp.greater_equal if self.includes_low else bnp.greater
        finite = 0.0 * bnp.asarray(value) == 0.0 if self.low is None or self.high is None else None
        inside = None if self.low is None else above(value, self.low)
        under = None if self.high is None else bnp.less(value, self.high)
        tests = [t for t in (inside, under, finite) if t is not None]
        return bnp.logical_and(bnp.logical_and(*tests[:2]), tests[2]) if len(tests) > 2 else bnp.logical_and(*tests)

    @property
    def bijector(self) -> Bijector:
        if self.low is None:
            return bijectors.Identity() if self.high is None else bijectors.LessThan(self.high)
        if self.high is None:
            zero = isinstance(self.low, float | int) and self.low == 0
            return bijectors.Exp() if zero else bijectors.GreaterThan(self.low)
        unit = all(isinstance(b, float | int) for b in (self.low, self.high)) and (self.low, self.high) == (0, 1)
        return bijectors.Sigmoid() if unit else bijectors.Interval(self.low, self.high)
