"""The floor: what a gradient must cost on this machine whatever computes it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .models import CASES
from .process import run_script, succeeded, threads

# Data beyond this many bytes come from memory, not from a cache.
CACHED = 2**24


def machine_peak() -> dict[str, float]:
    """Operations per second by dtype, bytes per second of ``cache`` and ``memory``; one thread.

    Raises
    ------
    BayesdlError
        If the measurement fails.
    """
    return succeeded(run_script("peak.py", {}, environment=threads(1)))


def floor(case: str, dtype: str, peak: Mapping[str, float], rows: int | None = None) -> float:
    """Microseconds below which a gradient cannot come on this machine.

    Parameters
    ----------
    case : str
    dtype : {"float64", "float32"}
    peak : mapping
        Operations per second by dtype; bytes per second of ``cache`` and ``memory``.
    rows : int, optional
    """
    work = CASES[case].work(rows or CASES[case].rows)
    size, bandwidth = traffic(case, dtype, peak, rows)
    return 1e6 * max(work.flops / peak[dtype], size / bandwidth)


def traffic(
    case: str, dtype: str, peak: Mapping[str, float], rows: int | None = None
) -> tuple[float, float]:
    """Bytes of data that a gradient reads once, and bytes per second from where they lie.

    Parameters
    ----------
    case, dtype, peak, rows
        As for `floor`.
    """
    work = CASES[case].work(rows or CASES[case].rows)
    size = work.numbers * np.dtype(dtype).itemsize
    return size, peak["cache" if size < CACHED else "memory"]
