"""The machine that a run sees: cores, memory, versions."""

from __future__ import annotations

import os
import platform
import sys
from functools import cache
from importlib import import_module

PACKAGES = ("numpy", "scipy", "llvmlite", "xarray", "arviz", "h5netcdf", "h5py", "threadpoolctl")


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


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of all that the package depends on, loaded or not."""
    metadata = import_module("importlib.metadata")
    return {"python": platform.python_version(), **{n: metadata.version(n) for n in PACKAGES}}
