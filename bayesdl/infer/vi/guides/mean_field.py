"""The mean-field guide: a normal distribution with independent coordinates."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from bayesdl._base.dataclass import dataclass
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from ._base import LOG_2PI, Guide, guide, standard_log_prob


@guide
@dataclass(frozen=True)
class MeanField(Guide):
    """A normal distribution with independent coordinates.

    Its variances are mostly smaller than those of the density.

    References
    ----------
    Kucukelbir, Tran, Ranganath, Gelman & Blei (2017), Automatic differentiation variational
    inference, section 2.4 (arXiv:1603.00788).

    Examples
    --------
    >>> import numpy as np
    >>> params = MeanField().start(None, np.zeros(2), 1.0)
    >>> round(float(MeanField().log_prob(params, np.zeros(2))), 4)
    -1.8379
    """

    name: ClassVar[str] = "mean_field"

    def start(self, key: Any, position: Any, sd: float) -> Any:
        return {"mean": position, "log_sd": bnp.full_like(position, math.log(sd))}

    def sample_and_log_prob(self, params: Any, key: Any) -> tuple[Any, Any]:
        mean, log_sd = params["mean"], params["log_sd"]
        noise = random.normal(key, mean.shape, mean.dtype)
        return mean + bnp.exp(log_sd) * noise, standard_log_prob(noise) - log_sd.sum()

    def log_prob(self, params: Any, position: Any) -> Any:
        noise = (position - params["mean"]) * bnp.exp(-params["log_sd"])
        return standard_log_prob(noise) - params["log_sd"].sum()

    def mean_and_sd(self, params: Any) -> tuple[Any, Any]:
        return params["mean"], bnp.exp(params["log_sd"])

    def entropy(self, params: Any) -> Any:
        log_sd = params["log_sd"]
        return log_sd.sum() + 0.5 * log_sd.shape[0] * (1.0 + LOG_2PI)
