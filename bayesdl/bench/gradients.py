"""``bayesdl bench gradients``: what a log density and gradient costs, here and elsewhere."""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.criticism.table import Table

from .asked import (
    PEERS_HELP,
    chosen,
    chosen_dtypes,
    chosen_peers,
    require_least,
    require_picture,
    require_writable,
)
from .floor import floor, machine_peak
from .models import CASES, TRANSCENDENTAL
from .report import finish, geometric_mean
from .scaling import ROWS, gradients_of, scaling, scaling_figure, scaling_table

PEERS = ("jax", "torch", "autograd")
# Largest relative difference between two libraries that compute the same thing.
TOLERANCE = {"float64": 1e-8, "float32": 2e-3}
NOTE = (
    "µs: one log density and gradient inside a loop, one thread, median of {repeats} loops.\n"
    "ratio: fastest peer / bayesdl. floor: the larger of {flops:.1f} GFLOP/s for its arithmetic\n"
    "(an exp, log or tanh counted as {transcendental}) and {cache:.0f} GB/s (in cache; memory "
    "{memory:.0f}) for its data."
)


@dataclass(frozen=True)
class Measured:
    """Figures of one run of the bench.

    Parameters
    ----------
    dtype : str
    cases : tuple of str
    found : dict
        Competitor → case → what its script reported.
    failed : dict of str to str
        Competitor → why it reported nothing.
    peak : dict of str to float
        Arithmetic and bandwidth of this machine, per second.
    repeats : int
    """

    dtype: str
    cases: tuple[str, ...]
    found: dict[str, dict[str, Any]]
    failed: dict[str, str]
    peak: dict[str, float]
    repeats: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--models", help="names joined by commas; all by default")
    parser.add_argument("--dtype", default="float64", help="float64, float32, or both")
    parser.add_argument("--repeats", type=int, default=15, help="loops of 20 ms for each figure")
    parser.add_argument("--rounds", type=int, default=1, help="processes for each figure")
    parser.add_argument("--peers", default=",".join(PEERS), help=PEERS_HELP)
    parser.add_argument("--peers-python", default=sys.executable, help="interpreter with the peers")
    parser.add_argument("--json", help="write all figures to this file")
    parser.add_argument("--scaling", action="store_true", help="cost against rows instead")
    parser.add_argument("--cores", type=int, default=1, help="of each process, with --scaling")
    parser.add_argument("--plot", help="draw cost against rows into this file; needs matplotlib")


def run(options: argparse.Namespace) -> int:
    """Measure, print, and write what was asked for; 1 if something failed that must not."""
    require_least(options, rounds=1, repeats=1, cores=1)
    require_writable(options, "json", "plot")
    require_picture(options.plot)
    dtypes = chosen_dtypes(options, ("float64", "float32"))
    if options.scaling or options.plot:
        cases = chosen(options.models, ROWS, "bench model that scales")
        return _scaling(options, cases, dtypes[0], chosen_peers(options, PEERS))
    cases = chosen(options.models, CASES, "bench model")
    peers, runs = chosen_peers(options, PEERS), []
    for dtype in dtypes:
        rounds = [
            measure(cases, dtype, peers, options.peers_python, options.repeats)
            for _ in range(options.rounds)
        ]
        measured = median_of(rounds)
        runs.append(measured)
        print(table(measured), end="\n\n")
        print(*verdicts(measured), sep="\n", end="\n\n", flush=True)
    finish(options.json, [vars(m) for m in runs])
    return int(any("bayesdl" in m.failed or different(m) for m in runs))


def _scaling(
    options: argparse.Namespace, cases: Sequence[str], dtype: str, peers: Sequence[str]
) -> int:
    python, repeats, cores = options.peers_python, min(options.repeats, 7), options.cores
    peak = machine_peak()
    points = scaling(cases, ("bayesdl", *peers), dtype, python, repeats, cores)
    print(scaling_table(points, dtype, peak, cores))
    failed = [p for p in points if p.error]
    for p in failed:
        print(f"{p.competitor} failed on {p.case} of {p.rows} rows: {p.error}")
    if options.plot:
        scaling_figure(points).savefig(options.plot)
        print(f"plot in {options.plot}")
    finish(options.json, [vars(p) for p in points])
    return int(any(p.competitor == "bayesdl" for p in failed))


def measure(
    cases: Sequence[str], dtype: str, peers: Sequence[str], python: str, repeats: int
) -> Measured:
    """Run every competitor once, one at a time, each in its own process.

    Parameters
    ----------
    cases : sequence of str
    dtype : {"float64", "float32"}
    peers : sequence of str
        Installed ones.
    python : str
        The interpreter of the peers.
    repeats : int
    """
    found, failed, peak = {}, {}, machine_peak()
    for name in ("bayesdl", *peers):
        reply = gradients_of(name, cases, dtype, python, repeats)
        if reply.error:
            failed[name] = reply.error
        else:
            found[name] = reply.found
    return Measured(dtype, tuple(cases), found, failed, peak, repeats)


def median_of(rounds: Sequence[Measured]) -> Measured:
    """One record with the median cost over rounds; what failed in one round has failed."""
    last = rounds[-1]
    failed = {name: why for one in rounds for name, why in one.failed.items()}
    found = {
        name: {
            case: {
                **reply,
                "microseconds": statistics.median(
                    one.found[name][case]["microseconds"] for one in rounds
                ),
            }
            for case, reply in replies.items()
        }
        for name, replies in last.found.items()
        if name not in failed
    }
    peak = {key: statistics.median(one.peak[key] for one in rounds) for key in last.peak}
    return Measured(last.dtype, last.cases, found, failed, peak, last.repeats)


def table(measured: Measured) -> Table:
    """One row a model: microseconds of each, ratio to the fastest peer, distance to the floor."""
    peers = [n for n in measured.found if n != "bayesdl"]
    rows = []
    for case in measured.cases:
        ours = _cost(measured, "bayesdl", case)
        least = floor(case, measured.dtype, measured.peak)
        ratio, agrees = ratio_to_fastest(measured, case), agreement(measured, case)
        rows.append(
            [
                CASES[case].title,
                ours,
                *(_cost(measured, peer, case) for peer in peers),
                ratio,
                least,
                None if ours is None else ours / least,
                None if not peers else "yes" if agrees <= TOLERANCE[measured.dtype] else agrees,
            ]
        )
    heading = ["model", "bayesdl µs", *(f"{p} µs" for p in peers)]
    note = NOTE.format(
        repeats=measured.repeats,
        flops=measured.peak[measured.dtype] / 1e9,
        transcendental=TRANSCENDENTAL,
        cache=measured.peak["cache"] / 1e9,
        memory=measured.peak["memory"] / 1e9,
    )
    title = f"log density + gradient, {measured.dtype}"
    return Table([*heading, "ratio", "floor µs", "× floor", "same"], rows, title, note)


def verdicts(measured: Measured) -> list[str]:
    """Lines under the table."""
    ratios = [ratio_to_fastest(measured, case) for case in measured.cases]
    known = [r for r in ratios if r is not None]
    lines = [f"{name} failed: {why}" for name, why in measured.failed.items()]
    lines += [f"DIFFERENT results: {case}" for case in different(measured)]
    if known:
        least = measured.cases[ratios.index(min(known))]
        lines.append(
            f"geometric mean of the ratios {geometric_mean(known):.2f}; "
            f"smallest {min(known):.2f} ({least})"
        )
    return lines


def ratio_to_fastest(measured: Measured, case: str) -> float | None:
    """Cost of the fastest peer over ours."""
    ours = _cost(measured, "bayesdl", case)
    others = [_cost(measured, n, case) for n in measured.found if n != "bayesdl"]
    known = [c for c in others if c is not None]
    return None if ours is None or not known else min(known) / ours


def different(measured: Measured) -> list[str]:
    """The cases of which two libraries do not compute the same."""
    allowed = TOLERANCE[measured.dtype]
    return [case for case in measured.cases if not agreement(measured, case) <= allowed]


def agreement(measured: Measured, case: str) -> float:
    """Largest relative difference of gradients, and of log densities up to a constant."""
    replies = [r[case] for r in measured.found.values() if case in r]
    if not replies:
        return 0.0
    first = np.array(replies[0]["gradient"])
    worst = 0.0
    for other in replies[1:]:
        apart = np.linalg.norm(np.array(other["gradient"]) - first) / np.linalg.norm(first)
        scale = max(abs(replies[0]["difference"]), 1e-300)
        worst = max(worst, apart, abs(other["difference"] - replies[0]["difference"]) / scale)
        worst = math.inf if math.isnan(apart) else worst
    return float(worst)


def _cost(measured: Measured, name: str, case: str) -> float | None:
    reply = measured.found.get(name, {}).get(case)
    return None if reply is None else float(reply["microseconds"])
