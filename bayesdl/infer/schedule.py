"""The windows of the warm-up, as one flag per iteration."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from .kernel import Phase

FIRST_WINDOW, GROWTH, STEP_SIZE_ONLY = 10, 1.0 / 3.0, 0.15


def schedule(tune: int, draws: int) -> Phase:
    """Phases of a whole run: each field has shape (tune + draws,).

    The mass is learnt from the first iteration on, in windows that grow; it stands still in the
    last part of the warm-up, which is for the step size.

    Parameters
    ----------
    tune, draws : int
        Iterations of warm-up and after it.

    Notes
    -----
    A window is a third as long as all before it, and of 10 iterations at least. The last 15 % are
    for the step size. A warm-up shorter than 20 adapts the step size only.

    Examples
    --------
    >>> np.flatnonzero(schedule(1000, 0).window_end).tolist()
    [9, 19, 29, 39, 52, 69, 92, 123, 164, 219, 292, 389, 519, 692, 849]
    """
    iteration = np.arange(tune + draws, dtype=np.int64)
    tuning = iteration < tune
    slow, window_end = np.zeros_like(tuning), np.zeros_like(tuning)
    stop = tune - int(STEP_SIZE_ONLY * tune) if tune >= 20 else 0
    slow[:stop] = True
    window_end[window_ends(stop)] = True
    if stop:
        window_end[stop - 1] = True
    fraction = np.minimum(iteration / max(tune, 1), 1.0)
    return Phase(tuning, slow, window_end, iteration, fraction)


def window_ends(stop: int) -> list[int]:
    """The last iteration of each window that ends before `stop`."""
    ends, at = [], FIRST_WINDOW
    while at < stop:
        ends.append(at - 1)
        at += max(FIRST_WINDOW, int(at * GROWTH))
    return ends


def part(phases: Phase, start: int, count: int, capacity: int) -> list[Any]:
    """Fields of `count` phases from `start`, and of others up to `capacity`, which are not used."""
    columns = [getattr(phases, f.name) for f in fields(phases)]
    if start + capacity <= len(columns[0]):
        return [column[start : start + capacity] for column in columns]
    index = np.minimum(np.arange(start, start + capacity), start + count - 1)
    return [column[index] for column in columns]
