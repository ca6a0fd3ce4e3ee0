"""Progress records, drawn by the main thread: a bar in a terminal, a line per tenth elsewhere."""

from __future__ import annotations

import shutil
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
        ``True`` chooses by the terminal; "text" prints lines; a callable gets the records of
        `infer.run`.
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
            line = sentence(self.label, record, time.perf_counter() - self.start)
            print(line, file=sys.stderr, flush=True)


class _Bar:
    """One line that is rewritten, at most ten times a second."""

    def __init__(self, label: str) -> None:
        self.label, self.last, self.start = label, 0.0, time.perf_counter()

    def __call__(self, record: Record) -> None:
        now, finished = time.perf_counter(), record["done"] >= record["total"]
        if finished or now - self.last > 0.1:
            self.last = now
            full = round(24 * record["done"] / record["total"])
            words = sentence(self.label, record, now - self.start)
            # A line longer than the terminal would not be rewritten but repeated.
            width = shutil.get_terminal_size().columns - 1
            line = f"{'█' * full}{'░' * (24 - full)} {words}"[:width].ljust(width)
            print(f"\r{line}", end="\n" if finished else "", file=sys.stderr, flush=True)


def sentence(label: str, record: Record, seconds: float) -> str:
    """What a record says: iterations, draws, divergences, step size or ELBO, time.

    Parameters
    ----------
    label : str
    record : dict
        As `infer.run` reports it.
    seconds : float
        Since the start.

    Examples
    --------
    >>> sentence("hmc", {"done": 3, "total": 8, "drawn": [0, 0], "latest": [], "sums": []}, 0.5)
    'hmc  3/8  warm-up  0.5 s'
    """
    drawn = sum(record["drawn"])
    parts = [label, f"{record['done']}/{record['total']}", f"{drawn} draws" if drawn else "warm-up"]
    if drawn and all("diverging" in s for s in record["sums"]):
        parts.append(f"{int(sum(s['diverging'] for s in record['sums']))} divergences")
    for name, words in (("step_size", "step size {:.3g}"), ("elbo", "ELBO {:.1f}")):
        values = [float(x[name].mean()) for x in record["latest"] if name in x]
        if values:
            parts.append(words.format(sum(values) / len(values)))
    return "  ".join([*parts, f"{seconds:.1f} s"])
