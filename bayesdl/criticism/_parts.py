"""Draws on disk, some coordinates at a time: what is asked of each never needs all in memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from bayesdl.infer.lazy import Lazy

# Bytes that are read at once, and numbers of these that are looked at together. Each read goes
# through the whole store, so the first are many.
PANEL_BYTES = 200_000_000
PART_VALUES = 1 << 21


def parts(draws: Any) -> Iterator[Any]:
    """Draws of shape (chain, draw, *shape) as they are; of those on disk, (chain, draw, n) each.

    Parameters
    ----------
    draws : array or Lazy
    """
    if not isinstance(draws, Lazy):
        yield draws
        return
    chains, count, *shape = draws.shape
    size, each = math.prod(shape), max(chains * count, 1)
    panel = max(1, PANEL_BYTES // (each * draws.dtype.itemsize))
    step = max(1, PART_VALUES // each)
    for start in range(0, size, panel):
        found: np.ndarray[Any, Any] = draws.columns(start, min(start + panel, size))
        for at in range(0, found.shape[2], step):
            yield found[:, :, at : at + step]
