"""The one loop that runs every kernel: native blocks, many chains, the host in between."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesdl.lower.executable import Executable
from bayesdl.pipeline import compile

from .block import Block, Target, build_block
from .chain import Chain, Report, jobs
from .executors import Outcome, Workers, one_blas_thread, threads
from .keep import Keeper, Positions
from .kernel import Kernel
from .machine import usable_cores

CAPACITY = 100
Record = dict[str, Any]
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Compiled:
    """A kernel on a target as one native function.

    Parameters
    ----------
    block : Block
    executable : Executable
    seconds : dict of str to float
        Time to trace and to compile.
    """

    block: Block
    executable: Executable
    seconds: dict[str, float]


@dataclass(frozen=True)
class Run:
    """What a run gave, warm-up taken off, all chains of one length.

    Parameters
    ----------
    values : dict of name to array, shape (chains, draws, …)
        What the keeper kept: "position" if no other was given. Of an interrupted run, chains with
        less than half the draws of the longest one are left out, and the others cut to the shortest
        among them.
    stats : dict of name to array, shape (chains, draws)
    warmup : dict of name to array, shape (chains, warm-up iterations)
    shape : (int, int)
        Chains and draws.
    interrupted : bool
        Whether it was stopped by hand.
    iterations : tuple of int
        How far each chain went, warm-up counted.
    seconds : float
        Wall time.
    """

    values: dict[str, Any]
    stats: dict[str, Any]
    warmup: dict[str, Array]
    shape: tuple[int, int]
    interrupted: bool
    iterations: tuple[int, ...]
    seconds: float

    @property
    def positions(self) -> Array:
        """Unconstrained positions, shape (chains, draws, dim), where these were kept."""
        found: Array = self.values["position"]
        return found


def compile_kernel(kernel: Kernel, target: Target, capacity: int = CAPACITY) -> Compiled:
    """Trace and compile a kernel together with its density.

    Parameters
    ----------
    kernel : Kernel
    target : Target
    capacity : int, default 100
        Most iterations in a block; draws do not depend on it.
    """
    begin = time.perf_counter()
    block = build_block(kernel, target, capacity)
    traced = time.perf_counter()
    executable = compile(block.program)
    return Compiled(
        block, executable, {"trace": traced - begin, "compile": time.perf_counter() - traced}
    )


def run(
    compiled: Compiled,
    kernel: Kernel,
    target: Target,
    positions: Array,
    keys: Array,
    *,
    tune: int,
    draws: int,
    cores: int | None = None,
    thin: int = 1,
    report: Callable[[Record], None] = lambda record: None,
    keeper: Keeper | None = None,
    workers: AbstractContextManager[Workers] | None = None,
) -> Run:
    """Run one chain per starting position.

    Draws depend on the keys alone: not on who runs the blocks, nor on their size. Ctrl-C ends the
    run after the blocks in flight and keeps what was drawn. An optimisation that it finds under way
    ends there, and the draws are made from where it stands.

    Parameters
    ----------
    compiled : Compiled
    kernel : Kernel
        Says when its warm-up may end early.
    target : Target
        Whose data are used.
    positions : array, shape (chains, dim)
    keys : array of uint32, shape (chains, 2)
    tune, draws : int
        Iterations of warm-up (or optimisation), and after it.
    cores : int, optional
        Threads; as many as there are chains and usable CPUs if not given.
    thin : int, default 1
        Every thin-th draw is kept, with its statistics.
    report : callable
        Gets a record after each block, in the main thread: iterations "done" and "total" over all
        chains, and by chain "iterations", "drawn", "seconds" of computing, the "latest" block's
        Info, and "sums" of the Info over the draws.
    keeper : Keeper, optional
        Where draws go; positions are kept in memory if not given.
    workers : context manager of Workers, optional
        Who runs the blocks; threads if not given.
    """
    begin = time.perf_counter()
    found = jobs(compiled.block, compiled.executable, target.data, positions, keys, draws, thin)
    chains = [Chain(job, kernel, tune) for job in found]
    walk = Walk(chains, keeper or Positions(compiled.block), report)
    crowd = workers or threads(min(len(chains), cores or usable_cores()))
    interrupted = walk.through(crowd)
    if interrupted and not kernel.markov:
        with one_blas_thread():
            walk.draw_from_here()
    return walk.collected(interrupted, time.perf_counter() - begin)


class Walk:
    """All chains of a run on their way, and the keeper of their draws.

    Parameters
    ----------
    chains : list of Chain
    keeper : Keeper
    report : callable
        Gets a record after each block.
    """

    def __init__(
        self, chains: list[Chain], keeper: Keeper, report: Callable[[Record], None]
    ) -> None:
        self.chains, self.keeper, self.report = chains, keeper, report
        self._waiting: dict[Future[Outcome], int] = {}

    def through(self, workers: AbstractContextManager[Workers]) -> bool:
        """Walk to the end; whether Ctrl-C came before."""
        with workers as crowd:
            try:
                for i in range(len(self.chains)):
                    self._send(crowd, i)
                while self._waiting:
                    self._take_finished(crowd)
                    self.report(self.record())
            except KeyboardInterrupt:
                for future in wait(self._waiting).done:
                    self._take(self._waiting.pop(future), future.result())
                return True
        return False

    def _send(self, crowd: Workers, i: int) -> None:
        chain = self.chains[i]
        if not chain.finished:
            self._waiting[crowd.submit(chain.job, chain.here, chain.limit)] = i

    def _take_finished(self, crowd: Workers) -> None:
        for future in wait(self._waiting, return_when=FIRST_COMPLETED).done:
            i = self._waiting.pop(future)
            here, reports = future.result()
            self.chains[i].absorb(here, reports)
            # The chain goes on before its draws are put away.
            self._send(crowd, i)
            self._keep(i, reports)

    def _take(self, i: int, outcome: Outcome) -> None:
        self.chains[i].absorb(*outcome)
        self._keep(i, outcome[1])

    def _keep(self, i: int, reports: Any) -> None:
        thin = self.chains[i].job.thin
        for report in reports:
            if report.drawn is not None and len(report.positions):
                self.keeper.append(i, *_kept(report, thin))

    def draw_from_here(self) -> None:
        """End an optimisation where it stands, and make the draws."""
        for i, chain in enumerate(self.chains):
            if chain.here.at < chain.here.tune:
                chain.end_warmup()
            while not chain.finished:
                here, report = chain.job.advance(chain.here, chain.limit)
                self._take(i, (here, [report]))

    def record(self) -> Record:
        """What is shown of the run after a block."""
        return {
            "done": sum(c.here.at for c in self.chains),
            "total": sum(c.total for c in self.chains),
            "iterations": [c.here.at for c in self.chains],
            "drawn": [c.drawn for c in self.chains],
            "seconds": [c.seconds for c in self.chains],
            "latest": [c.latest for c in self.chains],
            "sums": [c.sums for c in self.chains],
        }

    def collected(self, interrupted: bool, seconds: float) -> Run:
        """The draws so far, chains cut to one length."""
        chains = self.chains
        count = common_length([c.drawn for c in chains])
        chosen = [i for i, c in enumerate(chains) if c.drawn >= count]
        kept = -(-count // chains[0].job.thin)
        values, stats = self.keeper.collect(chosen, kept)
        warmups = [chains[i].warmup() for i in chosen]
        least = min(min(c.here.at, c.here.tune) for c in (chains[i] for i in chosen))
        warmup = {n: np.stack([w[n][:least] for w in warmups]) for n in chains[0].job.block.info}
        return Run(
            values,
            stats,
            warmup,
            (len(chosen), kept),
            interrupted,
            tuple(c.here.at for c in chains),
            seconds,
        )


def _kept(report: Report, thin: int) -> tuple[int, Array, dict[str, Array]]:
    """Index of the first kept draw of a block, and positions and statistics of those kept."""
    drawn = report.drawn or 0
    stats = {name: column[-drawn % thin :: thin] for name, column in report.info.items()}
    return -(-drawn // thin), report.positions, stats


def common_length(drawn: list[int]) -> int:
    """The length to cut chains to; those that are shorter lag too far behind to be waited for."""
    return min(n for n in drawn if 2 * n >= max(drawn))
