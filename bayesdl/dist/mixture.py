"""Mixtures: one of several distributions, chosen at random."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from bayesdl._base.errors import ArgumentError, ShapeError, SupportError
from bayesdl._base.source import user_source
from bayesdl.constraints import Constraint
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from ._base import Distribution, Shape, distribution
from .categorical import Categorical, classes, log_weights, weights
from .normal import Normal
from .poisson import Poisson
from .student_t import StudentT


@distribution
class Mixture(Distribution):
    """Mixture of distributions, with the choice summed out.

        log p(x) = log Σᵢ wᵢ pᵢ(x)

    Parameters
    ----------
    mixing : Categorical
        Weights wᵢ, with k classes.
    components : Distribution or tuple of Distribution
        One distribution whose last batch axis counts the k components, or k distributions with one
        support.

    Examples
    --------
    >>> from bayesdl import dist
    >>> d = Mixture(dist.Categorical([0.3, 0.7]), dist.Normal(np.array([-1.0, 1.0]), 0.5))
    >>> float(d.mean), d.batch_shape
    (0.4, ())
    """

    mixing: Categorical
    components: Any

    examples = (
        (Categorical([0.3, 0.7]), Normal(np.array([-1.0, 1.0]), 0.5)),
        (Categorical(logits=[0.3, 0.7]), (Normal(0.0, 1.0), StudentT(3.0, 1.0, 2.0))),
        (Categorical([0.25, 0.75]), Poisson(np.array([1.0, 20.0]))),
        (Categorical([0.3, 0.7]), Normal(np.array([[0.0, 3.0], [1.0, 1.0]]), 0.5).to_event(1)),
    )

    @property
    def _parts(self) -> tuple[Distribution, ...]:
        """The components where they are several distributions; none where they are one batch."""
        return () if isinstance(self.components, Distribution) else tuple(self.components)

    def _check(self) -> None:
        k = classes(self.mixing)
        parts = self._parts
        batch = () if parts else self.components.batch_shape
        count = len(parts) if parts else (batch[-1] if batch else None)
        if count != k:
            raise ShapeError(
                "Mixture got weights and components of different number.",
                facts=[("weights", k), ("components", "no batch axis" if count is None else count)],
                fix="give one distribution of batch shape (..., k), or a tuple of k distributions.",
                where=user_source(),
                code="D105",
            )
        if len({p.event_shape for p in parts}) > 1 or len({p.support.name for p in parts}) > 1:
            raise SupportError(
                "the components of Mixture have different supports.",
                facts=[(type(p).__name__, p.support.name, p.event_shape) for p in parts],
                fix="mix distributions of one support.",
                where=user_source(),
                code="D107",
            )

    @property
    def support(self) -> Constraint:
        first = self._parts[0] if self._parts else self.components
        found: Constraint = first.support
        if found.batch_shape:
            raise SupportError(
                "the components of Mixture have different supports.",
                facts=[("component", repr(first))],
                fix="mix distributions of one support.",
                where=user_source(),
                code="D107",
            )
        return found

    @property
    def event_shape(self) -> Shape:
        shape: Shape = self._parts[0].event_shape if self._parts else self.components.event_shape
        return shape

    @property
    def parameters(self) -> dict[str, Any]:
        """The weights; the components have their own."""
        self._check_kinds()
        return self.mixing.parameters

    def _check_kinds(self) -> None:
        one = isinstance(self.components, tuple | list | Distribution)
        if (
            not isinstance(self.mixing, Categorical)
            or not one
            or not all(isinstance(p, Distribution) for p in self._parts)
        ):
            raise ArgumentError(
                "Mixture needs a Categorical and distributions.",
                facts=[
                    ("mixing", f"{type(self.mixing).__name__} {self.mixing!r}"[:60]),
                    ("components", f"{type(self.components).__name__} {self.components!r}"[:60]),
                ],
                fix="Mixture(dist.Categorical(weights), dist.Normal(locs, scales))",
                where=user_source(),
                code="D108",
            )

    def _log_prob(self, x: Any) -> Any:
        return bnp.logsumexp(log_weights(self.mixing) + self._each("log_prob", x), -1)

    def log_prob_inside(self, value: Any) -> Any:
        own, x = self._ready(value)
        return own._spread(
            bnp.logsumexp(log_weights(own.mixing) + own._each("log_prob_inside", x), -1), x
        )

    def _draw(self, key: Any, shape: Shape) -> Any:
        keys = random.split(key, 2)
        k, ndim = classes(self.mixing), len(self.event_shape)
        chosen = random.categorical(keys[0], log_weights(self.mixing), shape)
        picked = bnp.expand_dims(chosen, -1) == np.arange(k)
        draws = self._draws(keys[1], shape)
        picked = bnp.reshape(picked, (*shape, k, *(1,) * ndim))
        return bnp.sum(bnp.where(picked, draws, 0), -1 - ndim)

    def _draws(self, key: Any, shape: Shape) -> Any:
        """Draws of every component, along an axis before the event axes."""
        axis = -1 - len(self.event_shape)
        parts = self._parts
        if not parts:
            return self.components.expand((*shape, classes(self.mixing))).sample(key)
        keys = random.split(key, len(parts))
        return bnp.stack([p.expand(shape).sample(keys[i]) for i, p in enumerate(parts)], axis)

    def _cdf(self, x: Any) -> Any:
        return bnp.sum(weights(self.mixing) * self._each("cdf", x), -1)

    def _mean(self) -> Any:
        return self._averaged(self._moment("mean"))

    def _variance(self) -> Any:
        means = self._moment("mean")
        gap = means - bnp.expand_dims(self._averaged(means), self._axis)
        return self._averaged(self._moment("variance") + bnp.square(gap))

    @property
    def _axis(self) -> int:
        return -1 - len(self.event_shape)

    def _averaged(self, x: Any) -> Any:
        ndim = len(self.event_shape)
        weight = weights(self.mixing)
        return bnp.sum(bnp.reshape(weight, (*np.shape(weight), *(1,) * ndim)) * x, self._axis)

    def _moment(self, name: str) -> Any:
        if not self._parts:
            return getattr(self.components, name)
        return bnp.stack(
            [getattr(p.expand(self.batch_shape), name) for p in self._parts], self._axis
        )

    def _each(self, name: str, x: Any) -> Any:
        """A method of every component, along the last axis."""
        if not self._parts:
            return getattr(self.components, name)(bnp.expand_dims(x, self._axis))
        found = bnp.broadcast_arrays(*(getattr(p, name)(x) for p in self._parts))
        return bnp.stack(found, -1)

    def _masks_itself(self) -> bool:
        return True

    def _strong_dtype(self) -> np.dtype[Any] | None:
        members = (self.mixing, *(self._parts or (self.components,)))
        found = [d for d in (m._strong_dtype() for m in members) if d is not None]
        return np.result_type(*found) if found else None

    def _in(self, dtype: np.dtype[Any]) -> Any:
        own = copy.copy(self)
        object.__setattr__(own, "mixing", self.mixing._in(dtype))
        parts = tuple(p._in(dtype) for p in self._parts)
        object.__setattr__(own, "components", parts or self.components._in(dtype))
        return own

    def _common_shape(self) -> Shape:
        shapes = [p.batch_shape for p in self._parts] or [self.components.batch_shape[:-1]]
        return bnp.broadcast_shape(self.mixing.batch_shape, *shapes)
