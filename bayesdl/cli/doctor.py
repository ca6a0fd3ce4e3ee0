"""``bayesdl doctor``: what this machine has, for people and bug reports."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from bayesdl import __version__
from bayesdl._base.config import config

_PACKAGES = (
    "numpy",
    "scipy",
    "llvmlite",
    "xarray",
    "arviz",
    "h5netcdf",
    "threadpoolctl",
    "matplotlib",
)


def run() -> int:
    """Print the report."""
    rows = [("bayesdl", __version__), ("python", platform.python_version())]
    rows += [(name, _version(name)) for name in _PACKAGES]
    rows += [
        ("system", platform.platform()),
        ("CPU", platform.processor() or platform.machine()),
        ("usable cores", str(_cores())),
        ("backend", config.backend),
        ("check after passes", str(config.check)),
    ]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {value}")
    return 0


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
