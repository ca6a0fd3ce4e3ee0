"""Sets made of sets."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl import bijectors
from bayesdl._base.dataclass import dataclass
from bayesdl.bijectors import Bijector
from bayesdl.ops import numpy as bnp

from ._base import Constraint


@dataclass(frozen=True, repr=False, eq=False)
class Image(Constraint):
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
class Independent(Constraint):
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
