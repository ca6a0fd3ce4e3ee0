"""The one loop that runs every kernel: native blocks, many chains, the host in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Future,
    wait,
)
from contextlib import AbstractContextManager
from dataclasses import field
from typing import Any

import numpy as np

from bayesdl import pipeline
from bayesdl._base.collector import uncollected
from bayesdl._base.dataclass import dataclass
from bayesdl._base.interrupts import interrupts_held
from bayesdl._base.tree import unflatten
from bayesdl.lower.executable import Executable

from .block import Block, Target, build_block
from .chain import Chain, Report, Snapshot, jobs
from .checkpoint import Checkpoint
from .climb import Climb
from .executors import Workers, one_blas_thread, workers
from .handle import Gate
from .keep import Keeper, Positions, common_length
from .kernel import Kernel
from .machine import usable_cores

# A block makes so many iterations at most: where these take microseconds, threads that came back to
# Python more often would wait for each other there. Of long positions it has room for fewer, for it
# clears the room even where it keeps none.
CAPACITY, BLOCK_BYTES = 5000, 1024 * 1024
RETRIES = 3
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
        Time to trace, and to compile: what is waited for.
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
        Statistics.
    shape : (int, int)
        Chains and draws.
    interrupted : bool
        Whether it was stopped by hand.
    iterations : tuple of int
        How far each chain went, warm-up counted.
    seconds : float
        Wall time.
    failure : exception, optional
        What stopped it: a disk that took no more, a worker that died too often, or any other.
    warmup_positions : array, shape (chains, warm-up iterations, dim), optional
        Where they are saved.
    latest : tuple of array, shape (n, dim)
        Positions of the last block of each chain.
    states : tuple of containers of arrays
        The kernel's state of each chain, at the end.
    keys : tuple of array of uint32, shape (2,)
        Of each chain: ``fold_in(key, i)`` is that of its iteration i.
    climbs : tuple of Climb
        Of a run that climbed to the mode before its first iteration, by chain.
    """

    values: dict[str, Any]
    stats: dict[str, Any]
    warmup: dict[str, Array]
    shape: tuple[int, int]
    interrupted: bool
    iterations: tuple[int, ...]
    seconds: float
    failure: BaseException | None = None
    warmup_positions: Array | None = None
    latest: tuple[Array, ...] = ()
    states: tuple[Any, ...] = ()
    keys: tuple[Array, ...] = ()
    climbs: tuple[Climb, ...] = ()

    @property
    def positions(self) -> Array:
        """Unconstrained positions, shape (chains, draws, dim), where these were kept."""
        found: Array = self.values["position"]
        return found


class LostWorkerError(RuntimeError):
    """A chain's worker died more often than it is given another."""


@dataclass()
class Host:
    """Where the draws of a run go, who runs its blocks, and who may look on.

    Parameters
    ----------
    keeper : Keeper, optional
        Positions are kept in memory if not given.
    executor : Executor or callable that gives one, optional
        Threads of this process if not given.
    checkpoint : Checkpoint, optional
    gate : Gate
    save_warmup : bool, default False
        Whether positions of the warm-up are kept, in memory.
    """

    keeper: Keeper | None = None
    executor: Any = None
    checkpoint: Checkpoint | None = None
    gate: Gate = field(default_factory=Gate)
    save_warmup: bool = False


def compile_kernel(kernel: Kernel, target: Target, capacity: int | None = None) -> Compiled:
    """Trace and compile a kernel together with its density.

    Parameters
    ----------
    kernel : Kernel
    target : Target
    capacity : int, optional
        Most iterations in a block; draws do not depend on it.
    """
    return begin_kernel(kernel, target, capacity)()


@uncollected()
def begin_kernel(
    kernel: Kernel, target: Target, capacity: int | None = None
) -> Callable[[], Compiled]:
    """The same in two steps: LLVM works beside what is done before the callable is called."""
    begin = time.perf_counter()
    capacity = capacity or CAPACITY
    room = BLOCK_BYTES // (target.dim * np.dtype(target.dtype).itemsize)
    block = build_block(kernel, target, capacity, min(max(room, 1), capacity))
    traced = time.perf_counter()
    # What an optimisation does not move decays until it is too small to be normal.
    rest = pipeline.begin(block.program, flushes=not kernel.markov)
    begun = time.perf_counter()

    def finish() -> Compiled:
        wait = time.perf_counter()
        executable = rest()
        waited = time.perf_counter() - wait
        seconds = {"trace": traced - begin, "compile": begun - traced + waited}
        return Compiled(block, executable, seconds)

    return finish


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
    host: Host | None = None,
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
        Threads: a chain each, and for each chain as many helpers as there are cores left for it.
        All usable CPUs if not given.
    thin : int, default 1
        Every thin-th draw is kept, with its statistics.
    report : callable
        Gets a record after each block, in the main thread: iterations "done" and "total" over all
        chains, and by chain "iterations" of "totals", "drawn", "seconds" of computing, "gradients"
        in them (0 where they are not counted), the "latest" block's Info, and "sums" of the Info
        over the draws.
    host : Host, optional
        Where draws go and who runs the blocks; memory and threads if not given.
    """
    begin = time.perf_counter()
    host = host or Host()
    lengths = draws, thin, host.save_warmup
    found = jobs(compiled.block, compiled.executable, target.data, positions, keys, *lengths)
    chains = [Chain(job, kernel, tune) for job in found]
    walk = Walk(chains, host.keeper or Positions(compiled.block), host, report)
    host.gate.collect = lambda: walk.collected(False, time.perf_counter() - begin)
    blas = compiled.executable.calls_blas
    crowd = workers(host.executor, len(chains), cores or usable_cores(), blas)
    interrupted = walk.through(crowd)
    if interrupted and not kernel.markov:
        with one_blas_thread(blas):
            walk.draw_from_here()
    walk.end()
    return walk.collected(interrupted, time.perf_counter() - begin)


class Walk:
    """All chains of a run on their way, and the keeper of their draws.

    Parameters
    ----------
    chains : list of Chain
    keeper : Keeper
    host : Host
    report : callable
        Gets a record after each block.
    """

    def __init__(
        self, chains: list[Chain], keeper: Keeper, host: Host, report: Callable[[Record], None]
    ) -> None:
        self.chains, self.keeper, self.host, self.report = chains, keeper, host, report
        self.failure: BaseException | None = None
        self._waiting: dict[Future[Any], int] = {}
        self._lost = [0] * len(chains)

    def through(self, crowd: AbstractContextManager[Workers]) -> bool:
        """Walk to the end, or to a failure; whether Ctrl-C came before."""
        checkpoint, interrupted = self.host.checkpoint, False
        if checkpoint is not None:
            checkpoint.restore(self.chains, self.keeper, self._keep)
        with crowd as workers:
            try:
                for i in range(len(self.chains)):
                    self._send(workers, i)
                while self._waiting:
                    self._take_finished(workers)
                    self.report(self.record())
                    self.host.gate.pass_through()
            except KeyboardInterrupt:
                interrupted = True
            except Exception as error:
                self._failed(error)
            self._take_rest()
        return interrupted

    def _failed(self, error: Exception) -> None:
        """The run ends, with what it has drawn; what went wrong first is told."""
        self.failure = self.failure or error

    def _send(self, workers: Workers, i: int, whole: bool = False) -> None:
        chain = self.chains[i]
        if chain.finished:
            return
        try:
            future = workers.submit(chain.job, chain.here, chain.limit, whole=whole)
        except BrokenExecutor as error:
            raise LostWorkerError(str(error) or type(error).__name__) from error
        self._waiting[future] = i

    def _take_finished(self, workers: Workers) -> None:
        for future in wait(self._waiting, return_when=FIRST_COMPLETED).done:
            with interrupts_held():
                i = self._waiting.pop(future)
                outcome = self._outcome(workers, i, future)
                if outcome is None:
                    self._send(workers, i, whole=True)
                    continue
                with self.host.gate.turn:
                    self.chains[i].absorb(*outcome)
                    try:
                        # The chain goes on before its draws are put away.
                        self._send(workers, i)
                    finally:
                        self._put_away(i, outcome[1])

    def _outcome(self, workers: Workers, i: int, future: Future[Any]) -> Any:
        """What a task gave; None if it is to be sent again."""
        error = future.exception() if not future.cancelled() else CancelledError()
        if error is not None and not workers.can_lose:
            raise error
        if error is not None:
            self._lost[i] += 1
            if self._lost[i] > RETRIES:
                raise LostWorkerError(str(error) or type(error).__name__) from error
            return None
        found = future.result()
        if isinstance(found, Exception):
            raise found
        self._lost[i] = 0 if found is not None else self._lost[i]
        return found

    def _take_rest(self) -> None:
        """What the blocks in flight give, and a last checkpoint."""
        for future in wait(self._waiting).done:
            i, found = self._waiting[future], None
            if not future.cancelled() and future.exception() is None:
                found = future.result()
            if isinstance(found, tuple):
                with self.host.gate.turn:
                    self._attempt(self._take, i, *found)
        if self.host.checkpoint is not None:
            self._attempt(self.host.checkpoint.write, self.chains, self.keeper, now=True)

    def _take(self, i: int, here: Snapshot, reports: Sequence[Report]) -> None:
        self.chains[i].absorb(here, reports)
        self._note(i, reports)
        self._keep(i, reports)

    def _attempt(self, step: Callable[..., None], *args: Any, **settings: Any) -> None:
        """Do what is still to be done, also where a step before it failed."""
        try:
            step(*args, **settings)
        except Exception as error:
            self._failed(error)

    def end(self) -> None:
        """The keeper brings its draws to where they stay."""
        with self.host.gate.turn:
            chosen, count = self._chosen()
            self._attempt(self.keeper.end, chosen, count, broken=self.failure is not None)

    def _put_away(self, i: int, reports: Sequence[Report]) -> None:
        self._note(i, reports)
        self._keep(i, reports)
        if self.host.checkpoint is not None:
            self.host.checkpoint.write(self.chains, self.keeper)

    def _note(self, i: int, reports: Sequence[Report]) -> None:
        if self.host.checkpoint is not None:
            self.host.checkpoint.note(i, reports, with_draws=self.keeper.replayed)

    def _keep(self, i: int, reports: Sequence[Report]) -> None:
        thin = self.chains[i].job.thin
        for report in reports:
            if report.drawn is None:
                continue
            first, positions, stats = _kept(report, thin)
            # A run that goes on may have statistics alone to tell of.
            if any(map(len, (positions, *stats.values()))):
                self.keeper.append(i, first, positions, stats)

    def draw_from_here(self) -> None:
        """End an optimisation where it stands, and make the draws."""
        self._attempt(self._draw)

    def _draw(self) -> None:
        for i, chain in enumerate(self.chains):
            if chain.here.at < chain.here.tune:
                chain.end_warmup()
            while not chain.finished:
                here, report = chain.job.advance(chain.here, chain.limit)
                chain.absorb(here, [report])
                self._keep(i, [report])

    def record(self) -> Record:
        """What is shown of the run after a block."""
        return {
            "done": sum(c.here.at for c in self.chains),
            "total": sum(c.total for c in self.chains),
            "iterations": [c.here.at for c in self.chains],
            "totals": [c.total for c in self.chains],
            "drawn": [c.drawn for c in self.chains],
            "seconds": [c.seconds for c in self.chains],
            "gradients": [c.gradients for c in self.chains],
            "latest": [c.latest for c in self.chains],
            "sums": [c.sums for c in self.chains],
        }

    def collected(self, interrupted: bool, seconds: float) -> Run:
        """The draws so far, chains cut to one length."""
        chains = self.chains
        chosen, kept = self._chosen()
        values, stats = self.keeper.collect(chosen, kept)
        warmups = [chains[i].warmup() for i in chosen]
        least = min(min(c.here.at, c.here.tune) for c in (chains[i] for i in chosen))
        warmup = {n: np.stack([w[n][:least] for w in warmups]) for n in chains[0].job.block.info}
        places = [chains[i].warmup_positions()[:least] for i in chosen]
        return Run(
            values,
            stats,
            warmup,
            (len(chosen), kept),
            interrupted,
            tuple(c.here.at for c in chains),
            seconds,
            self.failure,
            np.stack(places) if self.host.save_warmup else None,
            tuple(chains[i].places for i in chosen),
            tuple(unflatten(chains[i].job.block.tree, chains[i].here.leaves) for i in chosen),
            tuple(chains[i].job.key for i in chosen),
        )

    def _count(self, i: int) -> int:
        try:
            return self.keeper.count(i)
        except Exception as error:
            # Positions whose values cannot be computed are no draws.
            self._failed(error)
            return 0

    def _chosen(self) -> tuple[list[int], int]:
        """The chains that count, and how many draws of each."""
        counts = [self._count(i) for i in range(len(self.chains))]
        lengths, kept = counts, common_length(counts)
        if not kept and self.host.save_warmup:
            lengths = [min(c.here.at, c.here.tune) for c in self.chains]
        least = common_length(lengths)
        return [i for i, n in enumerate(lengths) if n >= least], kept


def _kept(report: Report, thin: int) -> tuple[int, Array, dict[str, Array]]:
    """Index of the first kept draw of a block, and positions and statistics of those kept."""
    drawn = report.drawn or 0
    stats = {name: column[-drawn % thin :: thin] for name, column in report.info.items()}
    return -(-drawn // thin), report.positions, stats
