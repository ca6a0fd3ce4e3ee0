"""``bayesdl bench coldstart``: from the start of a process to draws and their summary numbers."""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from bayesdl._base.dataclass import dataclass
from bayesdl.criticism.table import Table

from .asked import PEERS_HELP, chosen_peers, require_least, require_writable
from .process import Reply
from .report import finish
from .samplers import SAMPLERS, sampling_of

SCHOOLS, NETWORK = "eight_schools", "network_two"
# Where bayesdl keeps compiled objects.
CACHE = "BAYESDL_CACHE"
NOTE = (
    "whole: from asking for the process to its end, median of {rounds}. before: until sampling\n"
    "begins. ESS and R-hat are each library's own."
)


@dataclass(frozen=True)
class Start:
    """One library's starts.

    Parameters
    ----------
    label, case : str
    replies : tuple of Reply
        One a round.
    """

    label: str
    case: str
    replies: tuple[Reply, ...]

    @property
    def error(self) -> str:
        """Why a round failed, if one did."""
        return next((r.error for r in self.replies if r.error), "")

    def median(self, key: str) -> float | None:
        """Over rounds; ``whole`` is the process."""
        if self.error:
            return None
        if key == "whole":
            return statistics.median(r.seconds for r in self.replies)
        values = [r.found.get(key) for r in self.replies]
        return None if None in values else statistics.median(v for v in values if v is not None)

    def phases(self) -> str:
        """Medians of what the library tells of its seconds, as one line; empty if it tells none."""
        told = [r.found.get("phases", {}) for r in self.replies]
        if self.error or not all(told):
            return ""
        parts = [f"{name} {statistics.median(t[name] for t in told):.2f}" for name in told[0]]
        return f"{self.label}: {', '.join(parts)} s"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--rounds", type=int, default=3, help="processes for each figure")
    parser.add_argument("--peers", default=",".join(SAMPLERS), help=PEERS_HELP)
    parser.add_argument("--peers-python", default=sys.executable, help="interpreter with the peers")
    parser.add_argument("--json", help="write all figures to this file")


def run(options: argparse.Namespace) -> int:
    """Measure, print, and write what was asked for."""
    require_least(options, rounds=1)
    require_writable(options, "json")
    peers = chosen_peers(options, SAMPLERS)
    schools = starts(SCHOOLS, peers, options.peers_python, options.rounds, draws=1000, tune=1000)
    print(table(schools, options.rounds), *_told(schools), sep="\n", end="\n\n", flush=True)
    few = [p for p in peers if p == "numpyro"]
    network = starts(
        NETWORK, few, options.peers_python, options.rounds, draws=1, tune=0, summarise=False
    )
    print(first_draw_table(network), *_told(network), sep="\n")
    print(*(f"{s.label} failed: {s.error}" for s in (*schools, *network) if s.error), sep="\n")
    finish(
        options.json,
        [
            {"library": s.label, "case": s.case, "rounds": [vars(r) for r in s.replies]}
            for s in (*schools, *network)
        ],
    )
    return 0


def _told(found: Sequence[Start]) -> list[str]:
    return [line for line in (s.phases() for s in found) if line]


def starts(
    case: str, peers: Sequence[str], python: str, rounds: int, **settings: Any
) -> list[Start]:
    """bayesdl with an empty cache, with a warm one, and each peer, round after round."""
    labels = ["bayesdl, cold", "bayesdl, warm", *peers]
    replies: dict[str, list[Reply]] = {label: [] for label in labels}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as cache:
            for label in labels:
                name = label.partition(",")[0]
                environment = {CACHE: cache} if name == "bayesdl" else {}
                reply = sampling_of(name, case, python, environment=environment, **settings)
                replies[label].append(reply)
    return [Start(label, case, tuple(replies[label])) for label in labels]


def table(found: Sequence[Start], rounds: int) -> Table:
    """One row a library."""
    ours = found[0].median("whole")
    rows = [
        [
            s.label,
            s.median("whole"),
            None if s.error or not ours else (s.median("whole") or 0.0) / ours,
            s.median("before_seconds"),
            s.median("sampling_seconds"),
            s.median("largest_rhat"),
            s.median("smallest_ess"),
        ]
        for s in found
    ]
    columns = ["library", "whole s", "× cold", "before s", "sampling s", "largest R-hat"]
    title = "eight schools, 4 × (1000 + 1000) draws and their summary"
    return Table([*columns, "smallest ESS"], rows, title, NOTE.format(rounds=rounds))


def first_draw_table(found: Sequence[Start]) -> Table:
    """Seconds to the first draw of the network with two hidden layers."""
    rows = [[s.label, s.median("whole"), s.median("before_seconds")] for s in found]
    return Table(["library", "whole s", "before s"], rows, "network 13-30-30-1, one draw a chain")
