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

from .asked import PEERS_HELP, chosen, chosen_peers, require_least, require_writable
from .coldstart import CACHE
from .models import CASES
from .peers.densities import HIDDEN, network_output
from .report import finish, geometric_mean
from .samplers import SAMPLERS, sampling_of

Floats = np.ndarray[Any, np.dtype[np.float64]]
COLD, WARM = "bayesdl, cold", "bayesdl, warm"
# Libraries that learn correlated directions run a second time with them.
LOW_RANK = "low_rank"
COLD_LOW_RANK, WARM_LOW_RANK = f"bayesdl, {LOW_RANK}, cold", f"bayesdl, {LOW_RANK}, warm"
NUTPIE_LOW_RANK = f"nutpie, {LOW_RANK}"
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

MEANS = (
    "best: of our two metrics, against the best of all peers and of both metrics of nutpie.\n"
    "models, networks: geometric means over them."
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
    parser.add_argument("--peers", default=",".join(SAMPLERS), help=PEERS_HELP)
    parser.add_argument("--peers-python", default=sys.executable, help="interpreter with the peers")
    parser.add_argument("--json", help="write all figures to this file")


def run(options: argparse.Namespace) -> int:
    """Measure, print, and write what was asked for."""
    begin = time.perf_counter()
    require_least(options, draws=4, tune=0, rounds=1)
    require_writable(options, "json")
    cases, peers = chosen(options.models, CASES, "bench model"), chosen_peers(options, SAMPLERS)
    everything: list[Sampled] = []
    for case in cases:
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
        labels[2:2] = [COLD_LOW_RANK, WARM_LOW_RANK]
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
    library, *variant = label.split(", ")
    reply = sampling_of(
        library,
        case,
        python,
        metric=LOW_RANK if LOW_RANK in variant else "diag",
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


# What is compared: the best of which of our runs, by what figure.
RATIOS: dict[str, tuple[tuple[str, ...], Callable[[Sampled], float | None]]] = {
    "sampling, diag": ((WARM,), lambda s: s.rate()),
    "sampling, low_rank": ((WARM_LOW_RANK,), lambda s: s.rate()),
    "sampling, best": ((WARM, WARM_LOW_RANK), lambda s: s.rate()),
    "whole cold, diag": ((COLD,), lambda s: s.rate(whole=True)),
    "whole cold, low_rank": ((COLD_LOW_RANK,), lambda s: s.rate(whole=True)),
    "whole cold, best": ((COLD, COLD_LOW_RANK), lambda s: s.rate(whole=True)),
    "whole warm, diag": ((WARM,), lambda s: s.rate(whole=True)),
    "whole warm, low_rank": ((WARM_LOW_RANK,), lambda s: s.rate(whole=True)),
    "whole warm, best": ((WARM, WARM_LOW_RANK), lambda s: s.rate(whole=True)),
    "gradients/s, diag": ((WARM,), lambda s: s.gradient_rate),
}


def verdict(found: Sequence[Sampled]) -> list[str]:
    """Our figures over the best of the peers', by model, and their geometric means."""
    cases = list(dict.fromkeys(s.case for s in found))
    rows = [[what, *row] for what in RATIOS if any(row := _row(found, what, cases))]
    if not rows:
        return []
    title = "smallest bulk ESS per second, and gradients per second, over the best of all peers"
    return ["", str(Table(["ours", *cases, "models", "networks"], rows, title, note=MEANS))]


def _row(found: Sequence[Sampled], what: str, cases: Sequence[str]) -> list[float | None]:
    """Ratios by model, and their geometric means over models and over networks."""
    ratios = {case: over_peers([s for s in found if s.case == case], what) for case in cases}
    means = []
    for networks in (False, True):
        known = [r for case, r in ratios.items() if r is not None and (case in HIDDEN) == networks]
        means.append(geometric_mean(known) if known else None)
    return [*ratios.values(), *means]


def over_peers(found: Sequence[Sampled], what: str) -> float | None:
    """The ratio of the best of our runs to the best of the peers', on one model.

    Parameters
    ----------
    found : sequence of Sampled
        Of one model.
    what : str
        A key of `RATIOS`.

    Returns
    -------
    float or None
        None if one of our runs, or every peer, is not among them.
    """
    labels, figure = RATIOS[what]
    ours = [figure(s) for s in found if s.library in labels]
    theirs = [figure(s) for s in found if not _is_ours(s.library)]
    mine, known = ([v for v in values if v is not None] for values in (ours, theirs))
    return max(mine) / max(known) if len(mine) == len(labels) and known else None


def _is_ours(label: str) -> bool:
    return label.startswith("bayesdl")


def _plain(s: Sampled) -> dict[str, object]:
    return {**vars(s), "mean": s.mean.tolist(), "error": s.error.tolist()}
