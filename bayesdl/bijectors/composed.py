"""Bijectors made of bijectors: one after another, and turned round."""

from __future__ import annotations

from typing import Any

from ._base import Bijector, Shape, bijector, event_sum
from .elementary import Affine, Exp, Interval


@bijector
class Chain(Bijector):
    """Several bijectors, one after another, in the order in which the argument meets them.

    Parameters
    ----------
    parts : tuple of Bijector
        ``Chain((f, g))`` is x ↦ g(f(x)).
    """

    parts: tuple[Bijector, ...]

    examples = (((Exp(), Affine(1.0, 2.0)),), ((Affine(0.5, 3.0), Interval(-1.0, 1.0)),))

    @property
    def is_increasing(self) -> bool | None:  # type: ignore[override]
        """Whether an even number of parts turn the order round; None where a part has no order."""
        signs = [part.is_increasing for part in self.parts]
        return None if None in signs else signs.count(False) % 2 == 0

    @property
    def forward_event_ndim(self) -> int:  # type: ignore[override]
        """Number of axes of one argument."""
        ndim = 0
        for part in reversed(self.parts):
            extra = max(ndim - part.inverse_event_ndim, 0)
            ndim = part.forward_event_ndim + extra
        return ndim

    @property
    def inverse_event_ndim(self) -> int:  # type: ignore[override]
        """Number of axes of one result."""
        ndim = self.forward_event_ndim
        for part in self.parts:
            ndim += part.inverse_event_ndim - part.forward_event_ndim
        return ndim

    def forward_and_log_det(self, x: Any) -> tuple[Any, Any]:
        total: Any = None
        ndim = self.forward_event_ndim
        for part in self.parts:
            x, log_det = part.forward_and_log_det(x)
            log_det = event_sum(log_det, ndim - part.forward_event_ndim)
            ndim += part.inverse_event_ndim - part.forward_event_ndim
            total = log_det if total is None else total + log_det
        return x, total

    def inverse(self, y: Any) -> Any:
        for part in reversed(self.parts):
            y = part.inverse(y)
        return y

    def unconstrained_shape(self, shape: Shape) -> Shape:
        for part in reversed(self.parts):
            shape = part.unconstrained_shape(shape)
        return shape

    def constrained_shape(self, shape: Shape) -> Shape:
        for part in self.parts:
            shape = part.constrained_shape(shape)
        return shape


@bijector
class Inverse(Bijector):
    """A bijector turned round.

    Parameters
    ----------
    of : Bijector
    """

    of: Bijector

    examples = ((Affine(1.0, 2.0),), (Chain((Affine(0.0, -2.0),)),))

    @property
    def is_increasing(self) -> bool | None:  # type: ignore[override]
        """As of the bijector that is turned round."""
        return self.of.is_increasing

    @property
    def forward_event_ndim(self) -> int:  # type: ignore[override]
        """Number of axes of one argument."""
        return self.of.inverse_event_ndim

    @property
    def inverse_event_ndim(self) -> int:  # type: ignore[override]
        """Number of axes of one result."""
        return self.of.forward_event_ndim

    def forward_and_log_det(self, x: Any) -> tuple[Any, Any]:
        return self.of.inverse_and_log_det(x)

    def inverse(self, y: Any) -> Any:
        return self.of.forward(y)

    def unconstrained_shape(self, shape: Shape) -> Shape:
        return self.of.constrained_shape(shape)

    def constrained_shape(self, shape: Shape) -> Shape:
        return self.of.unconstrained_shape(shape)
