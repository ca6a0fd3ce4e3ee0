"""Bijector, the abstract class: two methods to write, and everything that follows from them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar, dataclass_transform

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ShapeError
from bayesdl._base.registry import Registry
from bayesdl._base.source import user_source
from bayesdl.ops import numpy as bnp

BIJECTORS: Registry[type[Bijector]] = Registry("bijector", __package__)
T = TypeVar("T")
Shape = tuple[int, ...]


class Bijector(ABC):
    """A differentiable map with an inverse, between spaces of one dimension.

    A subclass is a frozen record. It writes `forward_and_log_det` and `inverse`; the other
    directions are derived, and the compiler removes what is not used. Arguments may have further
    axes in front.

    Attributes
    ----------
    forward_event_ndim, inverse_event_ndim : int
        Number of axes of one argument, and of one result, over which the log-determinant is summed.
    is_increasing : bool or None
        For maps of one number: whether larger goes to larger; None where that has no meaning.
    examples : tuple of tuples
        Constructor arguments that the laws try.
    example_event_shapes : tuple of shapes
        Shapes of one result that the laws try.
    """

    forward_event_ndim: ClassVar[int] = 0
    inverse_event_ndim: ClassVar[int] = 0
    is_increasing: ClassVar[bool | None] = None
    examples: ClassVar[tuple[tuple[Any, ...], ...]] = ((),)
    example_event_shapes: ClassVar[tuple[Shape, ...]] = ((),)

    @abstractmethod
    def forward_and_log_det(self, x: Any) -> tuple[Any, Any]:
        """y = f(x), and log |det ∂y/∂x| summed over the axes of one event.

        Parameters
        ----------
        x : Array, shape (..., *event)

        Returns
        -------
        y : Array, shape (..., *event)
        log_det : Array, shape (...)
        """

    @abstractmethod
    def inverse(self, y: Any) -> Any:
        """X with f(x) = y; NaN or infinite where there is none."""

    def forward(self, x: Any) -> Any:
        """y = f(x)."""
        return self.forward_and_log_det(x)[0]

    def inverse_and_log_det(self, y: Any) -> tuple[Any, Any]:
        """X with f(x) = y, and log |det ∂x/∂y|."""
        x = self.inverse(y)
        return x, bnp.negative(self.forward_and_log_det(x)[1])

    def unconstrained_shape(self, shape: Shape) -> Shape:
        """Shape of x for a y of a shape."""
        return shape

    def constrained_shape(self, shape: Shape) -> Shape:
        """Shape of y for an x of a shape."""
        return shape


@dataclass_transform(frozen_default=True)
def bijector(cls: type[T]) -> type[T]:
    """Make a class a frozen record and enter it in the registry."""
    record = dataclass(frozen=True, eq=False)(cls)
    BIJECTORS.add(cls.__name__, record)  # type: ignore[arg-type]
    return record


def event_sum(x: Any, ndim: int) -> Any:
    """Sum over the last axes."""
    return bnp.sum(x, tuple(range(-ndim, 0))) if ndim else x


def vector_length(shape: Shape, length: Callable[[int], int], what: str) -> Shape:
    """The shape with its last axis changed by a rule.

    Raises
    ------
    ShapeError
        If there is no last axis, or the rule gives a negative length.
    """
    if not shape or length(shape[-1]) < 0:
        raise ShapeError(
            f"{what} needs at least one axis of at least one element.",
            facts=[("shape", shape)],
            fix="give event_shape=(k,).",
            where=user_source(),
            code="D105",
        )
    return (*shape[:-1], length(shape[-1]))
