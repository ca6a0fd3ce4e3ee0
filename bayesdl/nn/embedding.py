"""Vectors for categories."""

from __future__ import annotations

from typing import Any, ClassVar

from bayesdl import dist
from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import DtypeError
from bayesdl._base.source import user_source
from bayesdl.model.statements import indices
from bayesdl.ops import numpy as bnp

from ._base import Example, Layer, Prior, layer, weight


@layer
@dataclass(frozen=True)
class Embedding(Layer):
    """A random vector for each category: integers of any shape → (*shape, fan_out).

    Site: ``{name}.weight`` of shape (count, fan_out).

    Parameters
    ----------
    count : int
        Number of categories; indices run from 0 to count − 1.
    fan_out : int
        Length of a vector.
    name : str, default "embedding"
    prior : Distribution, callable from fan_in to one, or None
        Of each entry; Normal(0, 1) by default.

    Raises
    ------
    DtypeError
        If the indices are not whole numbers.
    SupportError
        If one that is known, as from the data of a fit, is none of 0, …, count − 1. Predictions of
        new rows take the nearest of these.
    """

    count: int
    fan_out: int
    name: str = "embedding"
    prior: Prior = dist.Normal(0.0, 1.0)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"count": 3, "fan_out": 2}, (4, 5), (4, 5, 2), {"weight": (3, 2)}, below=3),
    )

    def __call__(self, x: Any) -> Any:
        x = bnp.asarray(x)
        if x.dtype.kind not in "iu":
            raise DtypeError(
                f"layer {self.name!r} needs whole numbers as indices.",
                facts=[("dtype", x.dtype)],
                fix="convert them: x.astype(int).",
                where=user_source(),
                code="T111",
            )
        x, shape = indices(self.name, x, self.count), (self.count, self.fan_out)
        table = weight(f"{self.name}.weight", self.prior, self.count, shape, "table", self.name)
        return bnp.take(table, x, axis=0)
