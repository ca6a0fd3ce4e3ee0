"""Gradients made safe: entries that are not finite count as zero, and long ones are shortened."""

from __future__ import annotations

from typing import Any

from bayesdl._base.tree import flatten, tree_map
from bayesdl.ops import numpy as bnp


def clipped(gradient: Any, longest: float | None = None) -> Any:
    """A gradient without infinities or NaN, of at most a given length.

    Parameters
    ----------
    gradient : container of float arrays
    longest : float, optional
        Largest Euclidean norm over all arrays together; none if not given.

    References
    ----------
    Pascanu, Mikolov & Bengio (2013), On the difficulty of training recurrent neural networks,
    algorithm 1 (arXiv:1211.5063).

    Examples
    --------
    >>> import numpy as np
    >>> clipped({"a": np.array([3.0, np.nan]), "b": np.array([4.0])}, 1.0)["b"].round(6).tolist()
    [0.8]
    """
    safe = tree_map(lambda g: bnp.where(bnp.isfinite(g), g, 0.0), gradient)
    if longest is None:
        return safe
    squares = [(g * g).sum() for g in flatten(safe)[0]]
    norm = bnp.sqrt(sum(squares[1:], squares[0]))
    factor = longest / bnp.maximum(norm, longest)
    return tree_map(lambda g: factor * g, safe)
