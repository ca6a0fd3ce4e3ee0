"""Symplectic integrators: the moves that Hamiltonian kernels are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from bayesdl.infer.kernel import Density
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random


@dataclass(frozen=True)
class Point:
    """A point of a Hamiltonian trajectory.

    Parameters
    ----------
    position, momentum : Array, shape (dim,)
    value : Array, shape ()
        Log density at the position, nats.
    gradient : Array, shape (dim,)
        Its gradient.
    """

    __tree__: ClassVar[bool] = True

    position: Any
    momentum: Any
    value: Any
    gradient: Any


def leapfrog(point: Point, density: Density, step_size: Any, inverse_mass: Any) -> Point:
    """Advance a Hamiltonian trajectory by one leapfrog step.

    Half a kick, one drift, half a kick:

        p ← p + ε/2 ∇ log π(q);   q ← q + ε M⁻¹ p;   p ← p + ε/2 ∇ log π(q)

    Parameters
    ----------
    point : Point
        Its gradient is used for the first kick, so the density is evaluated once.
    density : callable
        Position to (log density, gradient).
    step_size : Array, shape ()
        ε; negative goes back in time.
    inverse_mass : Array, shape (dim,)
        Diagonal of M⁻¹; an estimate of the posterior variance is a good choice.

    Returns
    -------
    Point
        The state after time ε. Energy is kept up to O(ε³).

    Notes
    -----
    The map is reversible and keeps volume, so a Metropolis correction needs no Jacobian. A non-
    finite
    gradient is passed through: the kernel decides that the trajectory has diverged.

    References
    ----------
    Neal (2011), MCMC using Hamiltonian dynamics, section 2.3 (arXiv:1206.1901).

    Examples
    --------
    >>> import numpy as np
    >>> start = Point(np.array([1.0]), np.array([0.0]), -0.5, np.array([-1.0]))
    >>> end = leapfrog(start, lambda q: (-0.5 * (q * q).sum(), -q), 0.1, np.array([1.0]))
    >>> end.position.round(6).tolist(), end.momentum.round(6).tolist()
    ([0.995], [-0.09975])
    """
    momentum = point.momentum + 0.5 * step_size * point.gradient
    position = point.position + step_size * inverse_mass * momentum
    value, gradient = density(position)
    return Point(position, momentum + 0.5 * step_size * gradient, value, gradient)


def draw_momentum(key: Any, inverse_mass: Any) -> Any:
    """A momentum from N(0, M), shape (dim,)."""
    return random.normal(key, inverse_mass.shape, inverse_mass.dtype) / bnp.sqrt(inverse_mass)


def energy(point: Point, inverse_mass: Any) -> Any:
    """Hamiltonian of a point, nats: −log π(q) + ½ pᵀ M⁻¹ p; NaN counts as +∞."""
    total = 0.5 * (inverse_mass * point.momentum * point.momentum).sum() - point.value
    return bnp.where(bnp.isnan(total), bnp.inf, total)
