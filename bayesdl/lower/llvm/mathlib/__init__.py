"""Vectorisable scalar mathematics: branch-free LLVM IR that the loop vectoriser widens.

A call to the C library inside a loop keeps the loop scalar. A function from here is inlined and has
no branch and no table, so the loop around it works on as many elements at once as a register holds.
Only circular functions of huge angles leave it, by one jump for a register (see `far`).
"""

from __future__ import annotations

# Imported because each enters its functions into the table.
from . import (  # noqa: F401
    error_function,
    exponential,
    gamma_function,
    hyperbolic,
    power,
    trigonometric,
)
from .catalogue import FUNCTIONS, Accuracy, accuracy_table, scalar_function

__all__ = ["ACCURACY", "NAMES", "Accuracy", "accuracy_table", "scalar_function"]

NAMES: frozenset[str] = frozenset(FUNCTIONS)
"""Every name that `scalar_function` knows."""

ACCURACY: dict[str, Accuracy] = {name: entry.accuracy for name, entry in FUNCTIONS.items()}
"""Name → largest error in float64 and float32, in ulps, with the range where it holds."""
