"""Progress records, drawn by the main thread: a bar in a terminal, a line per tenth elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from bayesdl._base.errors import ArgumentError

Record = dict[str, Any]


def progress(choice: Any, label: str) -> Callable[[Record], None]:
    """What to call with each progress record.

    Parameters
    ----------
    choice : bool, "text" or callable
        ``True`` chooses by the terminal; "text" prints lines; a callable gets the records.
    label : str
        Name of the method.
    """
    if callable(choice):
        found: Callable[[Record], None] = choice
        return found
    if choice is False:
        return lambda record: None
    if choice not in (True, "text"):
        raise ArgumentError(
            f"progressbar={choice!r} is not known.",
            fix='use True, False, "text" or a function.',
            code="A101",
        )
    bar = choice is True and sys.stderr.isatty()
    return _Bar(label) if bar else _Lines(label)


class _Lines:
    """One line per tenth of the run."""

    def __init__(self, label: str) -> None:
        self.label, self.shown, self.start = label, -1, time.perf_counter()

    def __call__(self, record: Record) -> None:
        tenth = 10 * record["done"] // record["total"]
        if tenth > self.shown:
            self.shown = tenth
            print(_sentence(self.label, record, self.start), file=sys.stderr, flush=True)


class _Bar:
    """One line that is rewritten, at most ten times a second."""

    def __init__(self, label: str) -> None:
        self.label, self.last, self.start = label, 0.0, time.perf_counter()

    def __call__(self, record: Record) -> None:
        now, finished = time.perf_counter(), record["done"] >= record["total"]
        if finished or now - self.last > 0.1:
            self.last = now
            share = record["done"] / record["total"]
            drawn = "█" * round(24 * share) + "░" * (24 - round(24 * share))
            end = "\n" if finished else ""
            line = f"\r{drawn} {_sentence(self.label, record, self.start)}"
            print(line, end=end, file=sys.stderr, flush=True)


def _sentence(label: str, record: Record, start: float) -> str:
    parts = [f"{label} {record['done']}/{record['total']}"]
    if record.get("divergences") is not None:
        parts.append(f"{record['divergences']} divergences")
    if record.get("elbo") is not None:
        parts.append(f"ELBO {record['elbo']:.1f}")
    parts.append(f"{time.perf_counter() - start:.1f} s")
    return "  ".join(parts)
