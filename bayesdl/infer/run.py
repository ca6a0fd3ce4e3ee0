"""The one loop that runs every kernel: native blocks, a thread a chain, the host in between."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from bayesdl.lower.executable import Executable
from bayesdl.ops import random
from bayesdl.pipeline import compile

from .block import Block, Target, build_block
from .kernel import Kernel
from .machine import usable_cores
from .schedule import part, schedule

TARGET_SECONDS = 0.2
CAPACITY = 100
Record = dict[str, Any]


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
    positions : array, shape (chains, draws, dim)
        Of an interrupted run, chains with less than half the draws of the longest one are left
        out, and the others cut to the shortest among them.
    stats : dict of name to array, shape (chains, draws)
    warmup : dict of name to array, shape (chains, warm-up iterations)
    interrupted : bool
        Whether it was stopped by hand.
    iterations : tuple of int
        How far each chain went, warm-up counted.
    seconds : float
        Wall time.
    """

    positions: np.ndarray[Any, Any]
    stats: dict[str, np.ndarray[Any, Any]]
    warmup: dict[str, np.ndarray[Any, Any]]
    interrupted: bool
    iterations: tuple[int, ...]
    seconds: float


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
    positions: np.ndarray[Any, Any],
    keys: np.ndarray[Any, Any],
    *,
    tune: int,
    draws: int,
    cores: int | None = None,
    thin: int = 1,
    report: Callable[[Record], None] = lambda record: None,
) -> Run:
    """Run one chain per starting position.

    Draws depend on the keys alone: not on the number of threads, nor on the size of blocks. Ctrl-C
    ends the run after the blocks in flight and keeps what was drawn. An optimisation that it finds
    under way ends there, and the draws are made from where it stands.

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
        chains, and by chain "iterations", "drawn", the "latest" block's Info, and "sums" of the
        Info over the draws.
    """
    begin = time.perf_counter()
    halt = threading.Event()
    chains = [
        _Chain(compiled, kernel, target, p, k, (tune, draws, thin), halt)
        for p, k in zip(positions, keys, strict=True)
    ]
    interrupted = False
    with one_blas_thread(), ThreadPoolExecutor(min(len(chains), cores or usable_cores())) as pool:
        waiting: dict[Future[None], _Chain] = {pool.submit(c.advance): c for c in chains}
        try:
            while waiting:
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    chain = waiting.pop(future)
                    future.result()
                    if not chain.finished:
                        waiting[pool.submit(chain.advance)] = chain
                report(_record(chains))
        except KeyboardInterrupt:
            interrupted = True
            halt.set()
    if interrupted and not kernel.markov:
        with one_blas_thread():
            for chain in chains:
                chain.draw_from_here()
    return _collect(chains, interrupted, time.perf_counter() - begin)


def _record(chains: list[_Chain]) -> Record:
    return {
        "done": sum(c.at for c in chains),
        "total": sum(c.tune + c.draws for c in chains),
        "iterations": [c.at for c in chains],
        "drawn": [c.drawn for c in chains],
        "latest": [c.latest for c in chains],
        "sums": [c.sums for c in chains],
    }


def _collect(chains: list[_Chain], interrupted: bool, seconds: float) -> Run:
    iterations = tuple(c.at for c in chains)
    count = _common_length([c.drawn for c in chains])
    chains = [c for c in chains if c.drawn >= count]
    names = chains[0].compiled.block.info
    found = [c.joined() for c in chains]
    stats, warmup = {}, {}
    for i, name in enumerate(names):
        stats[name] = np.stack(
            [f[i + 1][c.tune : c.tune + count : c.thin] for f, c in zip(found, chains, strict=True)]
        )
        least = min(min(c.at, c.tune) for c in chains)
        warmup[name] = np.stack([f[i + 1][:least] for f in found])
    kept = -(-count // chains[0].thin)
    positions = np.stack([f[0][:kept] for f in found])
    return Run(positions, stats, warmup, interrupted, iterations, seconds)


def _common_length(drawn: list[int]) -> int:
    """The length to cut chains to; those that are shorter lag too far behind to be waited for."""
    return min(n for n in drawn if 2 * n >= max(drawn))


class _Chain:
    """One chain: its state between blocks, and what it has reported."""

    def __init__(
        self,
        compiled: Compiled,
        kernel: Kernel,
        target: Target,
        start: np.ndarray[Any, Any],
        key: np.ndarray[Any, Any],
        lengths: tuple[int, int, int],
        halt: threading.Event,
    ) -> None:
        self.compiled, self.kernel, self.halt = compiled, kernel, halt
        self.data = [np.asarray(d, order="C") for d in target.data]
        # Streams apart: one for the first state, one for the keys of the iterations.
        self.first_key, self.key = np.ascontiguousarray(random.split(np.ascontiguousarray(key)))
        self.start = np.ascontiguousarray(start)
        self.state = [np.zeros(t.shape, t.dtype) for t in compiled.block.state]
        self.tune, self.draws, self.thin = lengths
        self.phases = schedule(self.tune, self.draws)
        self.at, self.size = 0, 1
        self.reports: list[list[np.ndarray[Any, Any]]] = []
        self.latest: dict[str, Any] = {}
        self.sums = dict.fromkeys(compiled.block.info, 0.0)

    @property
    def drawn(self) -> int:
        """Number of draws after the warm-up."""
        return max(self.at - self.tune, 0)

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.halt.is_set() or self.at >= self.tune + self.draws

    def advance(self) -> None:
        """One block of about TARGET_SECONDS."""
        block = self.compiled.block
        count = min(self.size, block.capacity, self._limit() - self.at)
        begin = time.perf_counter()
        outputs = self.compiled.executable(
            np.bool_(self.at == 0),
            np.int64(count),
            self.start,
            self.first_key,
            self.key,
            *self.state,
            *part(self.phases, self.at, count, block.capacity),
            *self.data,
        )
        seconds = max(time.perf_counter() - begin, 1e-6)
        self.state = outputs[: len(self.state)]
        # Positions of the warm-up are not wanted, and a long optimisation has many.
        kept = count if self.at >= self.tune else 0
        positions, *info = outputs[len(self.state) :]
        thinned = positions[:kept][-self.drawn % self.thin :: self.thin]
        self.reports.append([np.array(thinned), *(np.array(o[:count]) for o in info)])
        self.at += count
        self.latest = dict(zip(block.info, self.reports[-1][1:], strict=True))
        if kept:
            self.sums = {k: v + float(self.latest[k].sum()) for k, v in self.sums.items()}
        self.size = max(1, int(count * min(TARGET_SECONDS / seconds, 10.0)))
        self._maybe_end_warmup()

    def _limit(self) -> int:
        """Where this block must end: at the end of warm-up, at a check, or at the end."""
        if self.at >= self.tune:
            return self.tune + self.draws
        every = self.kernel.check_every
        return min(self.tune, (self.at // every + 1) * every) if every else self.tune

    def _maybe_end_warmup(self) -> None:
        every = self.kernel.check_every
        if every and self.at < self.tune and self.at % every == 0:
            columns = zip(*(r[1:] for r in self.reports), strict=True)
            info = {
                name: np.concatenate(parts)
                for name, parts in zip(self.compiled.block.info, columns, strict=True)
            }
            if self.kernel.finished(info):
                self._end_warmup()

    def _end_warmup(self) -> None:
        self.tune = self.at
        self.phases = schedule(self.at, self.draws)

    def draw_from_here(self) -> None:
        """End an optimisation where it stands, and make the draws."""
        if self.at < self.tune:
            self._end_warmup()
        while self.at < self.tune + self.draws:
            self.advance()

    def joined(self) -> list[np.ndarray[Any, Any]]:
        """All reports: positions after the warm-up, then statistics of all iterations in order."""
        return [np.concatenate(parts) for parts in zip(*self.reports, strict=True)]


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Chains are threads; the matrix products inside them are not to start more."""
    limits = import_module("threadpoolctl").threadpool_limits
    with limits(1, user_api="blas"):
        yield
