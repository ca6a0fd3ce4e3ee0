"""Batch axes made part of one event."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from bayesdl import constraints
from bayesdl._base.errors import ArgumentError, ShapeError
from bayesdl._base.source import user_source
from bayesdl.constraints import Constraint
from bayesdl.ops import numpy as bnp

from ._base import Distribution, Shape, distribution
from .kl import kl, kl_divergence
from .normal import Normal
from .poisson import Poisson


@distribution
class Independent(Distribution):
    """A batch of distributions as one distribution of an array: log p(x) = Σ log pᵢ(xᵢ).

    Parameters
    ----------
    base : Distribution
    ndim : int
        Number of batch axes, counted from the last, that become event axes.

    Examples
    --------
    >>> from bayesdl import dist
    >>> d = dist.Normal(np.zeros(3), 1.0).to_event(1)
    >>> d.batch_shape, d.event_shape, float(d.log_prob(np.zeros(3)))
    ((), (3,), -2.75681559...)
    """

    base: Distribution
    ndim: int

    examples = ((Normal(np.zeros((2, 3)), 1.5), 2), (Poisson(np.array([1.0, 4.0])), 1))

    def _check(self) -> None:
        if not 0 <= self.ndim <= len(self.base.batch_shape):
            raise ArgumentError(
                f"{self.ndim} batch axes cannot become event axes.",
                facts=[("batch_shape", self.base.batch_shape)],
                fix=f"give 0 to {len(self.base.batch_shape)}; expand((...)) adds batch axes.",
                where=user_source(),
                code="D105",
            )

    @property
    def support(self) -> Constraint:
        return constraints.independent(self.base.support, self.ndim)

    @property
    def event_shape(self) -> Shape:
        return (
            *self.base.batch_shape[len(self.base.batch_shape) - self.ndim :],
            *self.base.event_shape,
        )

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the base distribution."""
        return self.base.parameters

    @property
    def is_proper(self) -> bool:  # type: ignore[override]
        """As the base distribution."""
        return self.base.is_proper

    def _log_prob(self, x: Any) -> Any:
        return bnp.sum(self.base.log_prob(x), self._axes)

    def log_prob_inside(self, value: Any) -> Any:
        return self._spread(bnp.sum(self.base.log_prob_inside(value), self._axes), value)

    def _draw(self, key: Any, shape: Shape) -> Any:
        return self.base.sample(key, shape[: len(shape) - len(self.batch_shape)])

    def _entropy(self) -> Any:
        return bnp.sum(self.base.entropy(), self._axes)

    def _mean(self) -> Any:
        return self.base.mean

    def _variance(self) -> Any:
        return self.base.variance

    @property
    def _axes(self) -> Shape:
        return tuple(range(-self.ndim, 0))

    def _masks_itself(self) -> bool:
        return True

    def _strong_dtype(self) -> np.dtype[Any] | None:
        return self.base._strong_dtype()

    def _in(self, dtype: np.dtype[Any]) -> Any:
        return self._with(self.base._in(dtype))

    def _with(self, base: Distribution) -> Independent:
        own = copy.copy(self)
        object.__setattr__(own, "base", base)
        return own

    def _common_shape(self) -> Shape:
        return self.base.batch_shape[: len(self.base.batch_shape) - self.ndim]

    def expand(self, batch_shape: int | Shape) -> Any:
        wanted = (batch_shape,) if isinstance(batch_shape, int) else tuple(batch_shape)
        inner = self.base.batch_shape[len(self.base.batch_shape) - self.ndim :]
        return Independent(self.base.expand((*wanted, *inner)), self.ndim)


@kl(Independent, Independent)
def _independent_independent(p: Any, q: Any) -> Any:
    if p.ndim != q.ndim:
        raise ShapeError(
            "the two distributions have events of different ranks.",
            facts=[("p", p.event_shape), ("q", q.event_shape)],
            where=user_source(),
            code="D105",
        )
    return bnp.sum(kl_divergence(p.base, q.base), p._axes)
