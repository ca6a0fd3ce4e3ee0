"""NumPy's names over strict primitives: broadcasting and promotion live here and nowhere else."""

from __future__ import annotations

from typing import Any

from . import _elementwise, _indexing, _products, _reductions, _shape, linalg
from ._promote import (
    FUNCTIONS,
    asarray,
    astype,
    broadcast_shape,
    broadcast_to,
    default_dtype,
    type_of,
    using_dtype,
)

pi, e, inf, nan, newaxis = 3.141592653589793, 2.718281828459045, float("inf"), float("nan"), None


def array(x: Any, dtype: Any = None) -> Any:
    """As ``numpy.array``; a list of arrays in flight is stacked."""
    return asarray(x, dtype)


FUNCTIONS["asarray"] = FUNCTIONS["array"] = array
FUNCTIONS["shape"] = lambda x: asarray(x).shape
FUNCTIONS["ndim"] = lambda x: asarray(x).ndim
FUNCTIONS["size"] = lambda x: asarray(x).size

__all__ = [
    "FUNCTIONS",
    "array",
    "asarray",
    "astype",
    "broadcast_shape",
    "broadcast_to",
    "default_dtype",
    "e",
    "inf",
    "linalg",
    "nan",
    "newaxis",
    "pi",
    "type_of",
    "using_dtype",
]


def __getattr__(name: str) -> Any:
    try:
        return FUNCTIONS[name]
    except KeyError:
        raise AttributeError(f"bayesdl.numpy has no function {name!r}") from None


_ROOMS = (_elementwise, _indexing, _products, _reductions, _shape)
