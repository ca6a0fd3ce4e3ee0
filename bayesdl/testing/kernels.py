"""The contract of a kernel, as functions: users can hold their own kernels to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.tree import flatten
from bayesdl.infer.block import Block, build_block
from bayesdl.infer.kernel import Kernel
from bayesdl.infer.schedule import part, schedule
from bayesdl.lower.executable import Executable
from bayesdl.ops import random
from bayesdl.pipeline import compile

# What ArviZ calls the fields of sample_stats, and what the non-Markov methods report beside them.
INFO_NAMES = {
    "acceptance_rate",
    "compression",
    "diverging",
    "elbo",
    "elbo_estimate",
    "energy",
    "energy_error",
    "lp",
    "lp_estimate",
    "max_energy_error",
    "n_steps",
    "reached_max_steps",
    "reached_max_treedepth",
    "step_size",
    "tree_depth",
}


@dataclass(frozen=True)
class Gaussian:
    """A target with independent normal coordinates; a key that a kernel sends is ignored.

    Parameters
    ----------
    mean, sd : array, shape (dim,)
    """

    mean: np.ndarray[Any, Any]
    sd: np.ndarray[Any, Any]

    @property
    def dim(self) -> int:
        """Length of a position."""
        return len(self.mean)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of a position."""
        kind: np.dtype[Any] = self.mean.dtype
        return kind

    @property
    def data(self) -> Sequence[Any]:
        """Mean and sd."""
        return [self.mean, self.sd]

    def function(self, position: Any, *rest: Any) -> Any:
        """Log density up to a constant, nats."""
        mean, sd = rest[-2:]
        z = (position - mean) / sd
        return -0.5 * (z * z).sum()


@dataclass(frozen=True)
class Walk:
    """What one chain gave.

    Parameters
    ----------
    positions : array, shape (iteration, dim)
    info : dict of str to array, shape (iteration,)
    state : list of array
        Leaves of the last state.
    """

    positions: np.ndarray[Any, Any]
    info: dict[str, np.ndarray[Any, Any]]
    state: list[np.ndarray[Any, Any]]


def compiled(
    kernel: Kernel, target: Any, capacity: int, backend: str = "llvm"
) -> tuple[Block, Executable]:
    """A kernel on a target, in blocks of up to `capacity` steps."""
    block = build_block(kernel, target, capacity)
    return block, compile(block.program, backend)


def walk(
    block: Block,
    executable: Executable,
    target: Any,
    *,
    tune: int,
    draws: int,
    seed: int,
    count: int = 0,
) -> Walk:
    """Run one chain from the origin, `count` steps at a time."""
    count = count or block.capacity
    phases, total = schedule(tune, draws), tune + draws
    state = [np.zeros(t.shape, t.dtype) for t in block.state]
    positions: list[Any] = []
    infos: list[Any] = []
    for at in range(0, total, count):
        n = min(count, total - at)
        found = executable(
            np.bool_(at == 0),
            np.int64(n),
            np.bool_(True),
            np.zeros(target.dim, target.dtype),
            random.key(seed),
            random.key(seed + 1),
            *state,
            *part(phases, at, n, block.capacity),
            *target.data,
        )
        state = found[: len(state)]
        positions.append(found[len(state)][:n])
        infos.append([x[:n] for x in found[len(state) + 1 :]])
    columns = [np.concatenate(c) for c in zip(*infos, strict=True)]
    return Walk(np.concatenate(positions), dict(zip(block.info, columns, strict=True)), state)


def check_names(block: Block) -> None:
    """What a kernel reports has names that results have, and is scalar."""
    assert block.info, "a kernel reports something of each step"
    unknown = set(block.info) - INFO_NAMES
    assert not unknown, f"no such names in results: {sorted(unknown)}"


def check_pure(block: Block, executable: Executable, target: Any) -> None:
    """The same keys give the same bits; other keys give other draws."""
    one, same, other = (
        walk(block, executable, target, tune=20, draws=20, seed=s) for s in (3, 3, 4)
    )
    for a, b in zip(
        flatten([one.positions, one.state])[0],
        flatten([same.positions, same.state])[0],
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(one.positions, other.positions)


def check_block_size(block: Block, executable: Executable, target: Any) -> None:
    """Where one block ends and the next begins changes nothing."""
    whole = walk(block, executable, target, tune=25, draws=25, seed=5)
    pieces = walk(block, executable, target, tune=25, draws=25, seed=5, count=7)
    np.testing.assert_array_equal(whole.positions, pieces.positions)
    for name, values in whole.info.items():
        np.testing.assert_array_equal(values, pieces.info[name])


def check_invariant(
    block: Block, executable: Executable, target: Gaussian, *, tune: int, draws: int, seed: int
) -> None:
    """Draws have the target's means and sds, by batch means; false alarm below 1e-6."""
    positions = walk(block, executable, target, tune=tune, draws=draws, seed=seed).positions[tune:]
    z = (positions - target.mean) / target.sd
    for moment, expected in ((z, 0.0), (z * z, 1.0)):
        batches = moment.reshape(50, -1, target.dim).mean(axis=1)
        error = batches.std(axis=0, ddof=1) / np.sqrt(50)
        # A t variable of 49 degrees of freedom lies beyond 6.5 once in 2.5e7 tries.
        assert (np.abs(batches.mean(axis=0) - expected) < 6.5 * error + 1e-12).all(), batches.mean(
            axis=0
        )
