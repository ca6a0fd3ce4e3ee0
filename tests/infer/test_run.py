"""Draws depend on the seed alone, and nothing drawn is lost."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bayesdl import dist
from bayesdl.infer import run as loop
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
    kept = loop.common_length(drawn)
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
    assert loop.common_length(drawn) == length


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
