"""The course of an optimisation: which steps count, which are passed over, and when it is over."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.tree import flatten, tree_map
from bayesdl.ops import numpy as bnp

LOST = 10
"""So many steps in a row without a finite objective end an optimisation."""
BATCHES = 20
AGAIN = 500
"""A climb has to have ended by the history without so many last values, too."""
ALLOWED = 0.5 * math.sqrt(math.pi / 2.0)
"""Half a standard error of a median, in standard errors of a mean."""


@dataclass(frozen=True)
class Course:
    """How an optimisation has gone so far.

    Parameters
    ----------
    made : Array, shape ()
        Steps that were taken: objective and gradient were finite.
    lost : Array, shape ()
        Steps since the last of them; it stops at `LOST`.
    """

    __tree__: ClassVar[bool] = True

    made: Any
    lost: Any


def start_course(dtype: Any) -> Course:
    """Before the first step."""
    return Course(bnp.zeros((), dtype), bnp.zeros((), dtype))


def counts(course: Course, value: Any, gradient: Any) -> Any:
    """Whether a step is to be taken.

    It is where the objective and its gradient are finite, unless too many before it were not: what
    is lost stays as it was, and does not come back by chance.

    Parameters
    ----------
    course : Course
    value : Array, shape ()
        The objective.
    gradient : container of arrays

    Returns
    -------
    Array of bool, shape ()

    Examples
    --------
    >>> import numpy as np
    >>> [bool(counts(start_course(float), 1.0, np.array([g, 0.0]))) for g in (1.0, np.inf)]
    [True, False]
    """
    found = bnp.isfinite(value) & (course.lost < LOST)
    for slope in flatten(gradient)[0]:
        # A sum is one reading of the gradient, and is not finite where any part of it is not.
        found = found & bnp.isfinite(slope.sum())
    return found


def onward(taken: Any, course: Course) -> Course:
    """The course after one more step, taken or passed over."""
    return Course(
        bnp.where(taken, course.made + 1.0, course.made),
        bnp.where(taken, 0.0, bnp.minimum(course.lost + 1.0, float(LOST))),
    )


def either(taken: Any, after: Any, before: Any) -> Any:
    """What a step leads to where it is taken; what was there before it where it is passed over."""
    return tree_map(lambda a, b: bnp.where(taken, a, b), after, before)


def lost_from(objective: np.ndarray[Any, Any]) -> int | None:
    """The first of so many steps without a finite objective that an optimisation was lost there.

    Parameters
    ----------
    objective : array, shape (steps,)
        As steps report it: NaN where one was passed over.

    Returns
    -------
    int or None
        None where it was not lost: single steps are passed over. A run that has no finite step is
        lost, however short.

    Examples
    --------
    >>> import numpy as np
    >>> lost_from(np.append(np.zeros(3), np.full(10, np.nan))), lost_from(np.array([0.0, np.nan]))
    (3, None)
    """
    finite = np.flatnonzero(np.isfinite(objective))
    after = int(finite[-1]) + 1 if finite.size else 0
    lost = len(objective) - after
    return after if lost >= LOST or (lost and not finite.size) else None


def is_over(objective: np.ndarray[Any, Any], whole: bool, tempered: int = 0) -> bool:
    """Whether an optimisation may end: it is lost, or climbs no further.

    Parameters
    ----------
    objective : array, shape (steps,)
        As for `lost_from`.
    whole : bool
        Whether its schedule is to be run to the end.
    tempered : int
        Steps at first under another objective, whose values say nothing of the one that counts:
        a prior that comes to count makes it fall.
    """
    if lost_from(objective) is not None:
        return True
    judged = objective[tempered:]
    return not whole and settled(judged[np.isfinite(judged)])


def settled(history: np.ndarray[Any, Any], least: int = 3000) -> bool:
    """Whether a climb has ended: its last quarter is not above the one before by more than noise.

    Parameters
    ----------
    history : array, shape (steps,)
        Noisy values of what is climbed, from the first step on.
    least : int
        A shorter history has not settled.

    Notes
    -----
    Each quarter is cut into 20 batches, and the medians of their means are compared: single values
    that are far out do not move them, and means of batches know of what follows from step to step.
    The quarters grow with the run, so that a drift too slow for a short window ends up in sight.
    Half a standard error is allowed, and twice in a row, 500 steps apart: one comparison alone is
    passed too often by chance.

    References
    ----------
    Dhaka, Catalina, Andersen, Magnusson, Huggins & Vehtari (2020), Robust, accurate stochastic
    optimization for variational inference, section 3 (arXiv:2009.00666), on rules that stop early.

    Examples
    --------
    >>> settled(np.arange(6000.0)), settled(np.tile([0.0, 1.0], 3000))
    (False, True)
    """
    return len(history) >= least and _level(history) and _level(history[:-AGAIN])


def _level(history: np.ndarray[Any, Any]) -> bool:
    size = len(history) // (4 * BATCHES)
    latest = history[len(history) - 2 * BATCHES * size :]
    before, last = latest.reshape(2, BATCHES, size).mean(axis=2)
    noise = math.sqrt((before.var(ddof=1) + last.var(ddof=1)) / BATCHES)
    return float(np.median(last) - np.median(before)) <= ALLOWED * noise
