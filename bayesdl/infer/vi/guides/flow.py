"""What all normalising flows share: noise, a chain of invertible layers, a last scale and shift."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, ClassVar

from bayesdl._base.dataclass import dataclass
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random
from bayesdl.tracing.flow import shared

from ._base import Guide, standard_log_prob


@dataclass(frozen=True)
class Flow(Guide):
    """z = mean + sd · (f_K ∘ … ∘ f_1)(ε): the layers start as the identity, or near it.

    Parameters
    ----------
    layers : int
        K. They are one function with other parameters, so more of them compile as fast.

    References
    ----------
    Rezende & Mohamed (2015), Variational inference with normalizing flows (arXiv:1505.05770).
    """

    estimator: ClassVar[str] = "reparametrised"

    layers: int = 4

    @abstractmethod
    def layer_start(self, key: Any, dim: int, dtype: Any) -> Any:
        """First parameters of a layer."""

    @abstractmethod
    def forward(self, params: Any, x: Any) -> tuple[Any, Any]:
        """A layer at x, shape (dim,), and log |det| of its Jacobian there."""

    @abstractmethod
    def inverse(self, params: Any, y: Any) -> tuple[Any, Any]:
        """The x at which a layer is y, and log |det| of its Jacobian there."""

    def start(self, key: Any, position: Any, sd: float) -> Any:
        dim, dtype = position.shape[0], position.dtype
        return {
            "mean": position,
            "log_sd": bnp.full_like(position, math.log(sd)),
            "layers": [
                self.layer_start(random.fold_in(key, i), dim, dtype) for i in range(self.layers)
            ],
        }

    def sample_and_log_prob(self, params: Any, key: Any) -> tuple[Any, Any]:
        mean, log_sd = params["mean"], params["log_sd"]
        x = random.normal(key, mean.shape, mean.dtype)
        log_prob = standard_log_prob(x) - log_sd.sum()
        forward = shared(self.forward)
        for layer in params["layers"]:
            x, log_det = forward(layer, x)
            log_prob = log_prob - log_det
        return mean + bnp.exp(log_sd) * x, log_prob

    def log_prob(self, params: Any, position: Any) -> Any:
        x = (position - params["mean"]) * bnp.exp(-params["log_sd"])
        log_det = params["log_sd"].sum()
        inverse = shared(self.inverse)
        for layer in reversed(params["layers"]):
            x, here = inverse(layer, x)
            log_det = log_det + here
        return standard_log_prob(x) - log_det
