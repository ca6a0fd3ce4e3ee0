"""The multi-layer perceptron."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ArgumentError
from bayesdl._base.source import user_source

from ._base import Example, Layer, Prior, layer, unit_normal
from .activations import activation
from .linear import Linear
from .priors import fan_in_normal


@layer
@dataclass(frozen=True)
class MLP(Layer):
    """Layers of units, each an activation of an affine map of the layer before.

    Sites: ``{name}.0.weight``, ``{name}.0.bias``, ``{name}.1.weight``, …

    Parameters
    ----------
    hidden : tuple of int
        Sizes of the hidden layers.
    out : int, default 1
        Size of the output.
    activation : str or callable, default "tanh"
        Of the hidden units.
    prior, bias_prior : Distribution, callable from fan_in to one, or None
        Of each weight and bias; Normal(0, 1/√fan_in) and Normal(0, 1) by default.
    name : str, default "mlp"
        Prefix of the sites.

    Raises
    ------
    ArgumentError
        For a size below 1 or an unknown activation.

    References
    ----------
    Neal (1996), Bayesian Learning for Neural Networks, chapter 2.
    """

    hidden: tuple[int, ...] = (50,)
    out: int = 1
    activation: str | Callable[[Any], Any] = "tanh"
    prior: Prior = fan_in_normal()
    bias_prior: Prior = unit_normal
    name: str = "mlp"

    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            {"hidden": (3,), "out": 2},
            (4, 5),
            (4, 2),
            {"0.weight": (5, 3), "0.bias": (3,), "1.weight": (3, 2), "1.bias": (2,)},
        ),
        Example({"hidden": ()}, (4, 2, 5), (4, 2, 1), {"0.weight": (5, 1), "0.bias": (1,)}),
    )

    def __post_init__(self) -> None:
        activation(self.activation)
        sizes = (*self.hidden, self.out) if isinstance(self.hidden, (tuple, list)) else ()
        if not sizes or any(int(n) < 1 for n in sizes):
            raise ArgumentError(
                "an MLP needs layers of at least one unit.",
                facts=[("hidden", self.hidden), ("out", self.out)],
                fix="give positive sizes, for example hidden=(50,), out=1.",
                where=user_source(),
                code="A111",
            )

    def __call__(self, x: Any) -> Any:
        squash = activation(self.activation)
        for i, size in enumerate((*self.hidden, self.out)):
            affine = Linear(size, f"{self.name}.{i}", self.prior, bias_prior=self.bias_prior)
            x = affine(x)
            x = squash(x) if i < len(self.hidden) else x
        return x
