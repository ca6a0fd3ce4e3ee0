"""Linear algebra: products, factorisations and solves, batched, with their derivatives.

References
----------
Murray (2016), Differentiation of the Cholesky decomposition (arXiv:1602.07527).
Giles (2008), Collected matrix derivative results for forward and reverse mode algorithmic
differentiation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import elementwise as ew
from ..structural import reduce_sum, reshape
from .factor import cholesky, eigh, slogdet, solve_columns, triangular_solve_columns
from .product import (
    diagonal_of,
    dot_general,
    identity_like,
    matrix_product,
    matrix_transpose,
    triangle,
)

__all__ = [
    "cho_solve",
    "cholesky",
    "det",
    "diagonal_of",
    "dot_general",
    "eigh",
    "identity_like",
    "inv",
    "logdet",
    "matrix_product",
    "matrix_transpose",
    "norm",
    "slogdet",
    "solve",
    "triangle",
    "triangular_solve",
]


def _over_columns(op: Any, a: Any, b: Any) -> Any:
    """Solve for a matrix of right-hand sides (..., n, k), or for one vector (n,)."""
    if len(np.shape(b)) != 1:
        return op(a, b)
    n = np.shape(b)[0]
    return reshape(op(a, reshape(b, shape=(n, 1))), shape=(n,))


def solve(a: Any, b: Any) -> Any:
    """Solve A x = b by LU factorisation with partial pivoting.

    Parameters
    ----------
    a : Array, shape (..., n, n)
    b : Array, shape (n,) or (..., n, k)

    Returns
    -------
    Array
        Of the shape of `b`; NaN where A is singular.
    """
    return _over_columns(solve_columns, a, b)


def triangular_solve(a: Any, b: Any, lower: bool = True, transpose: bool = False) -> Any:
    """Solve op(A) x = b by substitution, where A is triangular and op transposes on request.

    Parameters
    ----------
    a : Array, shape (..., n, n)
        Only the triangle named by `lower` is read.
    b : Array, shape (n,) or (..., n, k)
    lower, transpose : bool

    Returns
    -------
    Array
        Of the shape of `b`; infinite or NaN where A is singular.
    """
    return _over_columns(
        lambda x, y: triangular_solve_columns(x, y, lower=lower, transpose=transpose), a, b
    )


def cho_solve(factor: Any, b: Any) -> Any:
    """Solve L Lᵀ x = b with a Cholesky factor L of shape (..., n, n)."""
    return triangular_solve(factor, triangular_solve(factor, b), transpose=True)


def inv(a: Any) -> Any:
    """Inverse of square matrices; NaN where singular."""
    return solve_columns(a, identity_like(a))


def det(a: Any) -> Any:
    """Determinant of square matrices, through LU; its derivative is NaN where they are singular."""
    sign, logarithm = slogdet(a)
    return ew.mul(sign, ew.exp(logarithm))


def logdet(a: Any) -> Any:
    """log det of symmetric positive definite matrices (..., n, n); NaN where they are not.

    Only the lower triangle is read, and the derivative is that of this function of it.
    """
    logarithms = ew.log(diagonal_of(cholesky(a)))
    return ew.mul(reduce_sum(logarithms, axes=(len(np.shape(logarithms)) - 1,)), 2.0)


def norm(x: Any, axes: Sequence[int] | None = None) -> Any:
    """Euclidean norm over some axes, all of them by default; its derivative at zero is zero."""
    chosen = tuple(range(len(np.shape(x)))) if axes is None else tuple(axes)
    return ew.length(reduce_sum(ew.square(x), axes=chosen))
