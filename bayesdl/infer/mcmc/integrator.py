"""Symplectic integrators: the moves that Hamiltonian kernels are made of."""

from __future__ import annotations

from typing import Any, ClassVar

from bayesdl._base.dataclass import dataclass
from bayesdl.infer.kernel import Density
from bayesdl.ops import numpy as bnp

from .metric import Metric


@dataclass(frozen=True)
class Place:
    """Where a chain stands.

    Parameters
    ----------
    position : Array, shape (dim,)
    value : Array, shape ()
        Log density at the position, nats.
    gradient : Array, shape (dim,)
        Its gradient.
    """

    __tree__: ClassVar[bool] = True

    position: Any
    value: Any
    gradient: Any


@dataclass(frozen=True)
class Point:
    """A point of a Hamiltonian trajectory.

    Parameters
    ----------
    position : Array, shape (dim,)
    momentum, gradient : Array
        Scaled by the metric.
    """

    __tree__: ClassVar[bool] = True

    position: Any
    momentum: Any
    gradient: Any


def leapfrog(point: Point, density: Density, step_size: Any, metric: Metric) -> tuple[Point, Place]:
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
    Point, Place
        The state after time ε, and where it lies. Energy is kept up to O(ε³).

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
    >>> one = np.array([1.0])
    >>> normal = lambda q: (-0.5 * (q * q).sum(), -q)
    >>> end, _ = leapfrog(Point(one, 0.0 * one, -one), normal, 0.1, Diagonal(one))
    >>> end.position.round(6).tolist(), end.momentum.round(6).tolist()
    ([0.995], [-0.09975])
    """
    momentum = point.momentum + 0.5 * step_size * point.gradient
    position = point.position + step_size * metric.velocity(momentum)
    value, gradient = density(position)
    scaled = metric.scaled(gradient)
    end = Point(position, momentum + 0.5 * step_size * scaled, scaled)
    return end, Place(position, value, gradient)


def set_off(key: Any, place: Place, metric: Metric) -> Point:
    """The same place with a fresh momentum from N(0, M)."""
    return Point(place.position, metric.momentum(key), metric.scaled(place.gradient))


def energy(momentum: Any, value: Any, metric: Metric) -> Any:
    """Hamiltonian, nats, by the scaled momentum and the log density; NaN counts as +∞."""
    total = 0.5 * (metric.weights * momentum * momentum).sum() - value
    return bnp.where(bnp.isnan(total), bnp.inf, total)
