"""The windows of the warm-up, as one flag per iteration."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from .kernel import Phase

FAST_START, FIRST_WINDOW, FAST_END = 75, 25, 50


def schedule(tune: int, draws: int) -> Phase:
    """Phases of a whole run: each field has shape (tune + draws,).

    The warm-up has a fast part in which only the step size adapts, slow windows of doubling length
    at
    the end of each of which the scales are put to use, and a fast part for the last step size.

    Parameters
    ----------
    tune, draws : int
        Iterations of warm-up and after it.

    Notes
    -----
    75, 25, 50, … and 50 iterations as in Stan. A warm-up shorter than 150 has 15 % fast, one slow
    window
    of 75 % and 10 % fast; one shorter than 20 adapts the step size only.

    References
    ----------
    Stan Reference Manual, section "HMC algorithm parameters: automatic parameter tuning".

    Examples
    --------
    >>> np.flatnonzero(schedule(1000, 0).window_end).tolist()
    [99, 149, 249, 449, 949]
    """
    iteration = np.arange(tune + draws, dtype=np.int64)
    tuning = iteration < tune
    slow, window_end = np.zeros_like(tuning), np.zeros_like(tuning)
    start, ends = window_ends(tune)
    if ends:
        slow[start : ends[-1] + 1] = True
        window_end[ends] = True
    fraction = np.minimum(iteration / max(tune, 1), 1.0)
    return Phase(tuning, slow, window_end, iteration, fraction)


def window_ends(tune: int) -> tuple[int, list[int]]:
    """First iteration of the first slow window, and the last one of each."""
    if tune < 20:
        return 0, []
    if tune < FAST_START + FIRST_WINDOW + FAST_END:
        start, stop = int(0.15 * tune), tune - int(0.1 * tune)
        return start, [stop - 1]
    start, stop = FAST_START, tune - FAST_END
    ends, at, length = [], start, FIRST_WINDOW
    while at < stop:
        # A window after which the next, twice as long, would not fit takes the rest.
        end = at + length if at + 3 * length <= stop else stop
        ends.append(end - 1)
        at, length = end, 2 * length
    return start, ends


def part(phases: Phase, start: int, count: int, capacity: int) -> list[Any]:
    """Fields of `count` phases from `start`, filled up to `capacity` with the last one."""
    index = np.minimum(np.arange(start, start + capacity), start + count - 1)
    return [np.ascontiguousarray(getattr(phases, f.name)[index]) for f in fields(phases)]
