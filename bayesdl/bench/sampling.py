"""``bayesdl bench sampling``: effective draws per second and per gradient, here and elsewhere."""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.criticism.convergence import ess_bulk, ess_mean, rhat
from bayesdl.criticism.table import Table

from .coldstart import CACHE
from .models import CASES
from .peers.densities import HIDDEN, network_output
from .process import installed
from .report import chosen, finish, geometric_mean
from .samplers import SAMPLERS, sampling_of

Floats = np.ndarray[Any, np.dtype[np.float64]]
COLD, WARM = "bayesdl, cold", "bayesdl, warm"
# Libraries that learn correlated directions run a second time with them.
LOW_RANK = "low_rank"
BAYESDL_LOW_RANK, NUTPIE_LOW_RANK = f"bayesdl, {LOW_RANK}", f"nutpie, {LOW_RANK}"
# Networks are compared by short runs of all libraries alike, and not written for the others.
NETWORK = {"draws": 200, "tune": 200, "depth": 8}
NETWORK_PEERS = ("numpyro", "blackjax")
NUMPY = SimpleNamespace(sum=np.sum, tanh=np.tanh)
NOTE = (
    "4 chains. before: from asking for the process to sampling. sampling: warm-up and draws.\n"
    "ESS: bulk, of unconstrained coordinates, of networks their predictions at all rows; by one\n"
    "estimator for all. |z|: largest difference of a mean from bayesdl's, in standard errors of\n"
    "the two. cold, warm: without and with compiled code from an earlier process."
)


@dataclass(frozen=True)
class Sampled:
    """One library on one model.

    Parameters
    ----------
    case, library : str
    before, seconds : float
        Until sampling, and of it.
    gradients, all_gradients : float or None
        Of the draws, and with the warm-up.
    smallest_ess, median_ess, largest_rhat : float
        Over coordinates of the position, or predictions of a network.
    mean, error : array, shape (quantities,)
        Posterior means of these and their standard errors.
    """

    case: str
    library: str
    before: float
    seconds: float
    gradients: float | None
    all_gradients: float | None
    smallest_ess: float
    median_ess: float
    largest_rhat: float
    mean: Floats
    error: Floats

    def rate(self, whole: bool = False) -> float:
        """Smallest bulk ESS per second of sampling, or of the whole process."""
        return self.smallest_ess / (self.seconds + (self.before if whole else 0.0))

    @property
    def gradient_rate(self) -> float | None:
        """Gradients per second of sampling."""
        return None if self.all_gradients is None else self.all_gradients / self.seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--models", help="names joined by commas")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--tune", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=1, help="runs for each figure, a median")
    parser.add_argument("--peers", default=",".join(SAMPLERS), help="names joined by commas")
    parser.add_argument("--peers-python", default=sys.executable, help="interpreter with the peers")
    parser.add_argument("--json", help="write all figures to this file")


def run(options: argparse.Namespace) -> int:
    """Measure, print, and write what was asked for."""
    begin = time.perf_counter()
    peers = installed(options.peers_python, [p for p in options.peers.split(",") if p])
    everything: list[Sampled] = []
    for case in chosen(options.models, CASES):
        length = NETWORK if case in HIDDEN else {"draws": options.draws, "tune": options.tune}
        able = [p for p in peers if case not in HIDDEN or p in NETWORK_PEERS]
        found, failed = compared(case, able, options.peers_python, options.rounds, length)
        print(table(found, CASES[case].title), *failed, sep="\n", end="\n\n", flush=True)
        everything += found
    print(NOTE, *verdict(everything), sep="\n")
    print(f"{time.perf_counter() - begin:.0f} s in all")
    finish(options.json, [_plain(s) for s in everything])
    return 0


def compared(
    case: str, peers: Sequence[str], python: str, rounds: int, length: Mapping[str, int]
) -> tuple[list[Sampled], list[str]]:
    """Medians over rounds of each library, and why some failed; bayesdl with both caches.

    Parameters
    ----------
    case : str
    peers : sequence of str
    python : str
        Their interpreter.
    rounds : int
        Each with a seed of its own, in which all libraries have their turn.
    length : mapping of str to int
        Draws, warm-up and tree depth, as `sampling_of` takes them.
    """
    labels = [COLD, WARM, *peers]
    if case not in HIDDEN:
        labels[2:2] = [BAYESDL_LOW_RANK]
        labels += [NUTPIE_LOW_RANK] if "nutpie" in peers else []
    found: dict[str, list[Sampled]] = {label: [] for label in labels}
    failed: dict[str, str] = {}
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as cache:
            for label in [label for label in found if label not in failed]:
                environment = {CACHE: cache} if _is_ours(label) else {}
                one = sampled(label, case, python, environment, seed=number + 1, **length)
                if isinstance(one, str):
                    failed[label] = f"{label} failed: {one}"
                else:
                    found[label].append(one)
    whole = [middle(parts) for label, parts in found.items() if label not in failed]
    return whole, list(failed.values())


def sampled(
    label: str, case: str, python: str, environment: Mapping[str, str], **settings: int
) -> Sampled | str:
    """Run a library; the reason if it fails."""
    library, _, variant = label.partition(", ")
    reply = sampling_of(
        library,
        case,
        python,
        metric=LOW_RANK if variant == LOW_RANK else "diag",
        environment=environment,
        summarise=False,
        keep=True,
        **settings,
    )
    if reply.error:
        return reply.error
    values = judged_by(case, np.asarray(reply.found["positions"]))
    bulk = ess_bulk(values)
    return Sampled(
        case,
        label,
        reply.found["before_seconds"],
        reply.found["sampling_seconds"],
        reply.found["gradients"],
        reply.found["all_gradients"],
        float(bulk.min()),
        float(np.median(bulk)),
        float(rhat(values).max()),
        values.mean((0, 1)),
        values.std((0, 1)) / np.sqrt(ess_mean(values)),
    )


def judged_by(case: str, positions: Floats) -> Floats:
    """Positions, or of a network its predictions at all rows; shape (chain, draw, quantity)."""
    if case not in HIDDEN:
        return positions
    x = CASES[case].data()[0]
    flat = positions.reshape(-1, positions.shape[2])
    found = np.stack([network_output(NUMPY, case, q, x) for q in flat])
    return found.reshape(*positions.shape[:2], len(x))


def middle(rounds: Sequence[Sampled]) -> Sampled:
    """Medians over rounds; of means the mean."""
    values = {f.name: [getattr(one, f.name) for one in rounds] for f in fields(Sampled)}
    found = {
        name: several[0]
        if isinstance(several[0], str) or None in several
        else statistics.median(several)
        for name, several in values.items()
        if name not in ("mean", "error")
    }
    mean = np.mean(values["mean"], axis=0)
    error = np.sqrt(np.sum(np.square(values["error"]), axis=0)) / len(rounds)
    return Sampled(**found, mean=mean, error=error)


def table(found: Sequence[Sampled], title: str) -> Table:
    """One row a library; the first is compared with."""
    rows = [
        [
            s.library,
            s.before,
            s.seconds,
            s.gradient_rate,
            s.rate(),
            s.median_ess / s.seconds,
            s.rate(whole=True),
            s.median_ess / (s.seconds + s.before),
            None if not s.gradients else 1000.0 * s.smallest_ess / s.gradients,
            s.largest_rhat,
            apart(found[0], s),
        ]
        for s in found
    ]
    columns = ["library", "before s", "sampling s", "gradients/s", "min ESS/s", "median ESS/s"]
    columns += ["min, whole", "median, whole", "min ESS/1000 gradients", "largest R-hat", "|z|"]
    return Table(columns, rows, title)


def apart(one: Sampled, other: Sampled) -> float:
    """Largest difference of means, in standard errors."""
    scale = np.sqrt(one.error**2 + other.error**2)
    return float(np.max(np.abs(one.mean - other.mean) / scale))


# What is compared, by which of our two runs, and by what figure.
RATIOS: dict[str, tuple[str, Callable[[Sampled], float | None]]] = {
    "sampling": (WARM, lambda s: s.rate()),
    "whole, cold": (COLD, lambda s: s.rate(whole=True)),
    "whole, warm": (WARM, lambda s: s.rate(whole=True)),
    "gradients/s": (WARM, lambda s: s.gradient_rate),
    "sampling, low_rank": (BAYESDL_LOW_RANK, lambda s: s.rate()),
}


def verdict(found: Sequence[Sampled]) -> list[str]:
    """Our figures over the fastest peer's, by model, and their geometric means."""
    cases = list(dict.fromkeys(s.case for s in found))
    ratios = {
        case: {what: _over_peers([s for s in found if s.case == case], what) for what in RATIOS}
        for case in cases
    }
    ratios = {case: row for case, row in ratios.items() if row["sampling"] is not None}
    if not ratios:
        return []
    rows = [[case, *row.values()] for case, row in ratios.items()]
    title = "smallest bulk ESS per second and gradients per second, over the fastest peer's"
    lines = ["", str(Table(["model", *RATIOS], rows, title))]
    for kind, members in (
        ("models", [row for case, row in ratios.items() if case not in HIDDEN]),
        ("networks", [row for case, row in ratios.items() if case in HIDDEN]),
    ):
        means = [
            f"{what} {geometric_mean(known):.2f}"
            for what in RATIOS
            if (known := [r for row in members if (r := row[what])])
        ]
        lines += [f"geometric means over {kind}: {', '.join(means)}"] if means else []
    return lines


def _over_peers(found: Sequence[Sampled], what: str) -> float | None:
    label, figure = RATIOS[what]
    ours = [figure(s) for s in found if s.library == label]
    theirs = [figure(s) for s in found if not _is_ours(s.library)]
    known = [value for value in theirs if value is not None]
    return ours[0] / max(known) if ours and ours[0] is not None and known else None


def _is_ours(label: str) -> bool:
    return label.startswith("bayesdl")


def _plain(s: Sampled) -> dict[str, object]:
    return {**vars(s), "mean": s.mean.tolist(), "error": s.error.tolist()}
