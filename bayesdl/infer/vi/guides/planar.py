"""Planar flows: each layer stretches space along one direction."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from bayesdl._base.dataclass import dataclass
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random
from bayesdl.tracing.flow import fori_loop

from ._base import guide
from .flow import Flow

HALVINGS = 60  # of an interval: more than a float64 can hold


@guide
@dataclass(frozen=True)
class Planar(Flow):
    """Layers x ← x + u tanh(w·x + b), with w·u > −1 so that each can be inverted.

    Parameters
    ----------
    layers : int

    References
    ----------
    Rezende & Mohamed (2015), Variational inference with normalizing flows, section 4.1 and appendix
    A.1 (arXiv:1505.05770).
    """

    name: ClassVar[str] = "planar"

    layers: int = 8

    def layer_start(self, key: Any, dim: int, dtype: Any) -> Any:
        first, second = random.fold_in(key, 0), random.fold_in(key, 1)
        return {
            "along": random.normal(first, (dim,), dtype) / math.sqrt(dim),
            "by": 0.01 * random.normal(second, (dim,), dtype),
            "offset": bnp.zeros((), dtype),
        }

    def forward(self, params: Any, x: Any) -> tuple[Any, Any]:
        w, u, product = _directions(params)
        bent = bnp.tanh((w * x).sum() + params["offset"])
        return x + u * bent, bnp.log1p(product * (1.0 - bent * bent))

    def inverse(self, params: Any, y: Any) -> tuple[Any, Any]:
        w, u, product = _directions(params)
        offset = params["offset"]
        target = (w * y).sum()

        def excess(a: Any) -> Any:
            return a + product * bnp.tanh(a + offset) - target

        def halve(_: Any, ends: tuple[Any, Any]) -> tuple[Any, Any]:
            middle = 0.5 * (ends[0] + ends[1])
            above = excess(middle) > 0.0
            return bnp.where(above, ends[0], middle), bnp.where(above, middle, ends[1])

        reach = bnp.abs(product)
        ends = (bnp.stop_gradient(target - reach), bnp.stop_gradient(target + reach))
        low, high = fori_loop(0, HALVINGS, halve, ends)
        near = bnp.stop_gradient(0.5 * (low + high))
        slope = 1.0 + product * (1.0 - bnp.tanh(near + offset) ** 2)
        # One step of Newton's method: it carries the derivatives that the halving does not.
        bent = bnp.tanh(near - excess(near) / bnp.stop_gradient(slope) + offset)
        return y - u * bent, bnp.log1p(product * (1.0 - bent * bent))


def _directions(params: Any) -> tuple[Any, Any, Any]:
    """w, u moved along w until w·u > −1, and w·u."""
    w, u = params["along"], params["by"]
    raw = (w * u).sum()
    product = bnp.logaddexp(0.0, raw + math.log(math.e - 1.0)) - 1.0
    return w, u + (product - raw) * w / (w * w).sum(), product
