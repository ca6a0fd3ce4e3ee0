"""The machine that a run sees: cores and memory."""

from __future__ import annotations

import os
import sys
from importlib import import_module


def usable_cores() -> int:
    """Number of CPUs that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def peak_megabytes() -> float:
    """Largest resident memory of this process so far, in MB; 0 where the system does not tell."""
    if sys.platform == "win32":
        return 0.0
    resource = import_module("resource")
    peak = float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return peak / (1e6 if sys.platform == "darwin" else 1e3)
