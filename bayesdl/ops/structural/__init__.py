"""Arrays made, moved and reduced; what is the other's transpose stands beside it."""

from __future__ import annotations

from .index import (
    dynamic_slice,
    dynamic_update_slice,
    gather,
    scatter_add,
    window_indices,
)
from .reduce import (
    argmax,
    argmin,
    argsort,
    cumulative_sum,
    reduce_and,
    reduce_max,
    reduce_min,
    reduce_or,
)
from .repeat import Axes, broadcast, constant, iota, reduce_sum, shifted, to_front, zeros_like
from .shape import concatenate, pad, reshape, reverse, slice_, transpose
from .windows import fold, reach_of, windows

__all__ = [
    "Axes",
    "argmax",
    "argmin",
    "argsort",
    "broadcast",
    "concatenate",
    "constant",
    "cumulative_sum",
    "dynamic_slice",
    "dynamic_update_slice",
    "fold",
    "gather",
    "iota",
    "pad",
    "reach_of",
    "reduce_and",
    "reduce_max",
    "reduce_min",
    "reduce_or",
    "reduce_sum",
    "reshape",
    "reverse",
    "scatter_add",
    "shifted",
    "slice_",
    "to_front",
    "transpose",
    "window_indices",
    "windows",
    "zeros_like",
]
