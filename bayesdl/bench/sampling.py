"""``bayesdl bench sampling``: effective draws per second and per gradient, here and elsewhere."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesdl.criticism.convergence import ess_bulk, ess_mean, rhat
from bayesdl.criticism.table import Table

from .models import CASES
from .process import installed
from .report import chosen, finish, geometric_mean
from .samplers import SAMPLERS, sampling_of

Floats = np.ndarray[Any, np.dtype[np.float64]]
# A network's weights are exchangeable: their effective sample size means nothing.
DEFAULT = tuple(name for name in CASES if not name.startswith("network"))
NOTE = (
    "4 chains. before: from asking for the process to sampling. sampling: warm-up and draws.\n"
    "ESS: bulk, of unconstrained coordinates, by one estimator for all. |z|: largest difference\n"
    "of a mean from bayesdl's, in standard errors of the two."
)


@dataclass(frozen=True)
class Sampled:
    """One library on one model.

    Parameters
    ----------
    case, library : str
    before, seconds : float
        Until sampling, and of it.
    gradients : int or None
        After warm-up.
    smallest_ess, median_ess, largest_rhat : float
        Over coordinates of the position.
    mean, error : array, shape (dim,)
        Posterior means and their standard errors.
    """

    case: str
    library: str
    before: float
    seconds: float
    gradients: int | None
    smallest_ess: float
    median_ess: float
    largest_rhat: float
    mean: Floats
    error: Floats

    def rate(self, whole: bool = False) -> float:
        """Smallest bulk ESS per second of sampling, or of the whole process."""
        return self.smallest_ess / (self.seconds + (self.before if whole else 0.0))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--models", help="names joined by commas")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--tune", type=int, default=1000)
    parser.add_argument("--peers", default=",".join(SAMPLERS), help="names joined by commas")
    parser.add_argument("--peers-python", default=sys.executable, help="interpreter with the peers")
    parser.add_argument("--json", help="write all figures to this file")


def run(options: argparse.Namespace) -> int:
    """Measure, print, and write what was asked for."""
    cases = chosen(options.models, CASES) if options.models else DEFAULT
    peers = installed(options.peers_python, [p for p in options.peers.split(",") if p])
    everything: list[Sampled] = []
    for case in cases:
        found, failed = [], []
        for name in ("bayesdl", *peers):
            one = sampled(name, case, options.peers_python, options.draws, options.tune)
            found += [one] if isinstance(one, Sampled) else []
            failed += [f"{name} failed: {one}"] if isinstance(one, str) else []
        print(table(found, CASES[case].title), *failed, sep="\n", end="\n\n", flush=True)
        everything += found
    print(NOTE, *verdict(everything), sep="\n")
    finish(options.json, [_plain(s) for s in everything])
    return 0


def sampled(name: str, case: str, python: str, draws: int, tune: int) -> Sampled | str:
    """Run a library; the reason if it fails."""
    reply = sampling_of(name, case, python, draws=draws, tune=tune, summarise=False, keep=True)
    if reply.error:
        return reply.error
    positions = np.asarray(reply.found["positions"])
    bulk = ess_bulk(positions)
    return Sampled(
        case,
        name,
        reply.found["before_seconds"],
        reply.found["sampling_seconds"],
        reply.found["gradients"],
        float(bulk.min()),
        float(np.median(bulk)),
        float(rhat(positions).max()),
        positions.mean((0, 1)),
        positions.std((0, 1)) / np.sqrt(ess_mean(positions)),
    )


def table(found: Sequence[Sampled], title: str) -> Table:
    """One row a library; the first is compared with."""
    rows = [
        [
            s.library,
            s.before,
            s.seconds,
            s.rate(),
            s.median_ess / s.seconds,
            s.rate(whole=True),
            None if not s.gradients else 1000.0 * s.smallest_ess / s.gradients,
            s.largest_rhat,
            apart(found[0], s),
        ]
        for s in found
    ]
    columns = ["library", "before s", "sampling s", "min ESS/s", "median ESS/s", "min ESS/s whole"]
    return Table([*columns, "min ESS/1000 gradients", "largest R-hat", "|z|"], rows, title)


def apart(one: Sampled, other: Sampled) -> float:
    """Largest difference of means, in standard errors."""
    scale = np.sqrt(one.error**2 + other.error**2)
    return float(np.max(np.abs(one.mean - other.mean) / scale))


def verdict(found: Sequence[Sampled]) -> list[str]:
    """Geometric means of our rate over the fastest peer's, of sampling and of the whole process."""
    lines = []
    for what in ("sampling", "the whole process"):
        ratios = {}
        for case in dict.fromkeys(s.case for s in found):
            rates = {s.library: s.rate(what != "sampling") for s in found if s.case == case}
            ours = rates.pop("bayesdl", None)
            if ours is not None and rates:
                ratios[case] = ours / max(rates.values())
        if ratios:
            least = min(ratios, key=lambda case: ratios[case])
            mean = geometric_mean(list(ratios.values()))
            lines.append(
                f"smallest bulk ESS per second of {what}, over the fastest peer: geometric mean "
                f"{mean:.2f}, smallest {ratios[least]:.2f} ({least})"
            )
    return lines


def _plain(s: Sampled) -> dict[str, object]:
    return {**vars(s), "mean": s.mean.tolist(), "error": s.error.tolist()}
