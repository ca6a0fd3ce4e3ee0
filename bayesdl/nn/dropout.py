"""Where a network's units are dropped, said in the model."""

from __future__ import annotations

from typing import Any, ClassVar

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ArgumentError
from bayesdl._base.source import user_source
from bayesdl.model.statements import drop_next

from ._base import Example, Layer, layer


@layer
@dataclass(frozen=True)
class Dropout(Layer):
    """Units that enter the next layer with weights are dropped, by methods of the dropout family.

    Its output is its input: masks are a distribution over the weights of the layer that follows,
    under ``mc_dropout``, ``concrete_dropout`` (where the rate is the first one),
    ``variational_dropout`` and ``dropconnect``. Other methods have a distribution of their own over
    the weights, or none, and drop nothing. Where a model has a Dropout, layers behind none are not
    dropped; where it has none, all are, at the method's `rate`.

    A mask leaves out single units before a `Linear`, channels before a convolution, and the same
    features at all times before a recurrent layer and attention; of a recurrent layer, units of
    its state too, by a mask of their own.

    Parameters
    ----------
    rate : float, default 0.1
        How often a unit is dropped, in (0, 1).

    Raises
    ------
    ArgumentError
        If the rate is not in (0, 1).

    References
    ----------
    Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov (2014), Dropout: a simple way to
    prevent neural networks from overfitting; Gal & Ghahramani (2016), A theoretically grounded
    application of dropout in recurrent neural networks, section 4.2 (arXiv:1512.05287).

    Examples
    --------
    >>> from bayesdl import nn
    >>> net = nn.Sequential((nn.Linear(50, "a"), "relu", nn.Dropout(0.2), nn.Linear(1, "b")))
    """

    rate: float = 0.1

    examples: ClassVar[tuple[Example, ...]] = (Example({}, (3, 4), (3, 4)),)

    def __post_init__(self) -> None:
        if not 0.0 < self.rate < 1.0:
            raise ArgumentError(
                "a rate of dropout lies between 0 and 1.",
                facts=[("given", self.rate)],
                fix="for example nn.Dropout(0.1); leave the layer out to drop nothing.",
                where=user_source(),
                code="A108",
            )

    def __call__(self, x: Any) -> Any:
        drop_next(self.rate)
        return x
