"""Gradients made safe: long ones are shortened."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl._base.tree import flatten, tree_map
from bayesdl.ops import numpy as bnp

MEMORY = 0.999
"""Of the running mean of squared lengths, as of Adam's second moment."""


def clipped(gradient: Any, longest: float | None = None) -> Any:
    """A gradient of at most a given length.

    Parameters
    ----------
    gradient : container of float arrays
        Finite.
    longest : float, optional
        Largest Euclidean norm over all arrays together; none if not given.

    References
    ----------
    Pascanu, Mikolov & Bengio (2013), On the difficulty of training recurrent neural networks,
    algorithm 1 (arXiv:1211.5063).

    Examples
    --------
    >>> import numpy as np
    >>> clipped({"a": np.array([3.0]), "b": np.array([4.0])}, 1.0)["b"].round(6).tolist()
    [0.8]
    """
    if longest is None:
        return gradient
    norm = bnp.sqrt(_square(gradient))
    factor = longest / bnp.maximum(norm, longest)
    return tree_map(lambda g: factor * g, gradient)


def without_spike(gradient: Any, usual: Any, count: Any, ratio: float) -> tuple[Any, Any]:
    """A gradient of at most `ratio` times the usual length, and what is usual with it.

    Adam divides by the root of a running mean of squares. One gradient far longer than those before
    moves all parameters by thirty steps at once, and hides what comes after it for thousands.

    Parameters
    ----------
    gradient : container of float arrays
        Finite.
    usual : Array, shape ()
        Running mean of squared lengths, from 0 and not yet corrected for it.
    count : Array, shape ()
        Gradients before this one.
    ratio : float

    References
    ----------
    Seetharaman, Wichern, Pardo & Le Roux (2020), AutoClip: adaptive gradient clipping for source
    separation networks (arXiv:2007.14469); the bound is a multiple of the root mean square in the
    place of a percentile of all lengths, which need not be kept.

    Examples
    --------
    >>> import numpy as np
    >>> usual = np.zeros(())
    >>> for k, g in enumerate([1.0, 1.0, 1000.0]):
    ...     short, usual = without_spike(np.array([g]), usual, np.asarray(float(k)), 10.0)
    >>> short.round(6).tolist()
    [10.0]
    """
    square, largest = _square(gradient), np.finfo(usual.dtype).max
    expected = usual / bnp.maximum(1.0 - bnp.power(MEMORY, count), 1.0 - MEMORY)
    longest = bnp.where(expected > 0.0, bnp.minimum(ratio * ratio * expected, largest), largest)
    kept = bnp.minimum(square, longest)
    factor = bnp.sqrt(kept / bnp.maximum(square, np.finfo(usual.dtype).tiny))
    shorter = tree_map(lambda g: factor * g, gradient)
    return shorter, MEMORY * usual + (1.0 - MEMORY) * kept


def _square(gradient: Any) -> Any:
    squares = [(g * g).sum() for g in flatten(gradient)[0]]
    return sum(squares[1:], squares[0])
