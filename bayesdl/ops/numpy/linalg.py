"""The functions of ``numpy.linalg`` that models use, batched over leading axes."""

from __future__ import annotations

from typing import Any

from .. import linalg as la
from ._promote import asarray, astype, broadcast_shape, broadcast_to, default_dtype, surface


def _float(x: Any) -> Any:
    x = asarray(x)
    return x if x.dtype.kind == "f" else astype(x, default_dtype())


@surface("linalg.cholesky")
def cholesky(x: Any) -> Any:
    """As ``numpy.linalg.cholesky``, NaN where the matrix is not positive definite."""
    return la.cholesky(_float(x))


@surface("linalg.inv")
def inv(x: Any) -> Any:
    """As ``numpy.linalg.inv``, NaN where the matrix is singular."""
    return la.inv(_float(x))


@surface("linalg.det")
def det(x: Any) -> Any:
    """As ``numpy.linalg.det``."""
    return la.det(_float(x))


@surface("linalg.slogdet")
def slogdet(x: Any) -> Any:
    """As ``numpy.linalg.slogdet``: sign and log |det|."""
    return la.slogdet(_float(x))


@surface("linalg.eigh")
def eigh(x: Any) -> Any:
    """As ``numpy.linalg.eigh``, each vector with its largest component positive.

    Only the lower triangle is read. The derivative of the vectors holds where no two values are
    equal.
    """
    return la.eigh(_float(x))


@surface("linalg.solve")
def solve(a: Any, b: Any) -> Any:
    """As ``numpy.linalg.solve``: b is one vector, or matrices of columns."""
    a, b = _float(a), _float(b)
    if b.ndim == 1 and a.ndim == 2:
        return la.solve(a, b)
    batch = broadcast_shape(a.shape[:-2], b.shape[:-2])
    return la.solve(
        broadcast_to(a, (*batch, *a.shape[-2:])), broadcast_to(b, (*batch, *b.shape[-2:]))
    )


@surface("linalg.norm")
def norm(x: Any, axis: int | None = None) -> Any:
    """As ``numpy.linalg.norm`` of vectors (and of all elements together without `axis`)."""
    x = _float(x)
    return la.norm(x, None if axis is None else (axis % x.ndim,))
