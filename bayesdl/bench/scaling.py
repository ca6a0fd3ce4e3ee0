"""Cost of a gradient against the number of rows, and the memory it takes above the data."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bayesdl._base.dataclass import dataclass
from bayesdl.criticism.table import Table

from .floor import floor, traffic
from .models import CASES
from .process import Reply, run_script, threads

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS = {
    "logistic": (1_000, 10_000, 100_000, 1_000_000),
    "network_one": (1_000, 10_000, 100_000),
}


@dataclass(frozen=True)
class Point:
    """One competitor on one model with so many rows.

    Parameters
    ----------
    case, competitor : str
    rows : int
    microseconds : float or None
        Of one log density and gradient; None if the process failed.
    memory_mb : float or None
        Peak while running, above what the process held before, data and code included.
    error : str
        Why it failed; empty if it did not.
    """

    case: str
    competitor: str
    rows: int
    microseconds: float | None
    memory_mb: float | None
    error: str = ""


def gradients_of(
    name: str,
    cases: Sequence[str],
    dtype: str,
    python: str,
    repeats: int,
    rows: int | None = None,
    cores: int = 1,
) -> Reply:
    """What one competitor reports; with a number of rows, its memory too."""
    arrays = {}
    for case in cases:
        data = CASES[case].data(rows)
        arrays[f"{case}/position"] = CASES[case].position()
        arrays |= {f"{case}/data{i}": a for i, a in enumerate(data)}
    return run_script(
        f"gradients_{name}.py",
        {
            "cases": list(cases),
            "dtype": dtype,
            "repeats": repeats,
            "memory": rows is not None,
            "cores": cores,
        },
        python=sys.executable if name == "bayesdl" else python,
        arrays=arrays,
        environment=threads(cores),
    )


def scaling(
    cases: Sequence[str],
    competitors: Sequence[str],
    dtype: str,
    python: str,
    repeats: int,
    cores: int = 1,
) -> list[Point]:
    """Time every competitor for every number of rows, each in a process of its own."""
    points = []
    for case in cases:
        for rows in ROWS[case]:
            for name in competitors:
                reply = gradients_of(name, [case], dtype, python, repeats, rows, cores)
                found = reply.found.get(case, {})
                cost, memory = found.get("microseconds"), found.get("memory_mb")
                points.append(Point(case, name, rows, cost, memory, reply.error))
    return points


def scaling_table(
    points: Sequence[Point], dtype: str, peak: Mapping[str, float], cores: int = 1
) -> Table:
    """One row for each model, number of rows and competitor; `peak` as `machine_peak` gives it."""
    ours = {(p.case, p.rows): p.microseconds for p in points if p.competitor == "bayesdl"}
    rows: list[list[str | float | int | None]] = []
    for p in points:
        least = floor(p.case, dtype, peak, p.rows)
        size, bandwidth = traffic(p.case, dtype, peak, p.rows)
        rows.append(
            [
                p.case,
                p.rows,
                p.competitor,
                p.microseconds,
                _over(p.microseconds, 1e-3 * p.rows),
                _over(p.microseconds, least),
                1e3 * least / p.rows,
                size / p.rows,
                bandwidth / 1e9,
                _over(p.microseconds, ours.get((p.case, p.rows))),
                p.memory_mb,
            ]
        )
    costs = ["µs", "ns a row", "× floor", "floor ns a row", "bytes a row", "GB/s", "of bayesdl"]
    columns = ["model", "rows", "library", *costs, "peak MB above data"]
    title = f"log density + gradient against rows, {dtype}, {cores} core(s)"
    note = (
        f"floor: what one core needs for its arithmetic at {peak[dtype] / 1e9:.1f} GFLOP/s,\n"
        "or for the bytes of a row at the GB/s of the cache or memory that holds them: the larger."
    )
    return Table(columns, rows, title, note)


def scaling_figure(points: Sequence[Point]) -> Figure:
    """Nanoseconds a row against rows, one panel a model."""
    from matplotlib.figure import Figure

    cases = list(dict.fromkeys(p.case for p in points))
    figure = Figure(figsize=(4.4 * len(cases), 3.6), layout="constrained", dpi=150)
    for axes, case in zip(figure.subplots(1, len(cases), squeeze=False)[0], cases, strict=True):
        for name in dict.fromkeys(p.competitor for p in points):
            own = [p for p in points if p.case == case and p.competitor == name]
            # A point without a cost leaves a gap.
            costs = [1e3 * (p.microseconds or math.nan) / p.rows for p in own]
            axes.semilogx([p.rows for p in own], costs, marker="o", label=name)
        axes.set_title(CASES[case].title, loc="left", fontsize=10)
        axes.set_xlabel("rows")
        axes.set_ylim(bottom=0.0)
        axes.set_ylabel("ns a row for one gradient")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8)
    return figure


def _over(cost: float | None, other: float | None) -> float | None:
    return None if cost is None or other is None else cost / other
