"""Correlated directions, from positions and gradients: the low-rank and the dense metric."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.infer.rows import with_row
from bayesdl.ops import linalg
from bayesdl.ops import numpy as bnp
from bayesdl.tracing.flow import cond

from .integrator import Place
from .mass import LEAST, first_inverse_mass
from .metric import CHUNK, Stretched, Turned

MEMORY = 256
"""Latest points from which a metric is taken, at most."""
RANK = 128
"""Directions that a low-rank metric keeps, at most."""
CUTOFF = 2.0
"""A low-rank metric leaves directions alone whose variance lies within this factor of one."""
EARLY = 60
"""Up to so many points scales are learnt anew at each, for the chain is still on its way."""
PSEUDO_POINTS = 0.01
"""Weight, in points, of the guess that the scaled target is round: it decides where few are."""

Correlated = Stretched | Turned


@dataclass(frozen=True)
class Memory:
    """The latest points of a warm-up.

    Parameters
    ----------
    positions, gradients : Array, shape (MEMORY, dim)
        The point of iteration i is in row i mod MEMORY.
    count, current, previous : Array, shape (), int64
        Points seen, and how many there were when this window and the one before it began.
    """

    __tree__: ClassVar[bool] = True

    positions: Any
    gradients: Any
    count: Any
    current: Any
    previous: Any


@dataclass(frozen=True)
class LearnDirections:
    """The metric of least Fisher divergence in blocks of coordinates, anew at each window's end.

    Coordinates are scaled first; then the covariance of each block is the geometric mean of the
    covariance of positions and the inverse covariance of gradients,

        A = Σₓ # Σ_g⁻¹,  the solution of A Σ_g A = Σₓ

    Parameters
    ----------
    blocks : tuple of tuple of int
        Coordinates that may be correlated with one another.
    low_rank : bool
        Whether only the `RANK` most stretched or shrunk directions are kept, and of these only
        those with a variance outside [1/c, c].

    Notes
    -----
    For a normal target A is its covariance as soon as the points span the space. A low-rank metric
    of more coordinates than that is learnt in the span of the points and gradients.

    References
    ----------
    Seyboldt, Carlson & Carpenter (2026), on low-rank and dense preconditioners (arXiv:2603.18845).
    """

    blocks: tuple[tuple[int, ...], ...]
    low_rank: bool

    def start(self, gradient: Any) -> tuple[Memory, Correlated]:
        """No point seen, and a first metric."""
        zero = np.int64(0) * bnp.astype(bnp.isfinite(gradient[0]), "int64")
        dim, dtype = gradient.shape[0], gradient.dtype
        rows = bnp.zeros((MEMORY, dim), dtype)
        memory = Memory(rows, rows, zero, zero, zero)
        rank = min(RANK, dim) if self.low_rank else sum(map(len, self.blocks))
        scale = bnp.sqrt(first_inverse_mass(gradient))
        # A product with the square matrix takes the place of two with the directions.
        if 2 * rank >= dim:
            return memory, Turned(scale, bnp.zeros((dim, dim), dtype), zero > 0)
        directions = bnp.zeros((_rounded(rank), dim), dtype)
        return memory, Stretched(scale, directions, directions[:, 0], zero)

    def learn(
        self, memory: Memory, metric: Correlated, place: Place, window_end: Any
    ) -> tuple[Memory, Correlated]:
        """One more point; at the end of a window, a metric from it and the window before."""
        memory = remember(memory, place)

        def renew(memory: Memory, metric: Correlated) -> tuple[Memory, Correlated]:
            found = self.metric_from(memory, metric)
            matrix = found.root if isinstance(found, Turned) else found.directions
            sound = bnp.isfinite(matrix).all()
            passed = replace(memory, current=memory.count, previous=memory.current)
            return passed, cond(sound, lambda new, old: new, lambda new, old: old, found, metric)

        def wait(memory: Memory, metric: Correlated) -> tuple[Memory, Correlated]:
            early = (memory.count >= int(LEAST)) & (memory.count < EARLY)
            return memory, cond(early, lambda m: rescaled(memory, m), lambda m: m, metric)

        result: tuple[Memory, Correlated] = cond(window_end, renew, wait, memory, metric)
        return result

    def metric_from(self, memory: Memory, metric: Correlated) -> Correlated:
        """What this window and the one before it say, where `metric` has been in use."""
        positions, gradients = _deviations(memory)
        scale = _scale(positions, gradients, metric.scale)
        positions, gradients = positions / scale, gradients * scale
        if self.low_rank:
            values, vectors = _low_rank(positions, gradients)
        else:
            parts = [_block(positions, gradients, block) for block in self.blocks]
            values = bnp.concatenate([value for value, _ in parts])
            vectors = bnp.concatenate([vector for _, vector in parts], axis=1)
        return _with_directions(metric, scale, values, vectors)


def rescaled(memory: Memory, metric: Correlated) -> Correlated:
    """The metric with scales from this window and the one before it, directions as they were."""
    return replace(metric, scale=_scale(*_deviations(memory), metric.scale))


def _scale(positions: Any, gradients: Any, previous: Any) -> Any:
    """Scales from deviations; previous ones where these do not differ."""
    ratio = bnp.sqrt((positions**2).sum(0) / (gradients**2).sum(0))
    good = bnp.isfinite(ratio) & (ratio > 0.0)
    return bnp.where(good, bnp.sqrt(ratio), previous)


def _with_directions(metric: Correlated, scale: Any, values: Any, vectors: Any) -> Correlated:
    """A metric of the same kind, from variances and directions as columns."""
    if isinstance(metric, Turned):
        identity = np.eye(len(scale), dtype=scale.dtype)
        stretch = bnp.sqrt(values) - 1.0
        return Turned(scale, identity + (vectors * stretch) @ vectors.T, (stretch != 0.0).any())
    rank = len(values)
    directions = bnp.concatenate([vectors.T, bnp.zeros_like(metric.directions[rank:])])
    excess = bnp.concatenate([values - 1.0, bnp.zeros_like(metric.excess[rank:])])
    used = bnp.where(excess == 0.0, 0, np.arange(1, len(excess) + 1))
    return Stretched(scale, directions, excess, used.max())


def remember(memory: Memory, place: Place) -> Memory:
    """The newest point takes the place of the oldest."""
    at = bnp.remainder(memory.count, np.int64(MEMORY))
    return replace(
        memory,
        positions=with_row(memory.positions, place.position, at),
        gradients=with_row(memory.gradients, place.gradient, at),
        count=memory.count + 1,
    )


def _deviations(memory: Memory) -> tuple[Any, Any]:
    """Positions and gradients of the two windows less their means, zero elsewhere."""
    age = bnp.remainder(memory.count - 1 - np.arange(MEMORY), np.int64(MEMORY))
    dtype = memory.positions.dtype
    used = (age < memory.count - memory.previous).astype(dtype)[:, None]
    count = used.sum()
    found = []
    for table in (memory.positions, memory.gradients):
        mean = (used * table).sum(0) / count
        found.append(used * (table - mean))
    return found[0], found[1]


def geometric_mean(positions: Any, gradients: Any) -> tuple[Any, Any]:
    """Eigenvalues (k,) and eigenvectors (k, k) of Σₓ # Σ_g⁻¹, from deviations (points, k).

    With Σ_g = L Lᵀ and Lᵀ Σₓ L = V S² Vᵀ it is L⁻ᵀ V S Vᵀ L⁻¹.

    References
    ----------
    Bhatia (2007), Positive definite matrices, chapter 4.
    """
    guess = PSEUDO_POINTS * np.eye(positions.shape[1], dtype=positions.dtype)
    spread, steepness = (x.T @ x + guess for x in (positions, gradients))
    factor = linalg.cholesky(steepness)
    squares, vectors = linalg.eigh(factor.T @ spread @ factor)
    root = linalg.triangular_solve(
        factor, vectors * bnp.maximum(squares, 0.0) ** 0.25, transpose=True
    )
    values, vectors = linalg.eigh(root @ root.T)
    return values, vectors


def _block(positions: Any, gradients: Any, block: tuple[int, ...]) -> tuple[Any, Any]:
    """Directions of some coordinates among all, shape (dim, len(block))."""
    chosen = np.eye(positions.shape[1], dtype=positions.dtype)[:, list(block)]
    values, vectors = geometric_mean(positions @ chosen, gradients @ chosen)
    return values, chosen @ vectors


def _low_rank(positions: Any, gradients: Any) -> tuple[Any, Any]:
    """The most stretched and most shrunk directions; the others keep a variance of one."""
    dim = positions.shape[1]
    if dim <= 2 * MEMORY:
        values, vectors = geometric_mean(positions, gradients)
    else:
        span = _span(bnp.concatenate([positions, gradients]))
        values, vectors = geometric_mean(positions @ span, gradients @ span)
        vectors = span @ vectors
    order = _from_both_ends(len(values))[:RANK]
    values, vectors = values[order], vectors[:, order]
    near = (values < CUTOFF) & (values > 1.0 / CUTOFF)
    return bnp.where(near, 1.0, values), vectors


def _from_both_ends(count: int) -> Any:
    """The first, the last, the second, the last but one, …: what is far from one comes first."""
    return np.stack([np.arange(count), np.arange(count)[::-1]], axis=1).reshape(-1)[:count]


def _rounded(rank: int) -> int:
    return -(-rank // CHUNK) * CHUNK


def _span(rows: Any) -> Any:
    """An orthonormal basis of the span of some rows, as columns; zeros where it is smaller."""
    squares, vectors = linalg.eigh(rows @ rows.T)
    real = squares > 1e-10 * squares[-1]
    return rows.T @ (vectors * bnp.where(real, 1.0 / bnp.sqrt(bnp.where(real, squares, 1.0)), 0.0))
