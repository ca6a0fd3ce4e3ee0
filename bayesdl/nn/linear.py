"""Affine maps with random weights."""

from __future__ import annotations

from typing import Any

from bayesdl import dist
from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ShapeError
from bayesdl._base.source import user_source
from bayesdl.model.statements import units, weighted
from bayesdl.ops import numpy as bnp

from ._base import Layer, Prior, layer, weight
from .priors import fan_in_normal


@layer
@dataclass(frozen=True)
class Linear(Layer):
    """Affine map R^fan_in → R^fan_out, row by row: y = x W + b.

    Sites: ``{name}.weight`` of shape (fan_in, fan_out) and ``{name}.bias`` of shape (fan_out,).

    Parameters
    ----------
    fan_out : int
        Size of the output.
    name : str, default "linear"
        Prefix of the sites.
    prior : Distribution, or callable from fan_in to one
        Of each weight; Normal(0, 1/√fan_in) by default.
    bias : bool, default True
        Whether there is a bias.
    bias_prior : Distribution, or callable from fan_in to one
        Of each bias; Normal(0, 1) by default.

    Raises
    ------
    ShapeError
        If the input has not two axes.
    """

    fan_out: int
    name: str = "linear"
    prior: Prior = fan_in_normal()
    bias: bool = True
    bias_prior: Prior = dist.Normal(0.0, 1.0)

    def __call__(self, x: Any) -> Any:
        x = bnp.asarray(x)
        if x.ndim != 2:
            raise ShapeError(
                f"layer {self.name!r} needs inputs of shape (rows, features).",
                facts=[("inputs", x.shape)],
                fix="write x[:, None] for one feature, or x[None, :] for one row.",
                where=user_source(),
                code="T111",
            )
        fan_in = x.shape[1]
        w = weight(
            f"{self.name}.weight", self.prior, fan_in, (fan_in, self.fan_out), "weight", self.name
        )
        y = weighted(self.name, units(self.name, x), w)
        if not self.bias:
            return y
        return y + weight(
            f"{self.name}.bias", self.bias_prior, fan_in, (self.fan_out,), "bias", self.name
        )
