"""Versions that a result depends on: named where it is written down, for asking takes 50 ms."""

from __future__ import annotations

import platform
from functools import cache
from importlib import import_module

PACKAGES = ("numpy", "scipy", "llvmlite", "xarray", "arviz", "h5netcdf", "h5py", "threadpoolctl")


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of all that the package depends on, loaded or not."""
    metadata = import_module("importlib.metadata")
    return {"python": platform.python_version(), **{n: metadata.version(n) for n in PACKAGES}}
