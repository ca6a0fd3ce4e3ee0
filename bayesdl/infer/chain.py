"""One chain: what it needs to run anywhere, where it stands, and a block as a pure function."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.lower.executable import Executable
from bayesdl.ops import random

from .block import Block
from .kernel import Kernel
from .schedule import part, schedule

TARGET_SECONDS = 0.2
Array = np.ndarray[Any, Any]
# Chains of one run share the phases of their iterations.
_phases = lru_cache(maxsize=4)(schedule)


@dataclass(frozen=True)
class Snapshot:
    """Where a chain stands between two blocks: with its job, all that its future depends on.

    Parameters
    ----------
    leaves : tuple of arrays
        Of the kernel's state.
    at : int
        Iterations done, warm-up counted.
    tune : int
        Length of the warm-up, which may end early.
    size : int
        Steps of the next block. Draws do not depend on it.
    """

    leaves: tuple[Array, ...]
    at: int
    tune: int
    size: int = 1


@dataclass(frozen=True)
class Report:
    """What one block gave.

    Parameters
    ----------
    drawn : int or None
        Draws before these, thinning not counted; None in the warm-up.
    positions : array, shape (kept, dim)
        Every thin-th of the draws; in the warm-up all or none.
    info : dict of name to array, shape (steps,)
    seconds : float
    """

    drawn: int | None
    positions: Array
    info: dict[str, Array]
    seconds: float


@dataclass(frozen=True)
class Job:
    """What a chain is: pickled, it holds compiled code's recipe and numbers, and no model.

    Parameters
    ----------
    block : Block
    executable : Executable
    data : tuple of arrays
    start : array, shape (dim,)
    first_key, key : array of uint32, shape (2,)
        For the first state, and for the keys of the iterations.
    draws : int
        Iterations after the warm-up.
    thin : int
    save_warmup : bool, default False
        Whether reports of the warm-up have its positions.
    """

    block: Block
    executable: Executable
    data: tuple[Array, ...]
    start: Array
    first_key: Array
    key: Array
    draws: int
    thin: int
    save_warmup: bool = False

    def begin(self, tune: int) -> Snapshot:
        """Before the first iteration."""
        return Snapshot(tuple(np.zeros(t.shape, t.dtype) for t in self.block.state), 0, tune)

    def advance(self, here: Snapshot, limit: int) -> tuple[Snapshot, Report]:
        """One block of about TARGET_SECONDS, at most up to an iteration.

        Parameters
        ----------
        here : Snapshot
        limit : int
            At or before the end of the warm-up, or after it.
        """
        block = self.block
        # Positions of a warm-up are wanted where they are asked for: a long optimisation has many.
        keeps = here.at >= here.tune or self.save_warmup
        count = min(here.size, block.room if keeps else block.capacity, limit - here.at)
        begin = time.perf_counter()
        outputs = self.executable(
            np.bool_(here.at == 0),
            np.int64(count),
            np.bool_(keeps),
            self.start,
            self.first_key,
            self.key,
            *here.leaves,
            *part(_phases(here.tune, self.draws), here.at, count, block.capacity),
            *self.data,
        )
        seconds = max(time.perf_counter() - begin, 1e-6)
        leaves, (positions, *info) = (
            tuple(outputs[: len(here.leaves)]),
            outputs[len(here.leaves) :],
        )
        drawn = here.at - here.tune if here.at >= here.tune else None
        if drawn is None:
            thinned = positions[: count if keeps else 0]
        else:
            thinned = positions[:count][-drawn % self.thin :: self.thin]
        columns = {n: np.array(c[:count]) for n, c in zip(block.info, info, strict=True)}
        size = max(1, int(count * min(TARGET_SECONDS / seconds, 10.0)))
        there = replace(here, leaves=leaves, at=here.at + count, size=size)
        return there, Report(drawn, np.array(thinned), columns, seconds)


def jobs(
    block: Block,
    executable: Executable,
    data: Sequence[Any],
    starts: Array,
    keys: Array,
    draws: int,
    thin: int,
    save_warmup: bool = False,
) -> list[Job]:
    """A job for each starting position."""
    arrays = tuple(np.asarray(d, order="C") for d in data)
    found = []
    for start, key in zip(starts, keys, strict=True):
        # Streams apart: one for the first state, one for the keys of the iterations.
        first_key, step_key = np.ascontiguousarray(random.split(np.ascontiguousarray(key)))
        place = np.ascontiguousarray(start)
        own = (place, first_key, step_key, draws, thin, save_warmup)
        found.append(Job(block, executable, arrays, *own))
    return found


class Chain:
    """A chain as the host sees it: where it stands, and sums of what it has reported.

    Parameters
    ----------
    job : Job
    kernel : Kernel
        Says when its warm-up may end early.
    tune : int
    """

    def __init__(self, job: Job, kernel: Kernel, tune: int) -> None:
        self.job, self.kernel = job, kernel
        self.here = job.begin(tune)
        self.latest: dict[str, Array] = {}
        self.places = np.empty((0, job.block.position_type.shape[0]))
        self.sums = dict.fromkeys(job.block.info, 0.0)
        self.seconds = self.gradients = 0.0
        self._warmup: list[dict[str, Array]] = []
        self._warmup_positions: list[Array] = []

    @property
    def drawn(self) -> int:
        """Number of draws after the warm-up, thinning not counted."""
        return max(self.here.at - self.here.tune, 0)

    @property
    def total(self) -> int:
        """Number of iterations of the whole run."""
        return self.here.tune + self.job.draws

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.here.at >= self.total

    @property
    def limit(self) -> int:
        """Where the next block must end: at the end of warm-up, at a check, or at the end."""
        here, every = self.here, self.kernel.check_every
        if here.at >= here.tune:
            return self.total
        return min(here.tune, (here.at // every + 1) * every) if every else here.tune

    def absorb(self, here: Snapshot, reports: Sequence[Report]) -> None:
        """Go on to where the chain now stands."""
        for report in reports:
            self.latest, self.places = report.info, report.positions
            self.seconds += report.seconds
            if "n_steps" in report.info:
                self.gradients += float(report.info["n_steps"].sum())
            if report.drawn is None:
                self._warmup.append(report.info)
                self._warmup_positions.append(report.positions)
            else:
                self.sums = {k: v + float(report.info[k].sum()) for k, v in self.sums.items()}
        self.here = here
        every = self.kernel.check_every
        at_a_check = every and here.at < here.tune and here.at % every == 0
        if at_a_check and self.kernel.finished(self.warmup()):
            self.end_warmup()

    def end_warmup(self) -> None:
        """The next iteration is the first draw."""
        self.here = replace(self.here, tune=self.here.at)

    def warmup_positions(self) -> Array:
        """Positions of the warm-up's iterations, where these are saved."""
        kind = self.job.block.position_type
        return np.concatenate([np.empty((0, *kind.shape), kind.dtype), *self._warmup_positions])

    def warmup(self) -> dict[str, Array]:
        """What all iterations of the warm-up reported, in order."""
        if len(self._warmup) != 1:
            kinds = self.job.block.info_types
            whole = {
                name: np.concatenate([np.empty(0, kind.dtype), *(w[name] for w in self._warmup)])
                for name, kind in kinds.items()
            }
            # Asked again and again, it puts together what is new alone.
            self._warmup = [whole]
        return dict(self._warmup[0])
