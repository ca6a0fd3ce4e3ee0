"""Maps onto increasing vectors."""

from __future__ import annotations

from typing import Any

from bayesdl.ops import numpy as bnp

from ._base import Bijector, bijector


@bijector
class Ordered(Bijector):
    """Rᵏ → increasing vectors: y₁ = x₁, yᵢ = yᵢ₋₁ + exp xᵢ; log|det| = x₂ + … + xₖ."""

    forward_event_ndim = 1
    inverse_event_ndim = 1
    example_event_shapes = ((1,), (4,))

    def forward_and_log_det(self, x: Any) -> tuple[Any, Any]:
        x = bnp.asarray(x)
        steps = bnp.concatenate([x[..., :1], bnp.exp(x[..., 1:])], -1)
        return bnp.cumsum(steps, -1), bnp.sum(x[..., 1:], -1)

    def inverse(self, y: Any) -> Any:
        y = bnp.asarray(y)
        return bnp.concatenate([y[..., :1], bnp.log(bnp.diff(y))], -1)


@bijector
class PositiveOrdered(Bijector):
    """Rᵏ → increasing vectors of positive numbers: yᵢ = exp x₁ + … + exp xᵢ; log|det| = Σ xᵢ."""

    forward_event_ndim = 1
    inverse_event_ndim = 1
    example_event_shapes = ((1,), (4,))

    def forward_and_log_det(self, x: Any) -> tuple[Any, Any]:
        x = bnp.asarray(x)
        return bnp.cumsum(bnp.exp(x), -1), bnp.sum(x, -1)

    def inverse(self, y: Any) -> Any:
        y = bnp.asarray(y)
        return bnp.log(bnp.concatenate([y[..., :1], bnp.diff(y)], -1))
