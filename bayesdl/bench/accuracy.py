"""``bayesdl bench posteriors``: posteriors with published answers: right or not, at what cost."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.criticism import convergence
from bayesdl.criticism.fits import fit
from bayesdl.criticism.table import Table

from .asked import chosen, require_least, require_writable
from .posteriors import POSTERIORS
from .reference import Reference, read
from .report import finish, geometric_mean

LIMIT, NOTABLE = 4.0, 3.0
NOTE = (
    "worst z: largest distance of a mean, sd or 5/50/95 % quantile from the reference draws, in\n"
    "standard errors of both. seconds: warm-up and draws. ESS: smallest bulk ESS of a published\n"
    "quantity per 1000 gradients of the draws, beside that of Stan at its defaults."
)


@dataclass(frozen=True)
class Judged:
    """A posterior, sampled and judged.

    Parameters
    ----------
    name : str
    worst : float
        Largest absolute z of the draws of all rounds together.
    at : str
        The quantity and statistic that has it.
    rhat : float
        The largest, of all rounds together.
    divergences : int
        Of all rounds.
    warned : bool
        Whether every round's verdict asks for attention.
    seconds, gradients, efficiency : float
        Of sampling, of the draws, and ESS per 1000 of these: medians over rounds.
    stan : float or None
        Stan's ESS per 1000 gradients, where known.
    z : dict of str to float
        Of every statistic of every quantity, all rounds together, by ``quantity statistic``.
    """

    name: str
    worst: float
    at: str
    rhat: float
    divergences: int
    warned: bool
    seconds: float
    gradients: float
    efficiency: float
    stan: float | None
    z: dict[str, float]

    @property
    def ratio(self) -> float | None:
        """Of ESS per gradient, to Stan's."""
        return None if self.stan is None else self.efficiency / self.stan

    @property
    def wrong(self) -> bool:
        """Far off without a warning."""
        return not self.worst < LIMIT and not self.warned


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--data", required=True, help="folder that holds posteriordb/")
    parser.add_argument("--names", help="names joined by commas")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--tune", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=1, help="runs of 4 chains for each posterior")
    parser.add_argument("--metric", help="of NUTS; its default if not given")
    parser.add_argument("--json", help="write all figures to this file")


def run(options: argparse.Namespace) -> int:
    """Sample, judge, print; 1 if a posterior is missed without a warning."""
    require_least(options, draws=4, tune=0, rounds=1)
    require_writable(options, "json")
    names = chosen(options.names, POSTERIORS, "posterior")
    references = [read(options.data, name) for name in names]
    begin = time.perf_counter()
    stan = _stan(Path(options.data) / "posteriordb" / "stan_nuts.json")
    settings: dict[str, Any] = {"draws": options.draws, "tune": options.tune}
    settings |= {"metric": options.metric} if options.metric else {}
    found = []
    for reference in references:
        one = judged(reference, stan.get(reference.name), options.rounds, settings)
        print(f"{one.name}: {one.seconds:.1f} s", file=sys.stderr, flush=True)
        found.append(one)
    print(table(found), *verdict(found), sep="\n")
    print(f"{time.perf_counter() - begin:.0f} s in all")
    finish(options.json, [{**asdict(one), "ratio": one.ratio} for one in found])
    return int(any(one.wrong for one in found))


def judged(
    reference: Reference, stan: float | None, rounds: int, settings: dict[str, Any]
) -> Judged:
    """Sample a posterior in several rounds; seeds are 1, 2, ….

    Parameters
    ----------
    reference : Reference
    stan : float or None
        Its ESS per 1000 gradients.
    rounds : int
    settings : dict
        Of `fit`.
    """
    parts, costs = [], []
    for seed in range(1, rounds + 1):
        post = fit(
            reference.model,
            *reference.arguments,
            chains=4,
            random_seed=seed,
            progressbar=False,
            **settings,
        )
        part, attrs = reference.draws(post.draws.values), post.draws.attrs
        gradients = float(post.draws.stats["n_steps"].sum())
        least = min(float(convergence.ess_bulk(draws)) for draws in part.values())
        parts.append(part)
        costs.append((attrs["run_seconds"], gradients, 1000.0 * least / gradients, attrs))
    pooled = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    z = reference.z_scores(pooled)
    at = max(z, key=lambda where: abs(z[where]) if np.isfinite(z[where]) else np.inf)
    return Judged(
        name=reference.name,
        worst=abs(z[at]),
        at=at,
        rhat=max(float(convergence.rhat(draws)) for draws in pooled.values()),
        divergences=sum(attrs["divergences"] for *_, attrs in costs),
        warned=all(attrs["attention"] for *_, attrs in costs),
        seconds=statistics.median(cost[0] for cost in costs),
        gradients=statistics.median(cost[1] for cost in costs),
        efficiency=statistics.median(cost[2] for cost in costs),
        stan=stan,
        z=z,
    )


def table(found: Sequence[Judged]) -> Table:
    """One row a posterior."""
    columns = ["posterior", "worst z", "at", "R-hat", "div.", "warned", "seconds", "gradients"]
    rows = [
        [
            one.name,
            one.worst,
            one.at,
            one.rhat,
            one.divergences,
            one.warned,
            one.seconds,
            int(one.gradients),
            one.efficiency,
            one.stan,
            one.ratio,
        ]
        for one in found
    ]
    return Table([*columns, "ESS/1000 grad", "Stan's", "ratio"], rows, note=NOTE)


def far_off(found: Sequence[Judged]) -> list[str]:
    """Every quantity with a notable z, a line for each posterior that has one."""
    lines = []
    for one in found:
        # A z that is not a number is notable.
        far = {where: z for where, z in one.z.items() if not abs(z) < NOTABLE}
        ordered = sorted(far, key=lambda where: -abs(far[where]))
        if far:
            listed = ", ".join(f"{where} {far[where]:+.1f}" for where in ordered)
            lines.append(f"|z| >= {NOTABLE:g}: {one.name}: {listed}")
    return lines


def verdict(found: Sequence[Judged]) -> list[str]:
    """What is far off, how many are right, and the geometric mean of the ratios to Stan."""
    right = sum(one.worst < LIMIT for one in found)
    count = sum(len(one.z) for one in found)
    notable = sum(not abs(z) < NOTABLE for one in found for z in one.z.values())
    lines = far_off(found)
    lines.append(f"|z| >= {NOTABLE:g}: {notable} of {count} statistics, 0.27 % by chance alone")
    lines.append(f"|z| < {LIMIT:g} on {right} of {len(found)}")
    lines += [f"WRONG without a warning: {one.name} ({one.at})" for one in found if one.wrong]
    ratios = [one.ratio for one in found if one.ratio is not None]
    if ratios:
        wins = sum(ratio >= 1.0 for ratio in ratios)
        lines.append(
            f"ESS per gradient, over Stan's: geometric mean {geometric_mean(ratios):.2f}, "
            f"at least 1 on {wins} of {len(ratios)}"
        )
    return lines


def _stan(file: Path) -> dict[str, float]:
    """Smallest bulk ESS per 1000 gradients of the draws, by posterior."""
    known = json.loads(file.read_text()) if file.exists() else {}
    return {name: record["ess_bulk_min_per_1000_grad"] for name, record in known.items()}
