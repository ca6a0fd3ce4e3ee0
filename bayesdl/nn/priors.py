"""Priors over weights that keep a layer's output on one scale whatever its width."""

from __future__ import annotations

from collections.abc import Callable

from bayesdl import dist


def fan_in_normal(scale: float = 1.0) -> Callable[[int], dist.Normal]:
    """Normal(0, scale / √fan_in) for every weight.

    Parameters
    ----------
    scale : float, default 1.0
        Standard deviation of a unit's input when the units that enter it have unit variance.

    Returns
    -------
    callable
        From fan_in to a distribution.

    References
    ----------
    Neal (1996), Bayesian Learning for Neural Networks, section 2.1.

    Examples
    --------
    >>> float(fan_in_normal()(4).scale)
    0.5
    """
    return lambda fan_in: dist.Normal(0.0, scale / fan_in**0.5)


def fan_in_laplace(scale: float = 1.0) -> Callable[[int], dist.Laplace]:
    """Laplace of mean 0 and standard deviation scale / √fan_in for every weight.

    Its tails are heavier and its peak is sharper than a normal's: few weights matter.

    Parameters
    ----------
    scale : float, default 1.0

    References
    ----------
    Williams (1995), Bayesian regularization and pruning using a Laplace prior.

    Examples
    --------
    >>> round(float(fan_in_laplace()(2).scale), 6)
    0.5
    """
    return lambda fan_in: dist.Laplace(0.0, scale / (2.0 * fan_in) ** 0.5)
