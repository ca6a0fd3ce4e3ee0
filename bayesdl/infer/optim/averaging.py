"""Averages of iterates: what a stochastic optimiser is to return in place of its last step."""

from __future__ import annotations

from typing import Any

MEMORY = 8.0
"""η of the paper: the average covers about the last 1/(η+1) of the iterates."""


def averaged(average: Any, latest: Any, count: Any) -> Any:
    """The polynomial-decay average of iterates, with one more.

        average ← average + (η + 1) / (count + η) · (latest − average)

    Parameters
    ----------
    average, latest : Array, shape (n,)
    count : Array, shape ()
        Iterates, the latest one counted; at 1 the average is the latest.

    References
    ----------
    Shamir & Zhang (2013), Stochastic gradient descent for non-smooth optimization, section 3
    (arXiv:1212.1824).

    Examples
    --------
    >>> averaged(5.0, 7.0, 1.0), averaged(5.0, 7.0, 10.0)
    (7.0, 6.0)
    """
    return average + (MEMORY + 1.0) / (count + MEMORY) * (latest - average)
