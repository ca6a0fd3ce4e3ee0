"""Constraint, the abstract class: a set of values."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from bayesdl._base.errors import ModelError
from bayesdl._base.source import user_source
from bayesdl.bijectors import Bijector
from bayesdl.ir.builder import Handle


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


def same(bound: Any, number: float) -> bool:
    """Whether a bound is this Python number."""
    return isinstance(bound, float | int) and bound == number


def printed(bound: Any) -> str:
    """A bound as it stands in the name of a set."""
    if isinstance(bound, Handle) or np.ndim(bound):
        return "…"
    return {math.inf: "∞", -math.inf: "−∞"}.get(float(bound), f"{float(bound):g}")


def no_bijector(constraint: Constraint, fix: str) -> ModelError:
    """The error that says that a set has none."""
    return ModelError(
        f"there is no bijector onto {constraint.name}.",
        fix=fix,
        where=user_source(),
        code="D104",
    )
