"""Draws depend on the seed alone, and nothing drawn is lost."""

from __future__ import annotations

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
    kept = found.positions.shape[1]
    assert found.interrupted
    assert kept < 40
    np.testing.assert_array_equal(found.positions, whole.positions[:, :kept])
