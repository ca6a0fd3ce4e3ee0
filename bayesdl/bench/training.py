"""``bayesdl bench training``: steps per second, plain, under dropout, variational; passes."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from typing import Any

from bayesdl._base.dataclass import dataclass
from bayesdl.criticism.table import Table

from .asked import (
    PEERS_HELP,
    chosen,
    chosen_dtypes,
    chosen_peers,
    require_least,
    require_writable,
)
from .peers.training_nets import BATCH, METHODS, NETS, PASS_ROWS, PASSES
from .process import Reply, run_script, threads
from .report import finish, geometric_mean

PEERS = ("jax", "numpyro", "torch")
# Largest relative difference of the first negative log likelihood of one net in two libraries.
TOLERANCE = {"float64": 1e-9, "float32": 1e-4}
UCI_NET = "yacht"
NOTE = (
    "steps per second, minibatches of {batch} rows, {cores} core(s), median of {repeats} loops;\n"
    "of passes: over {rows} rows.\n"
    "ratio: bayesdl / fastest peer."
)


@dataclass(frozen=True)
class Trained:
    """Figures of one run of the bench.

    Parameters
    ----------
    dtype : str
    cores, repeats : int
    cases : tuple of str
        ``method/net``.
    found : dict
        Competitor → case → what its script reported.
    failed : dict of str to str
        Competitor → why it reported nothing.
    """

    dtype: str
    cores: int
    repeats: int
    cases: tuple[str, ...]
    found: dict[str, dict[str, Any]]
    failed: dict[str, str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--methods", help=f"of {', '.join(METHODS)}; all by default")
    parser.add_argument("--nets", help=f"of {', '.join(NETS)}; all by default")
    parser.add_argument("--dtype", default="float32", help="float64, float32, or both")
    parser.add_argument("--cores", type=int, default=1, help="of each process")
    parser.add_argument("--repeats", type=int, default=5, help="loops for each figure")
    parser.add_argument("--seconds", type=float, default=0.3, help="length of a loop")
    parser.add_argument("--peers", default=",".join(PEERS), help=PEERS_HELP)
    parser.add_argument("--peers-python", default=sys.executable, help="interpreter with the peers")
    parser.add_argument("--json", help="write all figures to this file")


def run(options: argparse.Namespace) -> int:
    """Measure, print, and write what was asked for; 1 if something failed that must not."""
    require_least(options, repeats=1, cores=1, seconds=0.001)
    require_writable(options, "json")
    dtypes = chosen_dtypes(options, ("float32", "float64"))
    nets = chosen(options.nets, NETS, "net of this bench")
    methods = chosen(options.methods, METHODS, "method of this bench")
    cases = tuple(f"{method}/{net}" for method in methods for net in nets)
    peers, runs = chosen_peers(options, PEERS), []
    for dtype in dtypes:
        trained = measure(cases, dtype, peers, options)
        runs.append(trained)
        print(table(trained), end="\n\n")
        print(*verdicts(trained), sep="\n", end="\n\n", flush=True)
    finish(options.json, [vars(t) for t in runs])
    return int(any("bayesdl" in t.failed or different(t) for t in runs))


def measure(
    cases: tuple[str, ...], dtype: str, peers: Sequence[str], options: argparse.Namespace
) -> Trained:
    """Run every competitor once, one at a time, each in its own process."""
    found, failed = {}, {}
    for name in ("bayesdl", *peers):
        reply = steps_of(name, cases, dtype, options)
        if reply.error:
            failed[name] = reply.error
        else:
            found[name] = reply.found
    return Trained(dtype, options.cores, options.repeats, cases, found, failed)


def steps_of(name: str, cases: Sequence[str], dtype: str, options: argparse.Namespace) -> Reply:
    """What one competitor reports."""
    asked = {"cases": list(cases), "dtype": dtype, "cores": options.cores}
    return run_script(
        f"training_{name}.py",
        {**asked, "repeats": options.repeats, "seconds": options.seconds},
        python=sys.executable if name == "bayesdl" else options.peers_python,
        environment=threads(options.cores),
    )


def table(trained: Trained) -> Table:
    """One row a method and net: steps per second of each, ratio to the fastest peer."""
    peers = [n for n in trained.found if n != "bayesdl"]
    rows = []
    for case in trained.cases:
        method, _, net = case.partition("/")
        apart = agreement(trained, case)
        rows.append(
            [
                method,
                NETS[net].title,
                *(_rate(trained, name, case) for name in ("bayesdl", *peers)),
                ratio_to_fastest(trained, case),
                None if not peers else "yes" if apart <= TOLERANCE[trained.dtype] else apart,
            ]
        )
    note = NOTE.format(batch=BATCH, cores=trained.cores, repeats=trained.repeats, rows=PASS_ROWS)
    columns = ["method", "net", "bayesdl", *peers, "ratio", "same"]
    return Table(columns, rows, f"training, {trained.dtype}", note)


def verdicts(trained: Trained) -> list[str]:
    """Lines under the table."""
    lines = [f"{name} failed: {why}" for name, why in trained.failed.items()]
    lines += [f"DIFFERENT nets: {case}" for case in different(trained)]
    ratios = {case: ratio_to_fastest(trained, case) for case in trained.cases}
    known = {case: r for case, r in ratios.items() if r is not None}
    if known:
        least = min(known, key=lambda case: known[case])
        mean = geometric_mean(list(known.values()))
        lines.append(
            f"geometric mean of the ratios {mean:.2f}; smallest {known[least]:.2f} ({least})"
        )
    rates = {name: _rate(trained, name, f"passes/{UCI_NET}") for name in trained.found}
    taken = [f"{name} {PASSES / rate:.2f} s" for name, rate in rates.items() if rate]
    if taken:
        work = f"{PASSES} passes over {PASS_ROWS} rows of {NETS[UCI_NET].title}"
        lines.append(f"{work}: {', '.join(taken)}")
    return lines


def ratio_to_fastest(trained: Trained, case: str) -> float | None:
    """Our steps per second over those of the fastest peer."""
    ours = _rate(trained, "bayesdl", case)
    others = [_rate(trained, n, case) for n in trained.found if n != "bayesdl"]
    known = [r for r in others if r is not None]
    return None if ours is None or not known else ours / max(known)


def different(trained: Trained) -> list[str]:
    """The cases of which two libraries do not begin with the same likelihood."""
    allowed = TOLERANCE[trained.dtype]
    return [case for case in trained.cases if not agreement(trained, case) <= allowed]


def agreement(trained: Trained, case: str) -> float:
    """Largest relative difference of the negative log likelihood at the first weights."""
    values = [replies[case]["nll"] for replies in trained.found.values() if case in replies]
    apart = [abs(v - values[0]) / abs(values[0]) for v in values[1:]]
    return math.inf if any(map(math.isnan, apart)) else max(apart, default=0.0)


def _rate(trained: Trained, name: str, case: str) -> float | None:
    found = trained.found.get(name, {}).get(case)
    return None if found is None else float(found["steps_per_second"])
