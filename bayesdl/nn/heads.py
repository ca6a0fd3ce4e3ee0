"""Heads: the distribution of an observation, from the outputs of a network.

Each is a function of outputs (rows, k), whose columns are what the distribution needs, as reals.
Write ``bdl.sample("y", nn.heads.heteroscedastic(net(x)), obs=y)`` inside the plate of the rows.
Outputs (rows, time, k) give a distribution for each time: write ``.to_event(1)`` behind the head.
"""

from __future__ import annotations

from typing import Any

from bayesdl import dist
from bayesdl._base.errors import ShapeError
from bayesdl._base.source import user_source
from bayesdl.dist._base import Distribution
from bayesdl.ops import numpy as bnp

LEAST_SCALE = 1e-3
"""Added to scales that a network says, so that no row can be fitted exactly."""


def gaussian(f: Any, scale: Any) -> Distribution:
    """Normal(f, scale) for each row; `scale` is a number, or a site of the model.

    Parameters
    ----------
    f : array, shape (rows, 1)
    scale : float or Array, shape ()

    Examples
    --------
    >>> import numpy as np
    >>> gaussian(np.zeros((3, 1)), 0.5).batch_shape
    (3,)
    """
    return dist.Normal(_columns("gaussian", f, 1)[0], scale)


def heteroscedastic(f: Any) -> Distribution:
    """Normal with a mean and a scale for each row: (f₀, softplus(f₁)).

    Parameters
    ----------
    f : array, shape (rows, 2)

    References
    ----------
    Nix & Weigend (1994), Estimating the mean and variance of the target probability distribution.
    """
    loc, raw = _columns("heteroscedastic", f, 2)
    return dist.Normal(loc, _scale(raw))


def student_t(f: Any, df: Any, scale: Any) -> Distribution:
    """Student's t about f, for rows with outliers.

    Parameters
    ----------
    f : array, shape (rows, 1)
    df, scale : float or Array, shape ()
    """
    return dist.StudentT(df, _columns("student_t", f, 1)[0], scale)


def quantile(f: Any, level: float, scale: Any) -> Distribution:
    """A working likelihood under which f is fitted to the quantile of each row at `level`.

    Asymmetric Laplace: the check loss, as a log density. Its spread is that of no data, so f means
    something and new observations do not.

    Parameters
    ----------
    f : array, shape (rows, 1)
    level : float
        In (0, 1).
    scale : float or Array, shape ()

    References
    ----------
    Yu & Moyeed (2001), Bayesian quantile regression.
    """
    return dist.AsymmetricLaplace(_columns("quantile", f, 1)[0], scale, level)


def categorical(f: Any) -> Distribution:
    """One of k classes, whose logits are the outputs.

    Parameters
    ----------
    f : array, shape (rows, k)
    """
    return dist.Categorical(logits=f)


def bernoulli(f: Any) -> Distribution:
    """Yes or no, with the output as logit.

    Parameters
    ----------
    f : array, shape (rows, 1)
    """
    return dist.Bernoulli(logits=_columns("bernoulli", f, 1)[0])


def poisson(f: Any) -> Distribution:
    """Counts of rate exp(f).

    Parameters
    ----------
    f : array, shape (rows, 1)
    """
    return dist.Poisson(bnp.exp(_columns("poisson", f, 1)[0]))


def mixture_density(f: Any, components: int) -> Distribution:
    """Mixture of normals: logits, means and scales of the components, in this order.

    Parameters
    ----------
    f : array, shape (rows, 3 components)
    components : int

    References
    ----------
    Bishop (1994), Mixture density networks.

    Examples
    --------
    >>> import numpy as np
    >>> mixture_density(np.zeros((4, 6)), 2).batch_shape
    (4,)
    """
    _columns("mixture_density", f, 3 * components)
    logits, loc, raw = (f[..., i * components : (i + 1) * components] for i in range(3))
    return dist.Mixture(dist.Categorical(logits=logits), dist.Normal(loc, _scale(raw)))


def _scale(raw: Any) -> Any:
    return bnp.softplus(raw) + LEAST_SCALE


def _columns(name: str, f: Any, count: int) -> list[Any]:
    shape = tuple(f.shape)
    if len(shape) < 2 or shape[-1] != count:
        raise ShapeError(
            f"the head {name!r} needs outputs of shape (rows, {count}).",
            facts=[("outputs", shape)],
            fix=f"let the network end in {count} outputs, for example nn.MLP(out={count}).",
            where=user_source(),
            code="T111",
        )
    return [f[..., i] for i in range(count)]
