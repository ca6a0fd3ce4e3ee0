"""Where the seconds go before a Program is compiled: tracing, and deriving while tracing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from time import perf_counter
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

DERIVE = "derive"


class _Running(threading.local):
    """The stages that this thread is in, the innermost last."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.since = 0.0
        self.totals: dict[str, float] = {}

    def charge(self) -> None:
        """Add the time since the last change to the innermost stage."""
        now = perf_counter()
        if self.names:
            name = self.names[-1]
            self.totals[name] = self.totals.get(name, 0.0) + now - self.since
        self.since = now


_RUNNING = _Running()


class stage:
    """What runs inside is charged to this stage, but for the stages that are entered inside.

    Parameters
    ----------
    name : str
        Inside of ``"derive"`` everything is a part of that.

    Attributes
    ----------
    totals : dict of str to float or None
        Seconds by stage, of the outermost stage only.

    Examples
    --------
    >>> with stage("trace") as outer:
    ...     with stage("derive") as inner:
    ...         pass
    >>> sorted(outer.totals), inner.totals
    (['derive', 'trace'], None)
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.totals: dict[str, float] | None = None

    def __enter__(self) -> stage:
        _RUNNING.charge()
        if not _RUNNING.names:
            self.totals = _RUNNING.totals = {}
        inside = _RUNNING.names[-1:] == [DERIVE]
        _RUNNING.names.append(DERIVE if inside else self.name)
        return self

    def __exit__(self, *_: object) -> None:
        _RUNNING.charge()
        _RUNNING.names.pop()


def derives(function: Callable[P, R]) -> Callable[P, R]:
    """A function whose time is charged to ``"derive"``."""

    @wraps(function)
    def timed(*args: P.args, **kwargs: P.kwargs) -> R:
        with stage(DERIVE):
            return function(*args, **kwargs)

    return timed
