"""``bayesdl bench longrun``: whether long runs keep their rate, and how much memory they take."""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.criticism.table import Table

from .asked import chosen, require_least, require_writable
from .process import run_script
from .report import finish

# Draws of all four chains together.
RUNS = {"schools": 1_000_000, "network": 100_000}
TITLES = {
    "schools": "eight schools, draws in memory",
    "network": "3-98-98-1 tanh, float32, draws on disk (store=)",
}
TENTHS = 10
LONGEST = 7200.0
NOTE = (
    "rate: draws per second of all chains together. by work: per second of all processors' work,\n"
    "which counts no waiting for other programs. slowest: of ten parts with as many draws, over\n"
    "their median, by work. whole: with compilation, warm-up, verdict. peak MB: of the process,\n"
    "interpreter and verdict included."
)


@dataclass(frozen=True)
class LongRun:
    """What one run showed.

    Parameters
    ----------
    run : str
    draws : int
        Of all chains.
    rates, work_rates : list of float
        Draws per second, and per second of processors' work, in each tenth of the draws.
    whole_seconds, peak_mb, draws_mb : float
    """

    run: str
    draws: int
    rates: list[float]
    work_rates: list[float]
    whole_seconds: float
    peak_mb: float
    draws_mb: float

    @property
    def steadiness(self) -> float:
        """The slowest tenth's rate over the median, by processors' work."""
        return min(self.work_rates) / statistics.median(self.work_rates)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--runs", help=f"of {', '.join(RUNS)}; all by default")
    parser.add_argument("--part", type=float, default=1.0, help="of the draws, for a quick look")
    parser.add_argument("--folder", help="for the draws on disk, 4 GB; a temporary one by default")
    parser.add_argument("--json", help="write all figures to this file")


def run(options: argparse.Namespace) -> int:
    """Run, print, and write what was asked for; 1 if a run failed."""
    require_least(options, part=1e-9)
    require_writable(options, "json")
    found, failed = [], []
    for name in chosen(options.runs, RUNS, "long run"):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            draws = max(int(RUNS[name] * options.part), 4 * TENTHS)
            asked = {"run": name, "draws": draws, "folder": str(Path(folder) / "draws")}
            reply = run_script("longrun_bayesdl.py", asked, timeout=LONGEST)
        if reply.error:
            failed.append(f"{name} failed: {reply.error}")
        else:
            found.append(measured(name, draws, reply.found))
    print(table(found), *tenths(found), *failed, sep="\n")
    finish(options.json, [asdict(one) | {"steadiness": one.steadiness} for one in found])
    return int(bool(failed))


def measured(name: str, draws: int, found: dict[str, Any]) -> LongRun:
    """Rates from the points that a process saw.

    Parameters
    ----------
    name : str
    draws : int
    found : dict
        Its ``seen`` has triples of seconds, seconds of work, and draws so far.
    """
    *clocks, drawn = np.array(found.pop("seen"), dtype=float).T
    # A short run may end in the block in which the last of its chains begins to draw.
    first = min(int(np.flatnonzero(drawn)[0]), int(np.flatnonzero(drawn < drawn[-1])[-1]))
    marks = np.linspace(drawn[first], drawn[-1], TENTHS + 1)
    rates = [np.diff(marks) / np.diff(np.interp(marks, drawn, clock)) for clock in clocks]
    return LongRun(name, draws, *(each.tolist() for each in rates), **found)


def table(found: Sequence[LongRun]) -> Table:
    """One row a run."""
    rows: list[list[str | float | int | None]] = [
        [
            TITLES[one.run],
            one.draws,
            statistics.median(one.rates),
            statistics.median(one.work_rates),
            one.steadiness,
            one.whole_seconds,
            one.draws_mb,
            one.peak_mb,
        ]
        for one in found
    ]
    columns = ["run", "draws", "rate", "by work", "slowest", "whole s", "draws MB", "peak MB"]
    return Table(columns, rows, "long runs, 4 chains", NOTE)


def tenths(found: Sequence[LongRun]) -> list[str]:
    """The rates of each run from its first tenth to its last."""
    return [
        f"{one.run}, {what}, by tenths: {', '.join(f'{r:.0f}' for r in rates)}"
        for one in found
        for what, rates in (("rate", one.rates), ("by work", one.work_rates))
    ]
