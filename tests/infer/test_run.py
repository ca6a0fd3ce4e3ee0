"""Draws depend on the seed alone, and nothing drawn is lost."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist
from bayesdl._base.errors import RunError, SampleError
from bayesdl.infer import executors
from bayesdl.infer import run as loop
from bayesdl.infer.chain import Chain, Job
from bayesdl.infer.each import EachDraw
from bayesdl.infer.executors import Threads
from bayesdl.infer.keep import common_length
from bayesdl.infer.mcmc.nuts import NUTS
from bayesdl.model.density import build_density
from bayesdl.model.statements import observe, sample

KEYS = np.array([[1, 2], [3, 4], [5, 6]], np.uint32)


def model(y: Any) -> None:
    mu = sample("mu", dist.Normal(0.0, 2.0))
    sigma = sample("sigma", dist.HalfNormal(1.0))
    observe("y", dist.Normal(mu, sigma).expand((y.shape[0],)), y)


@pytest.fixture(scope="module")
def density() -> Any:
    return build_density(model, (np.linspace(-1.0, 2.0, 9),))


def draws(density: Any, capacity: int = 100, **options: Any) -> loop.Run:
    kernel = NUTS(max_treedepth=5)
    compiled = loop.compile_kernel(kernel, density, capacity)
    starts = np.zeros((3, density.dim))
    return loop.run(compiled, kernel, density, starts, KEYS, tune=60, draws=40, **options)


def test_draws_are_bit_identical_for_any_threads_and_block_size(density: Any) -> None:
    first = draws(density, cores=1)
    for other in (draws(density, cores=3), draws(density, capacity=7), draws(density, capacity=1)):
        np.testing.assert_array_equal(first.positions, other.positions)
        for name, column in first.stats.items():
            np.testing.assert_array_equal(column, other.stats[name])


def test_thinning_keeps_every_third_draw_whatever_the_blocks(density: Any) -> None:
    whole = draws(density)
    for thinned in (draws(density, thin=3), draws(density, capacity=7, thin=3)):
        np.testing.assert_array_equal(thinned.positions, whole.positions[:, ::3])
        np.testing.assert_array_equal(thinned.stats["lp"], whole.stats["lp"][:, ::3])
        assert thinned.warmup["lp"].shape == (3, 60)


def test_shapes_and_names_of_statistics(density: Any) -> None:
    found = draws(density)
    assert found.positions.shape == (3, 40, 2)
    for name in (
        "lp",
        "diverging",
        "energy",
        "tree_depth",
        "n_steps",
        "acceptance_rate",
        "step_size",
    ):
        assert found.stats[name].shape == (3, 40)
    assert found.warmup["lp"].shape == (3, 60)
    # After warm-up the step size stands still.
    assert (found.stats["step_size"] == found.stats["step_size"][:, :1]).all()


def test_ctrl_c_keeps_what_was_drawn(density: Any) -> None:
    def interrupt(record: dict[str, Any]) -> None:
        if record["done"] > 210:
            raise KeyboardInterrupt

    found = draws(density, capacity=5, cores=1, report=interrupt)
    whole = draws(density)
    drawn = [max(n - 60, 0) for n in found.iterations]
    kept = common_length(drawn)
    chosen = [i for i, n in enumerate(drawn) if n >= kept]
    assert found.interrupted
    assert 210 < sum(found.iterations) < 300
    np.testing.assert_array_equal(found.positions, whole.positions[chosen, :kept])
    assert found.stats["lp"].shape == found.positions.shape[:2]


@pytest.fixture
def heard() -> Iterator[None]:
    """SIGINT raises KeyboardInterrupt, even where the tests were started in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
def test_a_real_signal_stops_a_run(density: Any) -> None:
    def interrupt(record: dict[str, Any]) -> None:
        if record["done"] > 210:
            signal.raise_signal(signal.SIGINT)

    found = draws(density, capacity=5, report=interrupt)
    assert found.interrupted
    assert 210 < sum(found.iterations) < 300


@pytest.mark.parametrize(
    ("drawn", "length"),
    [
        ([0, 0, 0], 0),
        ([40, 40, 40], 40),
        # A chain that lags far behind is left out rather than the others cut to it.
        ([90, 88, 3], 88),
        ([90, 45, 44], 45),
        ([90, 80, 70], 70),
        ([50, 0, 0], 50),
    ],
)
def test_chains_are_cut_to_one_length(drawn: list[int], length: int) -> None:
    assert common_length(drawn) == length


def test_ctrl_c_in_the_warmup_leaves_no_draws_and_says_how_far_it_was(density: Any) -> None:
    def interrupt(record: dict[str, Any]) -> None:
        raise KeyboardInterrupt

    found = draws(density, capacity=5, report=interrupt)
    assert found.interrupted
    assert found.positions.shape == (3, 0, 2)
    assert all(0 < n < 60 for n in found.iterations)


def test_records_count_draws_and_divergences_by_chain(density: Any) -> None:
    records: list[dict[str, Any]] = []
    found = draws(density, report=records.append)
    last = records[-1]
    assert last["done"] == last["total"] == 300
    assert last["iterations"] == [100, 100, 100]
    assert last["drawn"] == [40, 40, 40]
    divergences = [s["diverging"] for s in last["sums"]]
    np.testing.assert_array_equal(divergences, found.stats["diverging"].sum(axis=1))
    n_steps = [s["n_steps"] for s in last["sums"]]
    np.testing.assert_array_equal(n_steps, found.stats["n_steps"].sum(axis=1))


def test_blocks_keep_fewer_long_positions() -> None:
    def of(dim: int) -> int:
        density = SimpleNamespace(
            dim=dim, dtype=np.float64, data=(), function=lambda q: -0.5 * (q * q).sum()
        )
        return loop.compile_kernel(NUTS(max_treedepth=2), density).block.room

    assert of(10) == loop.CAPACITY
    assert of(100_000) == loop.BLOCK_BYTES // 800_000


Y = np.linspace(-1.0, 2.0, 9)
ASKED: dict[str, Any] = {"draws": 400, "tune": 60, "random_seed": 3, "cores": 1}


@pytest.fixture(scope="module")
def whole() -> Any:
    return bdl.fit(model, Y, **ASKED, progressbar=False)


@pytest.fixture
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "CAPACITY", 20)


def among(found: Any, whole: Any) -> None:
    """Each chain is the beginning of one of the whole run's."""
    count = found.shape[1]
    assert count > 0
    assert all(any(np.array_equal(f, w[:count]) for w in whole) for f in found)


def fails_at(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no memory for a block at so many iterations, as NumPy says it."""
    real = Job.advance

    def advance(self: Job, here: Any, limit: int) -> Any:
        if here.at >= count:
            raise MemoryError("Unable to allocate 8 GiB")
        return real(self, here, limit)

    monkeypatch.setattr(Job, "advance", advance)


@pytest.mark.usefixtures("short_blocks")
@pytest.mark.parametrize("elsewhere", [False, True])
def test_an_error_in_a_block_ends_the_run_with_what_it_drew(
    whole: Any, monkeypatch: pytest.MonkeyPatch, elsewhere: bool
) -> None:
    fails_at(200, monkeypatch)
    monkeypatch.setattr(executors, "REMOTE_SECONDS", 0.0)
    with ThreadPoolExecutor(1) as pool, pytest.raises(RunError, match="could not go on") as caught:
        bdl.fit(model, Y, **ASKED, progressbar=False, executor=pool if elsewhere else None)
    assert isinstance(caught.value.__cause__, MemoryError)
    assert "MemoryError: Unable to allocate 8 GiB" in str(caught.value)
    kept: Any = caught.value.posterior
    among(kept["mu"], whole["mu"])


@pytest.mark.usefixtures("short_blocks")
def test_an_error_before_the_first_draw_has_no_posterior(monkeypatch: pytest.MonkeyPatch) -> None:
    fails_at(30, monkeypatch)
    with pytest.raises(RunError) as caught:
        bdl.fit(model, Y, **ASKED, progressbar=False)
    assert caught.value.posterior is None
    with pytest.raises(RunError) as caught:
        bdl.fit(model, Y, **ASKED, progressbar=False, save_warmup=True)
    kept: Any = caught.value.posterior
    assert kept.draws.warmup["mu"].shape[1] >= 20


@pytest.mark.usefixtures("short_blocks")
@pytest.mark.parametrize("error", [ValueError("no such column"), BrokenPipeError("closed")])
def test_a_display_that_fails_is_switched_off_and_the_run_goes_on(
    whole: Any, error: Exception
) -> None:
    calls = []

    def show(record: dict[str, Any]) -> None:
        calls.append(record)
        if len(calls) > 3:
            raise error

    with pytest.warns(RuntimeWarning, match="display failed, and is switched off") as caught:
        post = bdl.fit(model, Y, **ASKED, progressbar=show)
    assert len(caught) == 1
    assert str(error) in str(caught[0].message)
    assert caught[0].filename == __file__
    assert len(calls) == 4
    np.testing.assert_array_equal(post["mu"], whole["mu"])


@pytest.mark.usefixtures("short_blocks")
def test_a_worker_that_cannot_be_sent_to_loses_no_block(
    tmp_path: Path, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The blocks that came back before are kept, and the same call goes on to the same bits."""
    real, calls = Threads.submit, []

    def submit(self: Threads, *args: Any, **settings: Any) -> Any:
        calls.append(args)
        if len(calls) > 60:
            raise RuntimeError("cannot schedule new futures")
        return real(self, *args, **settings)

    monkeypatch.setattr(Threads, "submit", submit)
    with pytest.raises(RunError, match="cannot schedule"):
        bdl.fit(model, Y, **ASKED, progressbar=False, checkpoint=tmp_path / "run")
    monkeypatch.setattr(Threads, "submit", real)
    post = bdl.fit(model, Y, **ASKED, progressbar=False, checkpoint=tmp_path / "run")
    np.testing.assert_array_equal(post["mu"], whole["mu"])
    np.testing.assert_array_equal(post.draws.stats["lp"], whole.draws.stats["lp"])


@pytest.mark.usefixtures("heard", "short_blocks")
def test_ctrl_c_while_a_block_is_put_away_loses_none_of_it(
    tmp_path: Path, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal comes between where a chain stands and what it drew on its way there."""
    real, calls = Chain.absorb, []

    def absorb(self: Chain, *args: Any) -> None:
        real(self, *args)
        calls.append(args)
        if len(calls) == 60:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Chain, "absorb", absorb)
    with pytest.warns(RuntimeWarning, match="stopped by hand"):
        bdl.fit(model, Y, **ASKED, progressbar=False, checkpoint=tmp_path / "run")
    monkeypatch.setattr(Chain, "absorb", real)
    post = bdl.fit(model, Y, **ASKED, progressbar=False, checkpoint=tmp_path / "run")
    np.testing.assert_array_equal(post["mu"], whole["mu"])


def stop(record: dict[str, Any]) -> None:
    if min(record["iterations"]) >= 20:
        raise KeyboardInterrupt


@pytest.mark.usefixtures("short_blocks")
@pytest.mark.parametrize("store", [False, True])
def test_ctrl_c_in_the_warmup_keeps_the_warmup_where_it_is_saved(
    tmp_path: Path, store: bool
) -> None:
    if store:
        pytest.importorskip("zarr")
    paths = {"store": tmp_path / "a"} if store else {}
    asked = {**ASKED, "tune": 800, "draws": 10, "save_warmup": True}
    whole = bdl.fit(model, Y, **asked, progressbar=False)
    with pytest.warns(RuntimeWarning, match="stopped by hand in the warm-up"):
        post = bdl.fit(model, Y, **asked, progressbar=stop, **paths)
    if not store:
        post.save(tmp_path / "a")
    for found in (post, bdl.load(tmp_path / "a")):
        warm, stats = found.draws.warmup, found.draws.warmup_stats
        chains, count = warm["mu"].shape
        assert 20 <= count <= 800
        among(warm["mu"], whole.draws.warmup["mu"])
        among(stats["lp"], whole.draws.warmup_stats["lp"])
        assert found.to_xarray()["warmup_posterior"]["mu"].shape == (chains, count)
        assert found["mu"].shape == (chains, 0)


@pytest.mark.usefixtures("short_blocks")
def test_ctrl_c_in_the_warmup_is_an_error_where_nothing_is_kept() -> None:
    # So long that no chain is through with it before the slowest has begun.
    asked = {**ASKED, "tune": 800}
    with pytest.raises(SampleError, match="stopped in its warm-up") as caught:
        bdl.fit(model, Y, **asked, progressbar=stop)
    assert caught.value.code == "S103"
    assert "save_warmup=True" in str(caught.value)


@pytest.mark.usefixtures("short_blocks")
def test_values_that_cannot_be_computed_end_the_run_with_the_cause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_memory(self: EachDraw, *args: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(EachDraw, "__call__", no_memory)
    with pytest.raises(RunError) as caught:
        bdl.fit(model, Y, **ASKED, progressbar=False)
    assert isinstance(caught.value.__cause__, MemoryError)
    assert caught.value.posterior is None
