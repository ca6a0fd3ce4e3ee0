"""Adam, for ascent: the optimiser of every fit."""

from __future__ import annotations

from typing import Any, ClassVar

from bayesdl._base.dataclass import dataclass
from bayesdl._base.tree import flatten, tree_map, unflatten
from bayesdl.ops import numpy as bnp

from ._base import Optimiser, optimiser
from ._checked import in_range

FIRST, SECOND, FLOOR = 0.9, 0.999, 1e-8  # β₁, β₂, ε of the paper


@dataclass(frozen=True)
class Moments:
    """Running moments of the gradient.

    Parameters
    ----------
    count : Array, shape ()
        Updates so far.
    first, second : Array, shape (n,)
        Averages of the gradient and of its square.
    """

    __tree__: ClassVar[bool] = True

    count: Any
    first: Any
    second: Any


def start_adam(like: Any) -> Moments:
    """No gradient seen yet."""
    zero = bnp.zeros_like(like)
    return Moments(zero.sum(), zero, zero)


def ascend(state: Moments, gradient: Any, rate: Any) -> tuple[Moments, Any]:
    """One step uphill.

    Parameters
    ----------
    state : Moments
    gradient : Array, shape (n,)
        Finite.
    rate : Array, shape ()
        Length of a step in each coordinate, about.

    Returns
    -------
    state : Moments
    change : Array, shape (n,)
        What to add to the parameters.

    References
    ----------
    Kingma & Ba (2015), Adam: a method for stochastic optimization, algorithm 1 (arXiv:1412.6980).

    Examples
    --------
    >>> import numpy as np
    >>> state, change = ascend(start_adam(np.zeros(2)), np.array([3.0, -0.1]), 0.01)
    >>> change.round(6).tolist()
    [0.01, -0.01]
    """
    count = state.count + 1.0
    first = FIRST * state.first + (1.0 - FIRST) * gradient
    second = SECOND * state.second + (1.0 - SECOND) * gradient * gradient
    # What corrects the moments' bias is one number each: of the divisions one is left a coordinate.
    length = rate / (1.0 - bnp.power(FIRST, count))
    scale = bnp.sqrt(second * (1.0 / (1.0 - bnp.power(SECOND, count)))) + FLOOR
    return Moments(count, first, second), length * first / scale


@optimiser
@dataclass(frozen=True)
class Adam(Optimiser):
    """Adam on a container of arrays.

    References
    ----------
    Kingma & Ba (2015), Adam: a method for stochastic optimization (arXiv:1412.6980).
    """

    def start(self, params: Any) -> Any:
        return tree_map(start_adam, params)

    def change(self, state: Any, gradient: Any, params: Any, rate: Any) -> tuple[Any, Any]:
        slopes, tree = flatten(gradient)
        moments = _moments(state)
        found = [ascend(m, g, rate) for m, g in zip(moments, slopes, strict=True)]
        return (
            unflatten(tree, [moment for moment, _ in found]),
            unflatten(tree, [change for _, change in found]),
        )


@optimiser
@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with weight decay that its scaling does not touch.

    Parameters
    ----------
    decay : float
        Part of each parameter that a step of length 1 would take away; from 0 on.

    References
    ----------
    Loshchilov & Hutter (2019), Decoupled weight decay regularization, algorithm 2
    (arXiv:1711.05101).
    """

    decay: float = 0.01

    def __post_init__(self) -> None:
        in_range(self, "decay", 0.0)

    def change(self, state: Any, gradient: Any, params: Any, rate: Any) -> tuple[Any, Any]:
        state, change = Adam.change(self, state, gradient, params, rate)
        return state, tree_map(lambda c, p: c - rate * self.decay * p, change, params)


def _moments(state: Any) -> list[Moments]:
    leaves = flatten(state)[0]
    return [Moments(*leaves[i : i + 3]) for i in range(0, len(leaves), 3)]
