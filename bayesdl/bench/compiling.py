"""``bayesdl bench compile``: seconds of each stage of compilation, against the size of a model."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesdl import dist
from bayesdl._base.dataclass import dataclass
from bayesdl.criticism.table import Table
from bayesdl.model import Model, model
from bayesdl.model.statements import factor, sample
from bayesdl.ops import numpy as bnp

from .asked import require_least, require_writable
from .process import run_script, succeeded, threads
from .report import finish

STAGES = ("trace", "passes", "emit", "LLVM")
PASSES = ("simplify", "prune", "join", "hoist", "tile")
EMISSION = ("fuse", "plan", "emit")
NOTE = (
    "seconds from a model and its data to native code of the log density and its gradient, without "
    "the disk cache.\nequations: of that Program as traced. a thousand: milliseconds for each "
    "thousand equations."
)


@model
def scalar_sites(count: int) -> None:
    """A walk of so many scalar sites, every third of them positive."""
    before = 0.0
    for i in range(count):
        if i % 3 == 2:
            before = before * sample(f"s{i}", dist.HalfNormal(1.0))
        else:
            before = sample(f"s{i}", dist.Normal(0.5 * before, 1.0))


@model
def recursion(steps: int) -> None:
    """A recursion written out: some five equations a step, forward and backward, of vectors."""
    weight = sample("weight", dist.Normal(0.0, 1.0).expand((8,)).to_event(1))
    state = weight
    for i in range(steps):
        state = bnp.tanh(weight * state + i / steps)
    factor("end", -bnp.sum(state**2))


# Each with its largest size; it is compiled at a quarter and a half of it too.
CASES: dict[str, tuple[Model, int]] = {
    "scalar_sites": (scalar_sites, 300),
    "recursion": (recursion, 700),
}


@dataclass(frozen=True)
class Compiled:
    """What one compilation took.

    Parameters
    ----------
    case : str
    size : int
        Sites or steps.
    equations : int
        Of the Program as it was traced.
    seconds : dict of str to float
        By stage, and ``whole``.
    """

    case: str
    size: int
    equations: int
    seconds: dict[str, float]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--rounds", type=int, default=1, help="processes for each figure")
    parser.add_argument("--json", help="write all figures to this file")


def run(options: argparse.Namespace) -> int:
    """Measure, print, and write what was asked for."""
    require_least(options, rounds=1)
    require_writable(options, "json")
    found = [
        measured(case, size * part // 4, options.rounds)
        for case, (_, size) in CASES.items()
        for part in (1, 2, 4)
    ]
    print(table(found))
    finish(options.json, [vars(c) for c in found])
    return 0


def measured(case: str, size: int, rounds: int) -> Compiled:
    """Compile in so many processes; medians.

    Raises
    ------
    BayesdlError
        If a process fails.
    """
    replies = []
    for _ in range(rounds):
        asked = {"case": case, "size": size}
        environment = {**threads(1), "BAYESDL_CACHE": "off"}
        reply = run_script("compile_bayesdl.py", asked, environment=environment)
        replies.append(succeeded(reply))
    seconds = {k: float(np.median([r["seconds"][k] for r in replies])) for k in ("whole", *STAGES)}
    return Compiled(case, size, replies[0]["equations"], seconds)


def by_stage(timings: dict[str, float], whole: float) -> dict[str, float]:
    """Seconds of `STAGES` out of an executable's timings; what no timing names is tracing."""
    passes, emission = (sum(timings.get(k, 0.0) for k in names) for names in (PASSES, EMISSION))
    native = sum(timings.get(k, 0.0) for k in ("optimise", "assemble", "link"))
    parts = whole - passes - emission - native, passes, emission, native
    return {"whole": whole, **dict(zip(STAGES, parts, strict=True))}


def table(found: Sequence[Compiled]) -> Table:
    """One row for each model and size."""
    rows: list[list[Any]] = [
        [
            c.case,
            c.size,
            c.equations,
            *(c.seconds[k] for k in (*STAGES, "whole")),
            1e6 * c.seconds["whole"] / c.equations,
        ]
        for c in found
    ]
    columns = ["model", "size", "equations", *(f"{s} s" for s in STAGES), "whole s", "a thousand"]
    return Table(columns, rows, "compilation of a log density and its gradient", NOTE)
