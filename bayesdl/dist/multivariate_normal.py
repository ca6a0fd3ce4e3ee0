"""The normal distribution of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl import constraints
from bayesdl._base.errors import ShapeError
from bayesdl._base.source import user_source
from bayesdl.ops import linalg, random
from bayesdl.ops import numpy as bnp

from ._base import Distribution, Shape, distribution, parameter
from ._special import HALF_LOG_TWO_PI
from .kl import kl


@distribution
class MultivariateNormal(Distribution):
    """Normal distribution of vectors.

        log p(x) = −½ (x − loc)ᵀ Σ⁻¹ (x − loc) − ½ log det Σ − ½ k log 2π

    Parameters
    ----------
    loc : Array, shape (..., k)
        Mean.
    covariance : Array, shape (..., k, k), optional
        Σ, symmetric and positive definite.
    precision : Array, shape (..., k, k), optional
        Σ⁻¹, symmetric and positive definite.
    scale_tril : Array, shape (..., k, k), optional
        Lower triangular L with a positive diagonal and Σ = L Lᵀ. Give one of the three; this is the
        cheapest.

    Notes
    -----
    *Support*: vectors. *Same as* ``scipy.stats.multivariate_normal(loc, covariance)``. A matrix in
    flight that is not positive definite gives NaN.
    """

    loc: Any = parameter(constraints.real_vector)
    covariance: Any = parameter(constraints.positive_definite, default=None)
    precision: Any = parameter(constraints.positive_definite, default=None)
    scale_tril: Any = parameter(constraints.covariance_cholesky, default=None)

    choice_of = ("covariance", "precision", "scale_tril")
    support = constraints.real_vector
    reference = "scipy.stats.multivariate_normal(loc, covariance)"
    examples = (
        ([0.0, 1.0], [[2.0, 0.3], [0.3, 1.0]]),
        {
            "loc": [0.0, 1.0, -1.0],
            "scale_tril": [[1.0, 0.0, 0.0], [0.3, 2.0, 0.0], [-1.0, 0.5, 0.2]],
        },
        {"loc": [0.5, 1.0], "precision": [[2.0, 0.3], [0.3, 1.0]]},
    )

    @property
    def event_shape(self) -> Shape:
        return (int(np.shape(self._matrix())[-1]),)

    def _check(self) -> None:
        sizes = {np.shape(self.loc)[-1], *np.shape(self._matrix())[-2:]}
        if len(sizes) > 1:
            raise ShapeError(
                "MultivariateNormal got a mean and a matrix of different sizes.",
                facts=[("loc", np.shape(self.loc)), ("matrix", np.shape(self._matrix()))],
                fix="give loc of shape (..., k) and a matrix of shape (..., k, k).",
                where=user_source(),
                code="D105",
            )

    def _matrix(self) -> Any:
        return next(m for m in (self.covariance, self.precision, self.scale_tril) if m is not None)

    def _log_prob(self, x: Any) -> Any:
        factor = self._factor()
        half_log_det = bnp.sum(bnp.log(linalg.diagonal_of(factor)), -1)
        sign = -1.0 if self.precision is not None else 1.0
        z = (
            _times(factor, x - self.loc)
            if self.precision is not None
            else _solved(factor, x - self.loc)
        )
        constant = HALF_LOG_TWO_PI * self.event_shape[0]
        return -0.5 * bnp.sum(bnp.square(z), -1) - (sign * half_log_det + constant)

    def _draw(self, key: Any, shape: Shape) -> Any:
        z = random.normal(key, (*shape, *self.event_shape), self._dtype)
        return self.loc + _times(bnp.swapaxes(self._scale(), -1, -2), z)

    def _entropy(self) -> Any:
        diagonal = linalg.diagonal_of(self._factor())
        sign = -1.0 if self.precision is not None else 1.0
        return sign * bnp.sum(bnp.log(diagonal), -1) + (HALF_LOG_TWO_PI + 0.5) * self.event_shape[0]

    def _mean(self) -> Any:
        return self.loc

    def _variance(self) -> Any:
        return bnp.sum(bnp.square(self._scale()), -1)

    def _factor(self) -> Any:
        """Cholesky factor of the covariance, or of the precision where that was given."""
        return self.scale_tril if self.scale_tril is not None else linalg.cholesky(self._matrix())

    def _scale(self) -> Any:
        """A matrix S, lower triangular or not, with S Sᵀ = Σ."""
        factor = self._factor()
        if self.precision is None:
            return factor
        return linalg.triangular_solve(factor, linalg.identity_like(factor), transpose=True)


def _times(factor: Any, x: Any) -> Any:
    """Factorᵀ x for vectors (..., k): as rows, x times the factor."""
    return (
        bnp.matmul(bnp.expand_dims(x, -2), factor)[..., 0, :]
        if np.ndim(factor) > 2
        else bnp.matmul(x, factor)
    )


def _solved(factor: Any, x: Any) -> Any:
    """Factor⁻¹ x for vectors (..., k); those of one matrix are solved together, as columns."""
    k = np.shape(x)[-1]
    if np.ndim(factor) == 2:
        columns = bnp.transpose(bnp.reshape(x, (-1, k)))
        return bnp.reshape(bnp.transpose(linalg.triangular_solve(factor, columns)), np.shape(x))
    lead = bnp.broadcast_shape(np.shape(factor)[:-2], np.shape(x)[:-1])
    factor = bnp.broadcast_to(factor, (*lead, k, k))
    columns = bnp.expand_dims(bnp.broadcast_to(x, (*lead, k)), -1)
    return linalg.triangular_solve(factor, columns)[..., 0]


@kl(MultivariateNormal, MultivariateNormal)
def _normal_normal(p: Any, q: Any) -> Any:
    first, second = p._scale(), q._factor()
    gap = p.loc - q.loc
    if q.precision is not None:
        shape = bnp.broadcast_shape(np.shape(second)[:-2], np.shape(first)[:-2])
        whitened = bnp.matmul(bnp.swapaxes(second, -1, -2), first)
        whitened, moved, sign = (
            bnp.broadcast_to(whitened, (*shape, *np.shape(first)[-2:])),
            _times(second, gap),
            1.0,
        )
    else:
        rows = bnp.swapaxes(first, -1, -2)
        spread = second if np.ndim(second) == 2 else bnp.expand_dims(second, -3)
        whitened, moved, sign = _solved(spread, rows), _solved(second, gap), -1.0
    trace = bnp.sum(bnp.square(whitened), (-2, -1)) + bnp.sum(bnp.square(moved), -1)
    own_sign = -1.0 if p.precision is not None else 1.0
    log_dets = sign * _log_diagonal(second) + own_sign * _log_diagonal(p._factor())
    return 0.5 * (trace - p.event_shape[0]) - log_dets


def _log_diagonal(factor: Any) -> Any:
    return bnp.sum(bnp.log(linalg.diagonal_of(factor)), -1)
