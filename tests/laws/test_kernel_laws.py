"""What every kernel obeys, whatever its method."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bayesdl.infer.methods import KERNELS
from bayesdl.infer.targets import Weights
from bayesdl.testing.kernels import (
    Gaussian,
    check_block_size,
    check_invariant,
    check_names,
    check_pure,
    compiled,
    walk,
)

TARGET = Gaussian(np.array([1.0, -2.0, 0.0]), np.array([1.0, 0.1, 10.0]))
SEED = 20240801


def _example(kind: Any) -> Any:
    """A kernel with settings for three coordinates; one that needs a network is given a net of
    three units."""
    names = kind.__dataclass_fields__
    if "weights" in names:
        return replace(kind(), rate=0.5, weights=(Weights(0, 3, 1),))
    return kind()


KERNEL_CASES = {name: _example(kind) for name, kind in KERNELS.items()}
for name in ("nuts", "hmc"):
    for metric in ("low_rank", "dense"):
        KERNEL_CASES[f"{name}-{metric}"] = replace(KERNEL_CASES[name], metric=metric)
    KERNEL_CASES[f"{name}-blocks"] = replace(KERNEL_CASES[name], dense=((0, 2),))


@pytest.fixture(scope="module", params=list(KERNEL_CASES), ids=str)
def case(request: pytest.FixtureRequest) -> Any:
    kernel = KERNEL_CASES[request.param]
    return kernel, *compiled(kernel, TARGET, 50)


def test_info_has_arviz_names(case: Any) -> None:
    check_names(case[1])


def test_is_pure(case: Any) -> None:
    check_pure(case[1], case[2], TARGET)


def test_block_size_changes_nothing(case: Any) -> None:
    check_block_size(case[1], case[2], TARGET)


def test_native_code_does_what_the_interpreter_does(case: Any) -> None:
    """The same steps to rounding, which a chain amplifies: so only a few of them."""
    kernel, block, executable = case
    slow_block, slow = compiled(kernel, TARGET, 5, "interpret")
    fast = walk(block, executable, TARGET, tune=3, draws=2, seed=1)
    reference = walk(slow_block, slow, TARGET, tune=3, draws=2, seed=1)
    np.testing.assert_allclose(fast.positions, reference.positions, rtol=1e-6, atol=1e-9)


@pytest.mark.slow
@pytest.mark.ci
def test_leaves_a_gaussian_invariant(case: Any) -> None:
    """Means and sds of a badly scaled Gaussian; false alarm 1e-6."""
    kernel, block, executable = case
    if kernel.name == "mc_dropout":
        pytest.skip("its guide is not the density")
    check_invariant(block, executable, TARGET, tune=3000, draws=20_000, seed=SEED)
