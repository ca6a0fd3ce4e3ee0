"""Vectorisable scalar mathematics: functions as branch-free LLVM IR that the loop vectoriser widens.

A call to the C library inside a loop keeps the loop scalar. A function from here is inlined, has no branch and no
table, and so costs one vector instruction where the library costs a call per element.
"""

from __future__ import annotations

from . import error_function, exponential, gamma_function, hyperbolic, power, trigonometric
from .catalogue import FUNCTIONS, Accuracy, scalar_function

__all__ = ["ACCURACY", "NAMES", "Accuracy", "scalar_function"]

_FAMILIES = (exponential, power, trigonometric, hyperbolic, error_function, gamma_function)

NAMES: frozenset[str] = frozenset(FUNCTIONS)
"""Every name that `scalar_function` knows."""

ACCURACY: dict[str, Accuracy] = {name: entry.accuracy for name, entry in FUNCTIONS.items()}
"""Name → largest error in float64 and float32, in ulps, with the range where it holds."""
