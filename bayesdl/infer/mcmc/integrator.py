"""Symplectic integrators: the moves that Hamiltonian kernels are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from bayesdl.infer.kernel import Density
from bayesdl.ops import numpy as bnp

from .metric import Metric


@dataclass(frozen=True)
class Point:
    """A point of a Hamiltonian trajectory.

    Parameters
    ----------
    position, momentum, velocity : Array, shape (dim,)
        The velocity is M⁻¹ times the momentum; it is kept for the energy and the U-turn criterion.
    value : Array, shape ()
        Log density at the position, nats.
    gradient : Array, shape (dim,)
        Its gradient.
    """

    __tree__: ClassVar[bool] = True

    position: Any
    momentum: Any
    velocity: Any
    value: Any
    gradient: Any


def leapfrog(point: Point, density: Density, step_size: Any, metric: Metric) -> Point:
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
    metric : Metric
        M⁻¹; an estimate of the posterior covariance is a good choice.

    Returns
    -------
    Point
        The state after time ε. Energy is kept up to O(ε³).

    Notes
    -----
    The map is reversible and keeps volume, so a Metropolis correction needs no Jacobian. A gradient
    that is not finite is passed through: the kernel decides that the trajectory has diverged.

    References
    ----------
    Neal (2011), MCMC using Hamiltonian dynamics, section 2.3 (arXiv:1206.1901).

    Examples
    --------
    >>> import numpy as np
    >>> from bayesdl.infer.mcmc.metric import Diagonal
    >>> one, rest = np.array([1.0]), np.array([0.0])
    >>> normal = lambda q: (-0.5 * (q * q).sum(), -q)
    >>> end = leapfrog(Point(one, rest, rest, -0.5, -one), normal, 0.1, Diagonal(one))
    >>> end.position.round(6).tolist(), end.momentum.round(6).tolist()
    ([0.995], [-0.09975])
    """
    momentum = point.momentum + 0.5 * step_size * point.gradient
    position = point.position + step_size * metric.velocity(momentum)
    value, gradient = density(position)
    momentum = momentum + 0.5 * step_size * gradient
    return Point(position, momentum, metric.velocity(momentum), value, gradient)


def set_off(key: Any, point: Point, metric: Metric) -> Point:
    """The same place with a fresh momentum from N(0, M)."""
    momentum = metric.momentum(key)
    return Point(point.position, momentum, metric.velocity(momentum), point.value, point.gradient)


def energy(point: Point) -> Any:
    """Hamiltonian of a point, nats: −log π(q) + ½ pᵀ M⁻¹ p; NaN counts as +∞."""
    total = 0.5 * (point.momentum * point.velocity).sum() - point.value
    return bnp.where(bnp.isnan(total), bnp.inf, total)
