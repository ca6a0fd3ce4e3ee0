"""Objectives: lower bounds of the log evidence, from the log weights of a few samples."""

from __future__ import annotations

import math
from typing import Any

from bayesdl._base.dataclass import dataclass
from bayesdl.infer.optim._checked import in_range
from bayesdl.ops import numpy as bnp


@dataclass(frozen=True)
class Renyi:
    """The Rényi bound of order α on K samples of the guide q.

        1 / (1 − α) · log mean_k w_k^(1 − α),   w = π(z) / q(z)

    α = 1 is the ELBO, the mean of log w; α = 0 is the importance-weighted bound, which grows with K
    towards the log evidence. Below 1 the guide covers more of the density, above 1 less.

    Parameters
    ----------
    alpha : float

    References
    ----------
    Li & Turner (2016), Rényi divergence variational inference, section 4 (arXiv:1602.02311); Burda,
    Grosse & Salakhutdinov (2016), Importance weighted autoencoders (arXiv:1509.00519).

    Examples
    --------
    >>> import numpy as np
    >>> log_weights = np.log([1.0, 3.0])
    >>> [round(float(Renyi(a).bound(log_weights)), 4) for a in (1.0, 0.0)]
    [0.5493, 0.6931]
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        in_range(self, "alpha", -math.inf)

    def bound(self, log_weights: Any) -> Any:
        """The bound in nats, from log w of shape (K,); of each row from shape (K, rows)."""
        if self.alpha == 1.0:
            return log_weights.mean(axis=0)
        power = 1.0 - self.alpha
        count = math.log(log_weights.shape[0])
        return (bnp.logsumexp(power * log_weights, 0) - count) / power

    def shares(self, log_weights: Any) -> Any:
        """Derivative of the bound by each log weight: they sum to 1."""
        return bnp.softmax((1.0 - self.alpha) * log_weights)


OBJECTIVES = {"elbo": 1.0, "iwae": 0.0}
"""Objectives with a name, by their order α."""
