"""Starts that are found by climbing: the mode, and a draw from a normal fitted along the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass

from .optim.lbfgs import LBFGS

Floats = np.ndarray[Any, np.dtype[np.float64]]
Gradient = Callable[[Floats], tuple[float, Floats]]

STEPS, DRAWS = 200, 10
"""Most steps of the climb to a start; draws per ELBO."""
TO_A_START = LBFGS(memory=6)
ENOUGH = 1e-3
"""A climb has ended when one from its end gains less, in nats."""
WORST = 1e100
"""What the optimiser is told where there is no finite density."""
STRIDE, RISE = 2.0, 2.0
"""A move along one coordinate, and the nats that it gains at no mode; in a scale, a factor e²."""
UNRESOLVED = 0.1
"""Nats from one number to the next, by the slope, that there are where no mode can be told."""


@dataclass(frozen=True)
class Climb:
    """Where a climb has ended.

    Parameters
    ----------
    position, gradient : array, shape (dim,)
    value : float
        Log density, nats.
    steps : int
    limit : float
        Largest entry of a gradient that counts as none, at this log density.
    """

    position: Floats
    gradient: Floats
    value: float
    steps: int
    limit: float

    @property
    def slope(self) -> float:
        """Largest entry of the gradient."""
        return float(np.max(np.abs(self.gradient), initial=0.0))

    @property
    def converged(self) -> bool:
        """Whether it has reached a mode."""
        return self.slope <= self.limit


@dataclass(frozen=True)
class Normal:
    """N(mean, D + B C Bᵀ), D diagonal, as an inverse Hessian of limited memory gives it.

    Parameters
    ----------
    mean, scale : array, shape (dim,)
        √D.
    basis : array, shape (dim, rank)
        An orthonormal basis of the columns of B / √D.
    factor : array, shape (rank, rank)
        The Cholesky factor of the covariance in this basis.
    """

    mean: Floats
    scale: Floats
    basis: Floats
    factor: Floats

    def sample(self, rng: np.random.Generator) -> tuple[Floats, float]:
        """A draw and its log density."""
        z = rng.standard_normal(len(self.mean))
        along = self.basis.T @ z
        whole = z + self.basis @ (self.factor @ along - along)
        log_det = np.log(self.scale).sum() + np.log(np.diag(self.factor)).sum()
        log_density = -0.5 * (z @ z) - log_det - 0.5 * len(z) * np.log(2.0 * np.pi)
        return self.mean + self.scale * whole, float(log_density)


def climb(
    value_and_grad: Gradient,
    start: Floats,
    steps: int = STEPS,
    lbfgs: LBFGS = TO_A_START,
    watch: Callable[[Climb], None] = lambda here: None,
) -> Climb:
    """Climb by L-BFGS until the gradient is small, nothing is gained any more, or steps run out.

    Where the optimiser ends before that, it is begun anew.

    Parameters
    ----------
    value_and_grad : callable
        Log density and its gradient.
    start : array, shape (dim,)
    steps : int
        Most of them in all.
    lbfgs : LBFGS
    watch : callable
        Gets where it stands at the start and after each step; what it raises ends the climb.

    References
    ----------
    Byrd, Lu, Nocedal & Zhu (1995), A limited memory algorithm for bound constrained optimization.
    """
    seen = last = _seen(value_and_grad, np.array(start, dtype=float), lbfgs)
    watch(last)
    if last.converged or not steps:
        return last

    def fall(position: Floats) -> tuple[float, Floats]:
        nonlocal seen
        seen = _seen(value_and_grad, position, lbfgs)
        if not np.isfinite(seen.value) or not np.isfinite(seen.gradient).all():
            return WORST, np.zeros_like(position)
        return -seen.value, -seen.gradient

    def onward(position: Floats) -> None:
        nonlocal last
        # A line search ends with the place that it takes, so that this was seen last.
        known = np.array_equal(seen.position, position)
        here = seen if known else _seen(value_and_grad, position, lbfgs)
        last = replace(here, steps=last.steps + 1)
        watch(last)
        if last.converged:
            raise StopIteration

    # Both of its own tests are off: they know neither the scale of the density nor its rounding.
    options = {"maxcor": lbfgs.memory, "ftol": 0, "gtol": 0}
    gain = np.inf
    # Beside places without a density the optimiser may take a short step for its last.
    while not last.converged and last.steps < steps and gain > ENOUGH:
        before, left = last, steps - last.steps
        import_module("scipy.optimize").minimize(
            fall,
            last.position,
            jac=True,
            method="L-BFGS-B",
            callback=onward,
            options={**options, "maxiter": left, "maxfun": 20 * left},
        )
        gain = last.value - before.value
    return last


def _seen(value_and_grad: Gradient, position: Floats, lbfgs: LBFGS) -> Climb:
    value, gradient = value_and_grad(position)
    limit = lbfgs.tolerance * max(1.0, abs(float(value)))
    return Climb(position.copy(), np.asarray(gradient, dtype=float), float(value), 0, limit)


def still_rising(value_and_grad: Gradient, end: Floats, dtype: Any = np.float64) -> int | None:
    """The coordinate along which the density still rises most where a climb has ended, or None.

    Parameters
    ----------
    value_and_grad : callable
    end : array, shape (dim,)
    dtype : dtype, default float64
        In which the density is computed.

    Notes
    -----
    An unbounded density rises for ever, as a scale falls to zero, while steps become so short that
    the optimiser takes them for the end of its way, or even the next number of the dtype is too far
    for one. Only coordinates whose slope would gain enough are tried: along the others the density
    would have to turn upwards first.

    Examples
    --------
    >>> normal, slope = lambda x: (-0.5 * x @ x, -x), lambda x: (3.0 * x[1], np.array([0.0, 3.0]))
    >>> still_rising(normal, np.zeros(2)), still_rising(slope, np.zeros(2))
    (None, 1)
    """
    here, gradient = value_and_grad(end)
    strides = np.sign(gradient) * np.maximum(STRIDE, 1e-6 * np.abs(end))
    unresolved = np.abs(gradient) * np.spacing(np.abs(end).astype(dtype)) >= UNRESOLVED
    gains = np.where(unresolved, RISE, 0.0)
    for i in np.flatnonzero(np.abs(gradient) * STRIDE >= RISE):
        there = end.copy()
        there[i] += strides[i]
        value = value_and_grad(there)[0]
        gains[i] = max(gains[i], value - here if np.isfinite(value) else 0.0)
    most = int(np.argmax(gains))
    return most if gains[most] >= RISE else None


def pathfinder(path: Sequence[Climb], value_and_grad: Gradient, rng: np.random.Generator) -> Floats:
    """A draw from the best normal approximation along a climb, the one of the largest ELBO.

    Parameters
    ----------
    path : sequence of Climb
        What `climb` shows.
    value_and_grad : callable
    rng : numpy.random.Generator

    Returns
    -------
    array, shape (dim,)
        The end of the path, where no approximation has a finite ELBO.

    References
    ----------
    Zhang, Carpenter, Gelman & Vehtari (2022), Pathfinder, algorithms 1 to 4 (arXiv:2108.03782).
    """
    best, chosen = -np.inf, path[-1].position
    variance = np.ones_like(chosen)
    pairs: list[tuple[Floats, Floats]] = []
    for before, here in pairwise(path):
        move, change = here.position - before.position, before.gradient - here.gradient
        if move @ change > 1e-12 * (change @ change):
            variance = _diagonal(variance, move, change)
            pairs = [*pairs, (move, change)][-TO_A_START.memory :]
        normal = _normal(here.position, here.gradient, variance, pairs)
        elbo, draw = (-np.inf, chosen) if normal is None else _elbo(normal, value_and_grad, rng)
        if elbo > best:
            best, chosen = elbo, draw
    return chosen


def _elbo(
    normal: Normal, value_and_grad: Gradient, rng: np.random.Generator
) -> tuple[float, Floats]:
    draws = [normal.sample(rng) for _ in range(DRAWS)]
    gains = [value_and_grad(position)[0] - log_density for position, log_density in draws]
    mean = float(np.mean(gains))
    return (mean if np.isfinite(mean) else -np.inf), draws[0][0]


def _diagonal(variance: Floats, move: Floats, change: Floats) -> Floats:
    """The diagonal of an inverse Hessian after one more step."""
    a, b = change @ (variance * change), change @ move
    c = move @ (move / variance)
    updated: Floats = 1.0 / (
        a / (b * variance) + change**2 / b - a * move**2 / (b * c * variance**2)
    )
    return updated


def _normal(
    position: Floats, gradient: Floats, variance: Floats, pairs: list[tuple[Floats, Floats]]
) -> Normal | None:
    """Around a Newton step from the position; None where the curvature is not positive."""
    if not pairs or not (variance > 0.0).all():
        return None
    moves, changes = (np.column_stack(columns) for columns in zip(*pairs, strict=True))
    scale = np.sqrt(variance)
    upper = np.linalg.inv(np.triu(moves.T @ changes))
    middle = np.diag(np.sum(moves * changes, axis=0)) + changes.T @ (variance[:, None] * changes)
    none = np.zeros_like(upper)
    core = np.block([[none, -upper], [-upper.T, upper.T @ middle @ upper]])
    columns = np.column_stack([variance[:, None] * changes, moves])
    basis, rest = np.linalg.qr(columns / scale[:, None])
    try:
        factor = np.linalg.cholesky(np.eye(len(rest)) + rest @ core @ rest.T)
    except np.linalg.LinAlgError:
        return None
    mean = position + variance * gradient + columns @ (core @ (columns.T @ gradient))
    return Normal(mean, scale, basis, factor)
