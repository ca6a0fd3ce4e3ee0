"""A distribution moved by a bijector."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from bayesdl import constraints
from bayesdl.bijectors import Affine, Bijector, Exp, Sigmoid, StickBreaking
from bayesdl.constraints import Constraint
from bayesdl.ops import numpy as bnp

from ._base import Distribution, Shape, distribution
from .normal import Normal


@distribution
class TransformedDistribution(Distribution):
    """Distribution of f(X), where X has a distribution and f is a bijector.

        log p(y) = log p_X(f⁻¹(y)) + log |det ∂f⁻¹/∂y|

    Parameters
    ----------
    base : Distribution
        Of X.
    bijector : Bijector
        f.

    Notes
    -----
    *Support*: the image of that of X; outside it `cdf` is NaN. Mean, variance and entropy have no
    general formula.

    Examples
    --------
    >>> from bayesdl import bijectors, dist
    >>> d = TransformedDistribution(dist.Normal(0.0, 1.0), bijectors.Exp())
    >>> float(d.log_prob(2.0) - dist.LogNormal(0.0, 1.0).log_prob(2.0))
    0.0
    """

    base: Distribution
    bijector: Bijector

    examples = (
        (Normal(0.5, 2.0), Exp()),
        (Normal(0.5, 2.0), Affine(1.0, -3.0)),
        (Normal(np.zeros(3), 1.0).to_event(1), StickBreaking()),
        (Normal(np.zeros(2), 1.0).to_event(1), Sigmoid()),
    )

    @property
    def support(self) -> Constraint:
        return constraints.image(self.base.support, self.bijector)

    @property
    def event_shape(self) -> Shape:
        return self.bijector.constrained_shape(self._whole())[len(self.batch_shape) :]

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the base distribution."""
        return self.base.parameters

    def _log_prob(self, x: Any) -> Any:
        before, log_det = self.bijector.inverse_and_log_det(x)
        return self.base.log_prob(before) + self._summed(log_det)

    def log_prob_inside(self, value: Any) -> Any:
        own, x = self._ready(value)
        before, log_det = own.bijector.inverse_and_log_det(x)
        return own._spread(own.base.log_prob_inside(before) + own._summed(log_det), x)

    def _summed(self, log_det: Any) -> Any:
        more = len(self.base.event_shape) - self.bijector.forward_event_ndim
        return bnp.sum(log_det, tuple(range(-more, 0))) if more > 0 else log_det

    def _draw(self, key: Any, shape: Shape) -> Any:
        lead = shape[: len(shape) - len(self.batch_shape)]
        return self.bijector.forward(self.base.sample(key, lead))

    def _cdf(self, x: Any) -> Any:
        below = self.base.cdf(self.bijector.inverse(x))
        return below if self._increasing("cdf") else 1.0 - below

    def _icdf(self, p: Any) -> Any:
        return self.bijector.forward(self.base.icdf(p if self._increasing("icdf") else 1.0 - p))

    def _increasing(self, what: str) -> bool:
        if self.bijector.is_increasing is None:
            raise self._no_formula(what)
        return self.bijector.is_increasing

    def _whole(self) -> Shape:
        return (*self.base.batch_shape, *self.base.event_shape)

    def _common_shape(self) -> Shape:
        return self.base.batch_shape

    def expand(self, batch_shape: int | Shape) -> Any:
        return TransformedDistribution(self.base.expand(batch_shape), self.bijector)

    def _strong_dtype(self) -> np.dtype[Any] | None:
        return self.base._strong_dtype()

    def _in(self, dtype: np.dtype[Any]) -> Any:
        own = copy.copy(self)
        object.__setattr__(own, "base", self.base._in(dtype))
        return own
