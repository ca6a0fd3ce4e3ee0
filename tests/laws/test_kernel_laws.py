"""What every kernel obeys, whatever its method."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl.infer.deep._base import DropoutKernel
from bayesdl.infer.methods import KERNELS
from bayesdl.model.density import build_density
from bayesdl.ops import _bind as interpreter
from bayesdl.ops import numpy as bnp
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


def _net(x: Any, y: Any) -> None:
    f = nn.Linear(1)(x)[:, 0]
    bdl.sample("y", dist.Normal(f, 1.0), obs=y)


def _example(kind: Any) -> Any:
    """A kernel and its target: a Gaussian, or, for a method that needs one, a small network."""
    if issubclass(kind, DropoutKernel):
        x = np.linspace(-1.0, 1.0, 18).reshape(6, 3)
        return kind.prepared(build_density(_net, (x, x[:, 0])), {"rate": 0.4, "batch_size": 4})
    return kind(), TARGET


KERNEL_CASES = {name: _example(kind) for name, kind in KERNELS.items()}
for name in ("nuts", "hmc"):
    for metric in ("low_rank", "dense"):
        KERNEL_CASES[f"{name}-{metric}"] = replace(KERNEL_CASES[name][0], metric=metric), TARGET
    KERNEL_CASES[f"{name}-blocks"] = replace(KERNEL_CASES[name][0], dense=((0, 2),)), TARGET


@pytest.fixture(scope="module", params=list(KERNEL_CASES), ids=str)
def case(request: pytest.FixtureRequest) -> Any:
    kernel, target = KERNEL_CASES[request.param]
    return kernel, *compiled(kernel, target, 50), target


def test_info_has_arviz_names(case: Any) -> None:
    check_names(case[1])


def test_is_pure(case: Any) -> None:
    check_pure(*case[1:])


def test_block_size_changes_nothing(case: Any) -> None:
    check_block_size(*case[1:])


def test_native_code_does_what_the_interpreter_does(case: Any) -> None:
    """The same steps to rounding, which a chain amplifies: so only a few of them."""
    kernel, block, executable, target = case
    slow_block, slow = compiled(kernel, target, 5, "interpret")
    fast = walk(block, executable, target, tune=3, draws=2, seed=1)
    reference = walk(slow_block, slow, target, tune=3, draws=2, seed=1)
    np.testing.assert_allclose(fast.positions, reference.positions, rtol=1e-6, atol=1e-9)


@pytest.mark.slow
@pytest.mark.ci
def test_leaves_a_gaussian_invariant(case: Any) -> None:
    """Means and sds of a badly scaled Gaussian; false alarm 1e-6."""
    kernel, block, executable, _ = case
    if isinstance(kernel, DropoutKernel):
        pytest.skip("its guide is not the density")
    check_invariant(block, executable, TARGET, tune=3000, draws=20_000, seed=SEED)


class Counted(Gaussian):
    """A Gaussian, slightly tilted by the one arctangent of a Program, by which it is known."""

    def function(self, position: Any, *rest: Any) -> Any:
        return Gaussian.function(self, position, *rest) + 0.1 * bnp.arctan(position).sum()


@pytest.mark.parametrize("metric", ["diag", "low_rank", "dense"])
@pytest.mark.parametrize("method", ["nuts", "hmc"])
def test_a_leapfrog_step_takes_one_gradient(
    method: str, metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Warm-up and draws: what is evaluated beyond the steps is of the first state, and the same
    for a short and a long run.

    The interpreter runs what native code is made from; it is told to count.
    """
    kernel = KERNELS[method](metric=metric)
    target = Counted(TARGET.mean, TARGET.sd)
    block, executable = compiled(kernel, target, 5, "interpret")
    evaluated: list[str] = []
    compute = interpreter.compute

    def counting(primitive: Any, *rest: Any) -> Any:
        evaluated.extend(["gradient"] if primitive.name == "arctan" else [])
        return compute(primitive, *rest)

    monkeypatch.setattr(interpreter, "compute", counting)
    beyond = []
    for tune, draws in ((5, 1), (30, 10)):
        evaluated.clear()
        steps = walk(block, executable, target, tune=tune, draws=draws, seed=2).info["n_steps"]
        beyond.append(len(evaluated) - int(steps.sum()))
    assert 0 < beyond[0] < 60
    assert beyond[1] == beyond[0]
