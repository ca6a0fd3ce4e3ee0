"""The move that Hamiltonian kernels are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bayesdl.ops import numpy as bnp


def leapfrog(
    density: Callable[[Any], tuple[Any, Any]],
    position: Any,
    momentum: Any,
    gradient: Any,
    step_size: Any,
    inverse_mass: Any,
) -> tuple[Any, Any, Any, Any]:
    """Advance a Hamiltonian trajectory by one step, reusing the gradient at its start.

        p ← p + ε/2 ∇ log π(q);   q ← q + ε M⁻¹ p;   p ← p + ε/2 ∇ log π(q)

    Parameters
    ----------
    density : callable, (dim,) -> (value, gradient)
        Log density in nats and its gradient. Called once.
    position, momentum, gradient : Array, shape (dim,)
        Where the step starts.
    step_size : Array, shape ()
        ε; negative to go back in time.
    inverse_mass : Array, shape (dim,)
        Diagonal of M⁻¹.

    Returns
    -------
    position, momentum, value, gradient
        Where it ends. A non-finite value is passed on: the kernel decides that it has diverged.

    References
    ----------
    Neal (2011), MCMC using Hamiltonian dynamics, section 2.3 (arXiv:1206.1901).

    Examples
    --------
    >>> import numpy as np
    >>> normal = lambda q: (-0.5 * (q * q).sum(), -q)
    >>> start = np.array([1.0]), np.array([0.0]), np.array([-1.0])
    >>> q, p, *_ = leapfrog(normal, *start, 0.1, np.array([1.0]))
    >>> q.round(6).tolist(), p.round(6).tolist()
    ([0.995], [-0.09975])
    """
    momentum = momentum + 0.5 * step_size * gradient
    position = position + step_size * inverse_mass * momentum
    value, gradient = density(position)
    momentum = momentum + 0.5 * step_size * gradient
    return position, momentum, value, gradient


def kinetic_energy(momentum: Any, inverse_mass: Any) -> Any:
    """½ pᵀ M⁻¹ p, in nats."""
    return 0.5 * bnp.sum(momentum * momentum * inverse_mass)
