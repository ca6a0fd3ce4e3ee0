"""What layer tests share: weights drawn once, by name."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl.model.handlers import seed, substitute, trace_sites


def applied(layer: Any, x: Any) -> tuple[Any, dict[str, Any]]:
    """Output of a layer, and the weights that it was computed with."""
    with trace_sites() as sites, seed(3):
        layer(x)
    values = {n: np.asarray(s.value) for n, s in sites.items() if s.role}
    with substitute(values):
        return np.asarray(layer(x)), values


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(−x))."""
    return 1.0 / (1.0 + np.exp(-x))
