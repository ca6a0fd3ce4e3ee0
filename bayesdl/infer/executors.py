"""Who runs the blocks of chains: threads of this process, or any executor, on any machine."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import blake2b
from importlib import import_module
from typing import Any, Protocol

from .chain import Job, Report, Snapshot

# Seconds of a task elsewhere: long beside the way there and back.
REMOTE_SECONDS = 2.0
Outcome = tuple[Snapshot, Sequence[Report]]


class Workers(Protocol):
    """Runs blocks, for many chains at a time."""

    @property
    def can_lose(self) -> bool:
        """Whether a task may fail through no fault of its own."""
        ...

    def submit(self, job: Job, here: Snapshot, limit: int, *, whole: bool) -> Future[Any]:
        """Begin to advance a chain from where it stands, at most up to an iteration.

        It gives an outcome, an exception of the task's own, or None where the code has to be sent
        again, `whole`.
        """
        ...


class Threads:
    """One block a task, in a thread: compiled code runs without the GIL.

    Parameters
    ----------
    pool : ThreadPoolExecutor
    helpers : int
        Further threads for each chain, where its density is a sum over many rows.
    """

    can_lose = False

    def __init__(self, pool: ThreadPoolExecutor, helpers: int = 0) -> None:
        self.pool, self.helpers = pool, helpers

    def submit(self, job: Job, here: Snapshot, limit: int, *, whole: bool) -> Future[Any]:
        """Begin to advance a chain."""
        return self.pool.submit(_one_block, job, here, limit, self.helpers)


class Elsewhere:
    """Some seconds of blocks a task, in whatever an executor has.

    Code and data are sent once to each process; a process that does not have them says so.

    Parameters
    ----------
    executor : Executor, or callable that gives one
        A callable is asked again when the executor is broken.
    """

    can_lose = True

    def __init__(self, executor: Any) -> None:
        self._make: Callable[[], Executor] | None = executor if callable(executor) else None
        self._pool: Executor = self._make() if self._make is not None else executor
        self._codes: dict[int, tuple[str, bytes]] = {}

    def submit(self, job: Job, here: Snapshot, limit: int, *, whole: bool) -> Future[Any]:
        """Begin to advance a chain."""
        code = id(job.executable)
        if code not in self._codes:
            content = pickle.dumps((job.block, job.executable, job.data))
            self._codes[code] = blake2b(content, digest_size=16).hexdigest(), content
        name, content = self._codes[code]
        own = (job.start, job.first_key, job.key, job.draws, job.thin, job.save_warmup)
        task = (name, content if whole else None, own, here, limit)
        try:
            return self._pool.submit(work, *task)
        except BrokenExecutor:
            if self._make is None:
                raise
            self._pool = self._make()
            return self._pool.submit(work, *task)


_CODES: dict[str, tuple[Any, Any, Any]] = {}
_LOADING = threading.Lock()


def work(name: str, content: bytes | None, own: Any, here: Snapshot, limit: int) -> Any:
    """Advance a chain for some seconds: what a process elsewhere does.

    Parameters
    ----------
    name : str
        Digest of code and data.
    content : bytes or None
        Code and data, for a process that has not got them.
    own : tuple
        The other fields of the job.
    here : Snapshot
    limit : int

    Returns
    -------
    (Snapshot, list of Report), exception or None
        None if code and data are wanted.
    """
    with _LOADING:
        if name not in _CODES:
            if content is None:
                return None
            _CODES.clear()
            _CODES[name] = pickle.loads(content)
        job = Job(*_CODES[name], *own)
    reports: list[Report] = []
    begin = time.monotonic()
    try:
        with one_blas_thread(job.executable.calls_blas):
            while here.at < limit and (not reports or time.monotonic() - begin < REMOTE_SECONDS):
                here, report = job.advance(here, limit)
                reports.append(report)
    except Exception as error:
        return error
    return here, reports


def _one_block(job: Job, here: Snapshot, limit: int, helpers: int) -> Outcome:
    with job.executable.helped(helpers):
        there, report = job.advance(here, limit)
    return there, [report]


@contextmanager
def workers(executor: Any, chains: int, cores: int, blas: bool = True) -> Iterator[Workers]:
    """An executor's, or a thread a chain with its part of the cores, and one BLAS thread each."""
    if executor is not None:
        yield Elsewhere(executor)
        return
    with one_blas_thread(blas), ThreadPoolExecutor(min(chains, cores)) as pool:
        yield Threads(pool, max(cores // chains - 1, 0))


@contextmanager
def one_blas_thread(blas: bool = True) -> Iterator[None]:
    """Chains are threads; the matrix products inside them, if there are any, start no more."""
    if not blas:
        yield
        return
    limits = import_module("threadpoolctl").threadpool_limits
    with limits(1, user_api="blas"):
        yield
