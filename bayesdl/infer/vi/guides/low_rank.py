"""The low-rank guide: a normal distribution with a few common factors."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random
from bayesdl.ops.linalg import triangular_solve

from ._base import LOG_2PI, Guide, guide

FIRST_FACTOR = 0.1  # the gradient by the factors is zero where they are, so they start elsewhere


@guide
@dataclass(frozen=True)
class LowRank(Guide):
    """A normal distribution of covariance sd (I + F Fᵀ) sd, with F of shape (dim, rank).

    Parameters
    ----------
    rank : int

    References
    ----------
    Ong et al. (2018), Gaussian variational approximation with a factor covariance structure
    (arXiv:1701.03208).
    """

    name: ClassVar[str] = "low_rank"

    rank: int = 10

    def start(self, key: Any, position: Any, sd: float) -> Any:
        shape = (position.shape[0], self.rank)
        scale = FIRST_FACTOR / math.sqrt(self.rank)
        return {
            "mean": position,
            "log_sd": bnp.full_like(position, math.log(sd)),
            "factors": scale * random.normal(key, shape, position.dtype),
        }

    def sample_and_log_prob(self, params: Any, key: Any) -> tuple[Any, Any]:
        mean, factors = params["mean"], params["factors"]
        noise = random.normal(key, (mean.shape[0] + self.rank,), mean.dtype)
        own, common = noise[: mean.shape[0]], noise[mean.shape[0] :]
        position = mean + bnp.exp(params["log_sd"]) * (own + factors @ common)
        return position, self.log_prob(params, position)

    def log_prob(self, params: Any, position: Any) -> Any:
        scaled = (position - params["mean"]) * bnp.exp(-params["log_sd"])
        root = self._root(params)
        seen = triangular_solve(root, params["factors"].T @ scaled)
        square = (scaled * scaled).sum() - (seen * seen).sum()
        return -0.5 * (square + scaled.shape[0] * LOG_2PI) - self._log_volume(params, root)

    def entropy(self, params: Any) -> Any:
        dim = params["mean"].shape[0]
        return self._log_volume(params, self._root(params)) + 0.5 * dim * (1.0 + LOG_2PI)

    def _root(self, params: Any) -> Any:
        """Cholesky factor of I + Fᵀ F, by which Woodbury's identity inverts the covariance."""
        factors = params["factors"]
        eye = bnp.asarray(np.eye(self.rank), factors.dtype)
        return bnp.linalg.cholesky(eye + factors.T @ factors)

    def _log_volume(self, params: Any, root: Any) -> Any:
        return params["log_sd"].sum() + bnp.log(bnp.diagonal(root)).sum()
