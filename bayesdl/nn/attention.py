"""Multi-head attention with random projections."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ShapeError
from bayesdl._base.source import user_source
from bayesdl.model.statements import units
from bayesdl.ops import numpy as bnp

from ._base import Example, Layer, Prior, layer, of_biases, unit_normal, weight
from .priors import fan_in_normal

MINUS_INFINITY = -1e30
"""A score whose weight is zero; a true −∞ would make NaN of a row that sees nothing."""


SQUARE = (4, 4)
PROJECTIONS = {"query": SQUARE, "key": SQUARE, "value": SQUARE, "bias": (4,), "out": SQUARE}


@layer
@dataclass(frozen=True)
class MultiHeadAttention(Layer):
    """Each time looks at all times of its row: (rows, time, features) → (rows, time, features).

        softmax(Q Kᵀ / √d) V for each head, joined and projected

    Sites: ``{name}.query``, ``.key``, ``.value`` and ``.out``, each (features, features), and
    ``{name}.bias`` (features,).

    Parameters
    ----------
    heads : int, default 4
        Must divide the number of features.
    causal : bool, default False
        Whether a time sees only itself and what was before.
    name : str, default "attention"
    prior, bias_prior : Distribution, callable from fan_in to one, or None

    Raises
    ------
    ShapeError
        If inputs have not three axes, or heads do not divide the features.

    References
    ----------
    Vaswani et al. (2017), Attention is all you need, section 3.2 (arXiv:1706.03762).
    """

    heads: int = 4
    causal: bool = False
    name: str = "attention"
    prior: Prior = fan_in_normal()
    bias_prior: Prior = unit_normal

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"heads": 2}, (3, 5, 4), (3, 5, 4), PROJECTIONS),
        Example({"heads": 1, "causal": True}, (3, 5, 4), (3, 5, 4), PROJECTIONS),
    )

    def __call__(self, x: Any) -> Any:
        x = bnp.asarray(x)
        self._check(x)
        rows, times, features = x.shape
        size = features // self.heads

        def heads(which: str) -> Any:
            found = self._projected(which, x)
            return bnp.moveaxis(bnp.reshape(found, (rows, times, self.heads, size)), 2, 1)

        query, key, value = heads("query"), heads("key"), heads("value")
        scores = bnp.matmul(query, bnp.swapaxes(key, -1, -2)) / math.sqrt(size)
        if self.causal:
            past = bnp.arange(times)[:, None] >= bnp.arange(times)[None, :]
            scores = bnp.where(past, scores, MINUS_INFINITY)
        seen = bnp.matmul(bnp.softmax(scores, axis=-1), value)
        joined = bnp.reshape(bnp.moveaxis(seen, 1, 2), (rows, times, features))
        bias_prior = of_biases(self.bias_prior, self.prior)
        bias = weight(f"{self.name}.bias", bias_prior, features, (features,), "bias", self.name)
        return self._projected("out", joined) + bias

    def _projected(self, which: str, x: Any) -> Any:
        name, features = f"{self.name}.{which}", x.shape[-1]
        w = weight(name, self.prior, features, (features, features), "weight", self.name)
        # One mask for all times, as the rows of a matrix that a draw sets to zero.
        return bnp.matmul(x * units(name, bnp.ones((x.shape[0], 1, features), x.dtype)), w)

    def _check(self, x: Any) -> None:
        if x.ndim != 3 or x.shape[-1] % self.heads:
            raise ShapeError(
                f"layer {self.name!r} needs inputs of shape (rows, time, features), with features "
                "that split into its heads.",
                facts=[("inputs", x.shape), ("heads", self.heads)],
                fix="use a number of heads that divides the features.",
                where=user_source(),
                code="T111",
            )
