"""The diagonal metric, from positions and gradients: what makes the target's scales look alike."""

from __future__ import annotations

from typing import Any, ClassVar

from bayesdl._base.dataclass import dataclass
from bayesdl.ops import numpy as bnp
from bayesdl.tracing.flow import cond

from .integrator import Place
from .metric import Diagonal

LEAST = 4.0
"""Points from which a scale is first taken."""


@dataclass(frozen=True)
class Welford:
    """Running mean and sum of squares.

    Parameters
    ----------
    count : Array, shape ()
    mean, squares : Array, shape (dim,)
        Mean, and Σ (x − mean)².
    """

    __tree__: ClassVar[bool] = True

    count: Any
    mean: Any
    squares: Any


@dataclass(frozen=True)
class Scales:
    """What is known of the target's scales from a stretch of the chain: two sets of moments."""

    __tree__: ClassVar[bool] = True

    positions: Welford
    gradients: Welford


def start_counting(like: Any) -> Welford:
    """Nothing seen yet."""
    zero = bnp.zeros_like(like)
    return Welford(zero.sum(), zero, zero)


def count_in(state: Welford, value: Any) -> Welford:
    """One more vector.

    References
    ----------
    Welford (1962), Note on a method for calculating corrected sums of squares and products.
    """
    count = state.count + 1.0
    change = value - state.mean
    mean = state.mean + change / count
    return Welford(count, mean, state.squares + change * (value - mean))


def no_scales(like: Any) -> Scales:
    """No point seen yet."""
    return Scales(start_counting(like), start_counting(like))


def see(scales: Scales, position: Any, gradient: Any) -> Scales:
    """One more point of the chain."""
    return Scales(count_in(scales.positions, position), count_in(scales.gradients, gradient))


def first_inverse_mass(gradient: Any) -> Any:
    """Before anything is learnt: 1 / (1 + |gradient|), shape (dim,).

    Starts are about one unit from the mode, where the gradient of a target of scale s ≪ 1 is about
    1/s².
    """
    return 1.0 / (1.0 + bnp.abs(gradient))


def inverse_mass(scales: Scales, previous: Any) -> Any:
    """The diagonal M⁻¹ of least Fisher divergence: sd of positions over sd of gradients.

        M⁻¹ᵢ = √(var xᵢ / var ∂ᵢ log π(x))

    Parameters
    ----------
    scales : Scales
    previous : Array, shape (dim,)
        What to keep where there are fewer than four points, or they do not differ.

    Notes
    -----
    The geometric mean of the marginal variance and of the variance given all other coordinates. For
    a normal target with independent coordinates positions and gradients are proportional, so it is
    exact from two points on, wherever they lie.

    References
    ----------
    Seyboldt, Carlson & Carpenter (2026), on the diagonal preconditioner (arXiv:2603.18845).
    """
    found = bnp.sqrt(scales.positions.squares / scales.gradients.squares)
    good = bnp.isfinite(found) & (found > 0.0) & (scales.positions.count >= LEAST)
    return bnp.where(good, found, previous)


@dataclass(frozen=True)
class Windows:
    """Two overlapping stretches of a warm-up.

    Parameters
    ----------
    scales : Scales
        Of the current window and the one before it.
    coming : Scales
        Of the current window, for the next one to start from.
    """

    __tree__: ClassVar[bool] = True

    scales: Scales
    coming: Scales


@dataclass(frozen=True)
class LearnDiagonal:
    """The diagonal metric, anew at each point.

    Notes
    -----
    It is taken from the current window and the one before it, so that it forgets the start of the
    chain and yet is never taken from a few points.
    """

    def start(self, gradient: Any) -> tuple[Windows, Diagonal]:
        """No point seen, and a first metric."""
        empty = no_scales(gradient)
        return Windows(empty, empty), Diagonal(bnp.sqrt(first_inverse_mass(gradient)))

    def learn(
        self, windows: Windows, metric: Diagonal, place: Place, window_end: Any
    ) -> tuple[Windows, Diagonal]:
        """One more point, and what it changes."""
        scales = see(windows.scales, place.position, place.gradient)
        coming = see(windows.coming, place.position, place.gradient)
        passed = cond(
            window_end,
            lambda scales, coming: Windows(coming, no_scales(place.position)),
            Windows,
            scales,
            coming,
        )
        return passed, Diagonal(bnp.sqrt(inverse_mass(scales, metric.scale**2)))
