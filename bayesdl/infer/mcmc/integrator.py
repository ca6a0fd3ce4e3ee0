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
    momentum : Array
        Lifted by the metric.
    value : Array, shape ()
        Log density at the position, nats.
    gradient : Array
        Its gradient, lifted by the metric.
    """

    __tree__: ClassVar[bool] = True

    position: Any
    momentum: Any
    value: Any
    gradient: Any

    @property
    def place(self) -> Place:
        """Where it lies, without its momentum."""
        return Place(self.position, self.value, self.gradient[: self.position.shape[0]])


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
    >>> one = np.array([1.0])
    >>> normal = lambda q: (-0.5 * (q * q).sum(), -q)
    >>> end = leapfrog(Point(one, 0.0 * one, -0.5, -one), normal, 0.1, Diagonal(one))
    >>> end.position.round(6).tolist(), end.momentum.round(6).tolist()
    ([0.995], [-0.09975])
    """
    momentum = point.momentum + 0.5 * step_size * point.gradient
    position = point.position + step_size * metric.velocity(momentum)
    value, gradient = density(position)
    gradient = metric.lift(gradient)
    return Point(position, momentum + 0.5 * step_size * gradient, value, gradient)


def set_off(key: Any, place: Place, metric: Metric) -> Point:
    """The same place with a fresh momentum from N(0, M)."""
    gradient = metric.lift(place.gradient)
    return Point(place.position, metric.momentum(key), place.value, gradient)


def energy(point: Point, metric: Metric) -> Any:
    """Hamiltonian of a point, nats: −log π(q) + ½ pᵀ M⁻¹ p; NaN counts as +∞."""
    total = 0.5 * (metric.weights * point.momentum * point.momentum).sum() - point.value
    return bnp.where(bnp.isnan(total), bnp.inf, total)
