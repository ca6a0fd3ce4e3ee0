"""Affine maps with random weights."""

from __future__ import annotations

from typing import Any, ClassVar

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ShapeError
from bayesdl._base.source import user_source
from bayesdl.model.statements import units, weighted
from bayesdl.ops import numpy as bnp

from ._base import Example, Layer, Prior, layer, masked, of_biases, unit_normal, weight
from .priors import fan_in_normal


@layer
@dataclass(frozen=True)
class Linear(Layer):
    """Affine map R^fan_in → R^fan_out of the last axis: y = x W + b.

    Inputs have shape (rows, …, features), outputs (rows, …, fan_out). Dropout leaves out features
    of a row, the same ones at all times or places between the first axis and the last.

    Sites: ``{name}.weight`` of shape (fan_in, fan_out) and ``{name}.bias`` of shape (fan_out,).

    Parameters
    ----------
    fan_out : int
        Size of the output.
    name : str, default "linear"
        Prefix of the sites.
    prior : Distribution, callable from fan_in to one, or None
        Of each weight; Normal(0, 1/√fan_in) by default. None makes the weights parameters, and
        the biases too where `bias_prior` is not given.
    bias : bool, default True
        Whether there is a bias.
    bias_prior : Distribution, callable from fan_in to one, or None
        Of each bias; Normal(0, 1) by default.

    Raises
    ------
    ShapeError
        If the input has fewer than two axes.
    """

    fan_out: int
    name: str = "linear"
    prior: Prior = fan_in_normal()
    bias: bool = True
    bias_prior: Prior = unit_normal

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"fan_out": 2}, (4, 3), (4, 2), {"weight": (3, 2), "bias": (2,)}),
        Example({"fan_out": 2, "bias": False}, (4, 5, 3), (4, 5, 2), {"weight": (3, 2)}),
    )

    def __call__(self, x: Any) -> Any:
        x = bnp.asarray(x)
        if x.ndim < 2:
            raise ShapeError(
                f"layer {self.name!r} needs inputs of shape (rows, features).",
                facts=[("inputs", x.shape)],
                fix="write x[:, None] for one feature, or x[None, :] for one row.",
                where=user_source(),
                code="T111",
            )
        fan_in, flat = x.shape[-1], x.ndim == 2
        w = weight(
            f"{self.name}.weight", self.prior, fan_in, (fan_in, self.fan_out), "weight", self.name
        )
        x = units(self.name, x) if flat else masked(self.name, x)
        y = weighted(self.name, x, w, once=flat)
        if not self.bias:
            return y
        bias_prior = of_biases(self.bias_prior, self.prior)
        return y + weight(
            f"{self.name}.bias", bias_prior, fan_in, (self.fan_out,), "bias", self.name
        )
