"""What a run shows: progress as suits the place, and what is said before and after it."""

from __future__ import annotations

import logging
import shutil
import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from bayesdl._base.errors import ArgumentError
from bayesdl._base.source import warn_user

# With more chains than these, a table has one row for all.
MOST_ROWS = 8
LOG = logging.getLogger("bayesdl")
Record = dict[str, Any]


def progress(choice: Any, label: str) -> Callable[[Record], None]:
    """What to call with each progress record.

    Parameters
    ----------
    choice : bool, "text" or callable
        ``True`` chooses by where the run is watched; "text" prints lines; a callable gets the
        records of `infer.run`.
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
    if choice == "text":
        return _Lines(label)
    if _in_notebook():
        return _Notebook(label)
    if not sys.stderr.isatty():
        return _Lines(label)
    return _Bar(label) if find_spec("rich") is None else _Rich(label)


def unfailing(display: Callable[[Record], None]) -> Callable[[Record], None]:
    """The same until it fails, which is told once: what is seen of a run is not worth its draws."""
    failed = False

    def show(record: Record) -> None:
        nonlocal failed
        if failed:
            return
        try:
            display(record)
        except Exception as error:
            failed = True
            warn_user(
                "the progress display failed, and is switched off; the run goes on. "
                f"{type(error).__name__}: {error}"
            )

    return show


def on_screen(choice: Any) -> bool:
    """Whether a run with this choice of progress shows itself; a function is its own screen."""
    return choice is not False and not callable(choice)


def say(text: str, level: int = logging.INFO, *, shown: bool) -> None:
    """Say something of a run in the log, and on the screen where its progress is shown.

    Parameters
    ----------
    text : str
    level : int, default logging.INFO
    shown : bool
        What `on_screen` says of the run.
    """
    heard = LOG.isEnabledFor(level) and LOG.hasHandlers()
    # With no handler at all, Python prints warnings by itself: they would be there twice.
    if heard or not shown:
        LOG.log(level, "%s", text)
    if shown and not (heard and _log_is_on_screen(level)):
        print(text, file=sys.stderr, flush=True)


def _log_is_on_screen(level: int) -> bool:
    """Whether one of the handlers that the user gave to the log prints it."""
    logger: logging.Logger | None = LOG
    while logger is not None:
        for handler in logger.handlers:
            stream = getattr(handler, "stream", None)
            if stream in (sys.stderr, sys.stdout) and level >= handler.level:
                return True
        logger = logger.parent if logger.propagate else None
    return False


def _in_notebook() -> bool:
    """Whether a kernel shows what this process gives; IPython in a terminal has none."""
    library = sys.modules.get("IPython")
    shell = None if library is None else library.get_ipython()
    return getattr(shell, "kernel", None) is not None


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


class _Paced:
    """Shows a record when some time has passed since the last one, and the last of all."""

    pause = 0.1

    def __init__(self, label: str) -> None:
        self.label, self.last, self.start = label, 0.0, time.perf_counter()

    def __call__(self, record: Record) -> None:
        now, finished = time.perf_counter(), record["done"] >= record["total"]
        if finished or now - self.last > self.pause:
            self.last = now
            self.draw(record, now - self.start, finished)

    def draw(self, record: Record, seconds: float, finished: bool) -> None:
        """Show a record."""
        raise NotImplementedError


class _Bar(_Paced):
    """One line that is rewritten."""

    def draw(self, record: Record, seconds: float, finished: bool) -> None:
        words = sentence(self.label, record, seconds)
        # A line longer than the terminal would not be rewritten but repeated.
        width = shutil.get_terminal_size().columns - 1
        line = f"{_bar(record['done'] / record['total'], 24)} {words}"[:width].ljust(width)
        print(f"\r{line}", end="\n" if finished else "", file=sys.stderr, flush=True)


class _Rich(_Paced):
    """A table that is rewritten, with colours; nothing to undo if the run breaks off."""

    console: Any = None
    height = 0

    def draw(self, record: Record, seconds: float, finished: bool) -> None:
        found = columns(record)
        self.console = self.console or import_module("rich.console").Console(file=sys.stderr)
        table = import_module("rich.table").Table(box=None, expand=True, pad_edge=False)
        bar = import_module("rich.progress_bar").ProgressBar
        for name in ("chain", "", *found):
            table.add_column(name, justify="right" if name else "left", no_wrap=True)
        for i, (name, part) in enumerate(_parts(record)):
            cells = {n: column[i] for n, column in found.items()}
            if cells.get("divergences", "0") != "0":
                cells["divergences"] = f"[red]{cells['divergences']}[/red]"
            table.add_row(name, bar(total=1.0, completed=part, width=20), *cells.values())
        if self.height:
            self.console.control(import_module("rich.control").Control.move(0, -self.height))
        title = f"{self.label}  {seconds:.1f} s".ljust(self.console.width)[: self.console.width]
        self.console.print(title, no_wrap=True, markup=False, highlight=False)
        self.console.print(table)
        self.height = table.row_count + 2


class _Notebook(_Paced):
    """One block in the cell's output, replaced as the run goes on."""

    pause = 0.25
    handle: Any = None

    def draw(self, record: Record, seconds: float, finished: bool) -> None:
        text = block(self.label, record, seconds)
        data = {"text/plain": text, "text/html": f"<pre>{import_module('html').escape(text)}</pre>"}
        if self.handle is None:
            show = import_module("IPython.display").display
            self.handle = show(data, raw=True, display_id=True)
        else:
            self.handle.update(data, raw=True)


def sentence(label: str, record: Record, seconds: float) -> str:
    """What a record says in one line.

    Parameters
    ----------
    label : str
    record : dict
        As `infer.run` reports it.
    seconds : float
        Since the start.

    Examples
    --------
    >>> record = {"done": 3, "total": 8, "drawn": [0], "latest": [], "sums": []}
    >>> sentence("hmc", {**record, "gradients": [30.0], "seconds": [0.1]}, 0.5)
    'hmc  3/8  warm-up  300 gradients/s a chain  0.5 s'
    """
    drawn = sum(record["drawn"])
    parts = [label, f"{record['done']}/{record['total']}", f"{drawn} draws" if drawn else "warm-up"]
    if drawn and all("diverging" in s for s in record["sums"]):
        parts.append(f"{int(sum(s['diverging'] for s in record['sums']))} divergences")
    for name, words in (("step_size", "step size {:.3g}"), ("elbo", "ELBO {:.1f}")):
        values = _means(record, name)
        if values:
            parts.append(words.format(sum(values) / len(values)))
    rates = _gradient_rates(record)
    if rates:
        parts.append(f"{sum(rates) / len(rates):.0f} gradients/s a chain")
    return "  ".join([*parts, f"{seconds:.1f} s"])


def columns(record: Record) -> dict[str, list[str]]:
    """What a record says as a table: a row for each chain, or one for all of many.

    Parameters
    ----------
    record : dict
        As `infer.run` reports it.
    """
    found = {"draws": [float(n) for n in record["drawn"]]}
    if all("diverging" in s for s in record["sums"]):
        found["divergences"] = [s["diverging"] for s in record["sums"]]
    means = {"step size": _means(record, "step_size"), "ELBO": _means(record, "elbo")}
    means["gradients/s"] = _gradient_rates(record)
    # A chain that has reported nothing yet leaves the column out for now.
    found.update({n: v for n, v in means.items() if len(v) == len(record["drawn"])})
    if len(record["drawn"]) > MOST_ROWS:
        summed = ("draws", "divergences")
        found = {n: [sum(v) if n in summed else sum(v) / len(v)] for n, v in found.items()}
    style = {"step size": ".3g", "ELBO": ".1f"}
    return {n: [format(x, style.get(n, ".0f")) for x in v] for n, v in found.items()}


def block(label: str, record: Record, seconds: float) -> str:
    """A record as lines of text: a title, the names of the columns, and the rows."""
    parts = _parts(record)
    left = [["chain", *(name for name, _ in parts)], ["", *(_bar(part, 16) for _, part in parts)]]
    cells = [*left, *([name, *column] for name, column in columns(record).items())]
    widths = [max(map(len, column)) for column in cells]
    rows = (
        "  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True))
        for row in zip(*cells, strict=True)
    )
    return "\n".join([f"{label}  {seconds:.1f} s", *rows])


def _parts(record: Record) -> list[tuple[str, float]]:
    """Name of each row, and the part of its iterations that are done."""
    count = len(record["drawn"])
    if count > MOST_ROWS:
        return [(f"all {count}", record["done"] / record["total"])]
    pairs = zip(record["iterations"], record["totals"], strict=True)
    return [(str(i), done / total) for i, (done, total) in enumerate(pairs)]


def _bar(part: float, width: int) -> str:
    full = round(width * part)
    return "█" * full + "░" * (width - full)


def _means(record: Record, name: str) -> list[float]:
    return [float(x[name].mean()) for x in record["latest"] if name in x]


def _gradient_rates(record: Record) -> list[float]:
    """Gradients of each chain by second of computing them, warm-up counted."""
    pairs = list(zip(record["gradients"], record["seconds"], strict=True))
    return [g / s for g, s in pairs] if all(g > 0 for g, _ in pairs) else []
