"""Flat priors: densities that do not integrate to 1."""

from __future__ import annotations

from typing import Any

from bayesdl import constraints
from bayesdl._base.errors import ClosedFormError
from bayesdl._base.source import user_source
from bayesdl.constraints import Constraint
from bayesdl.ops import numpy as bnp

from ._base import Distribution, Shape, distribution


@distribution
class Flat(Distribution):
    """The constant density 1 on the real line: a prior that contributes nothing.

    It is no probability distribution, so there is nothing to draw, and the posterior is proper only
    if the data make it so.
    """

    is_proper = False
    support = constraints.real
    examples = ((),)

    def _log_prob(self, x: Any) -> Any:
        return bnp.zeros_like(x)

    def _draw(self, key: Any, shape: Shape) -> Any:
        raise _nothing_to_draw(self)


@distribution
class ImproperUniform(Distribution):
    """The constant density 1 on any set.

    Parameters
    ----------
    support : Constraint
        The set; its bounds may depend on other sites.
    event_shape : tuple of int, default ()
        Shape of one value.

    Examples
    --------
    >>> float(ImproperUniform(constraints.positive).log_prob(-1.0))
    -inf
    """

    domain: Constraint
    shape: Shape

    is_proper = False
    examples = ((constraints.positive,), (constraints.ordered, (3,)))

    def __init__(self, support: Constraint, event_shape: Shape = ()) -> None:
        object.__setattr__(self, "domain", support)
        object.__setattr__(self, "shape", tuple(event_shape))
        self.__post_init__()

    @property
    def support(self) -> Constraint:
        return self.domain

    @property
    def event_shape(self) -> Shape:
        return self.shape

    def _log_prob(self, x: Any) -> Any:
        ndim = len(self.event_shape)
        return bnp.zeros(x.shape[: len(x.shape) - ndim], x.dtype)

    def _draw(self, key: Any, shape: Shape) -> Any:
        raise _nothing_to_draw(self)

    def _common_shape(self) -> Shape:
        return self.domain.batch_shape


def _nothing_to_draw(d: Distribution) -> ClosedFormError:
    return ClosedFormError(
        f"{type(d).__name__} is not a probability distribution: there is nothing to draw.",
        fix="use a proper prior, for example Normal(0, 10), where prior draws are wanted.",
        where=user_source(),
        code="D106",
    )
