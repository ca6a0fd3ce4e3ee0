"""Layers one after another, and around a shortcut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ShapeError
from bayesdl._base.source import user_source
from bayesdl.ops import numpy as bnp

from ._base import Example, Layer, layer
from .activations import activation
from .linear import Linear

Part = Callable[[Any], Any] | str


@layer
@dataclass(frozen=True)
class Sequential(Layer):
    """Layers, functions and names of activations, applied in order.

    Layers with weights need names of their own.

    Parameters
    ----------
    parts : tuple of Layer, callable or str

    Examples
    --------
    >>> import numpy as np
    >>> import bayesdl as bdl
    >>> net = Sequential((Flatten(), np.tanh))
    >>> net(np.zeros((2, 3, 4))).shape
    (2, 12)
    """

    parts: tuple[Part, ...]

    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            {"parts": (Linear(3, "a"), "tanh", Linear(2, "b", bias=False))},
            (4, 5),
            (4, 2),
            {"a.weight": (5, 3), "a.bias": (3,), "b.weight": (3, 2)},
        ),
    )

    def __call__(self, x: Any) -> Any:
        for part in self.parts:
            x = activation(part)(x)
        return x


@layer
@dataclass(frozen=True)
class Residual(Layer):
    """x + part(x).

    Parameters
    ----------
    part : Layer, callable or str
        Must keep the shape.

    Raises
    ------
    ShapeError
        If it does not.

    References
    ----------
    He, Zhang, Ren & Sun (2016), Deep residual learning for image recognition (arXiv:1512.03385).
    """

    part: Part

    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            {"part": Linear(5, "a")}, (4, 3, 5), (4, 3, 5), {"a.weight": (5, 5), "a.bias": (5,)}
        ),
    )

    def __call__(self, x: Any) -> Any:
        x = bnp.asarray(x)
        y = activation(self.part)(x)
        if y.shape != x.shape:
            raise ShapeError(
                "the part inside a residual layer changes the shape.",
                facts=[("inputs", x.shape), ("outputs", y.shape)],
                fix="let it end in as many channels as it is given.",
                where=user_source(),
                code="T111",
            )
        return x + y


@layer
@dataclass(frozen=True)
class Flatten(Layer):
    """All axes of a row in one: (rows, …) → (rows, features)."""

    examples: ClassVar[tuple[Example, ...]] = (Example({}, (4, 3, 2), (4, 6)),)

    def __call__(self, x: Any) -> Any:
        x = bnp.asarray(x)
        return bnp.reshape(x, (x.shape[0], -1))
