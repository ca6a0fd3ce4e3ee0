"""Stochastic gradient ascent with momentum."""

from __future__ import annotations

from typing import Any

from bayesdl._base.dataclass import dataclass
from bayesdl._base.tree import tree_map
from bayesdl.ops import numpy as bnp

from ._base import Optimiser, optimiser
from ._checked import in_range


@optimiser
@dataclass(frozen=True)
class SGD(Optimiser):
    """Gradient ascent with momentum.

        v ← μ v + g;   change = rate · v

    Parameters
    ----------
    momentum : float
        μ in [0, 1); 0 for plain ascent.

    References
    ----------
    Sutskever, Martens, Dahl & Hinton (2013), On the importance of initialization and momentum in
    deep learning, section 2.

    Examples
    --------
    >>> import numpy as np
    >>> ascent = SGD(momentum=0.5)
    >>> state, change = ascent.change(np.ones(1), np.ones(1), np.zeros(1), 0.1)
    >>> change.round(6).tolist()
    [0.15]
    """

    momentum: float = 0.9

    def __post_init__(self) -> None:
        in_range(self, "momentum", 0.0, 1.0, below=True)

    def start(self, params: Any) -> Any:
        return tree_map(bnp.zeros_like, params)

    def change(self, state: Any, gradient: Any, params: Any, rate: Any) -> tuple[Any, Any]:
        state = tree_map(lambda v, g: self.momentum * v + g, state, gradient)
        return state, tree_map(lambda v: rate * v, state)
