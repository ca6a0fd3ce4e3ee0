"""The warm-up schedule: which iterations tune, collect and renew, as flags that the host hands in."""

from __future__ import annotations

from typing import Any

import numpy as np

from .kernel import Phase

# Lengths of Stan's three kinds of interval for 1000 warm-up iterations.
FIRST, LAST, WINDOW = 75, 50, 25


def schedule(tune: int, draws: int) -> Phase:
    """Flags of every iteration.

    A first fast interval, slow windows that double in length, and a last fast interval; for short
    warm-ups 15 %, 75 % and 10 %.

    Parameters
    ----------
    tune, draws : int
        Iterations before and after the end of warm-up.

    Returns
    -------
    Phase
        Fields of shape (tune + draws,).

    References
    ----------
    Stan Reference Manual, section "Automatic parameter tuning".

    Examples
    --------
    >>> np.flatnonzero(schedule(1000, 10).window_end).tolist()
    [99, 149, 249, 449, 949]
    """
    total = tune + draws
    index = np.arange(total)
    first, last = (FIRST, LAST) if tune >= FIRST + LAST + WINDOW else (int(0.15 * tune), int(0.1 * tune))
    ends = _window_ends(first, tune - last) if tune >= 20 else []
    window_end = np.isin(index, [e - 1 for e in ends])
    slow = (index >= first) & (index < tune - last) & bool(ends)
    return Phase(index, index < tune, slow, window_end)


def _window_ends(start: int, stop: int) -> list[int]:
    ends: list[Any] = []
    at, size = start, WINDOW
    while at < stop:
        # A window that would leave too little room for its double takes all that is left.
        at = stop if at + 3 * size > stop else at + size
        ends.append(at)
        size *= 2
    return ends
