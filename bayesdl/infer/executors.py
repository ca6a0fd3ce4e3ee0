"""Who runs the blocks of chains: threads of this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from typing import Protocol

from .chain import Job, Report, Snapshot

Outcome = tuple[Snapshot, Sequence[Report]]


class Workers(Protocol):
    """Runs blocks, for many chains at a time."""

    def submit(self, job: Job, here: Snapshot, limit: int) -> Future[Outcome]:
        """Begin to advance a chain from where it stands, at most up to an iteration."""
        ...


class Threads:
    """One block a task, in a thread: compiled code runs without the GIL.

    Parameters
    ----------
    pool : ThreadPoolExecutor
    """

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.pool = pool

    def submit(self, job: Job, here: Snapshot, limit: int) -> Future[Outcome]:
        """Begin to advance a chain."""
        return self.pool.submit(_one_block, job, here, limit)


def _one_block(job: Job, here: Snapshot, limit: int) -> Outcome:
    there, report = job.advance(here, limit)
    return there, [report]


@contextmanager
def threads(count: int) -> Iterator[Threads]:
    """So many threads, each with one BLAS thread."""
    with one_blas_thread(), ThreadPoolExecutor(count) as pool:
        yield Threads(pool)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Chains are threads; the matrix products inside them are not to start more."""
    limits = import_module("threadpoolctl").threadpool_limits
    with limits(1, user_api="blas"):
        yield
