"""``bayesdl doctor``: what this machine has, for people and bug reports."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from bayesdl import __version__, pipeline
from bayesdl._base.config import config
from bayesdl._base.memory import free_memory, size_text
from bayesdl.infer.machine import usable_cores
from bayesdl.lower.executable import Executable
from bayesdl.lower.llvm import cache
from bayesdl.lower.llvm.machine import features, processor
from bayesdl.ops import numpy as bnp
from bayesdl.tracing import trace
from bayesdl.transform.derived import value_and_grad

_PACKAGES = (
    "numpy",
    "scipy",
    "llvmlite",
    "xarray",
    "arviz",
    "h5netcdf",
    "h5py",
    "threadpoolctl",
    "matplotlib",
)
# What decides how fast a loop can be.
_TELLING = ("avx512f", "avx2", "fma", "avx", "sse4.2", "neon", "sve")


def run() -> int:
    """Print the report."""
    rows = [("bayesdl", __version__), ("python", platform.python_version())]
    rows += [(name, _version(name)) for name in _PACKAGES]
    rows += [("system", platform.platform()), *_processor(), *_libraries(), *_cache()]
    rows += [
        ("backend", config.backend),
        ("check after passes", str(config.check)),
    ]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {value}")
    print(f"\na small gradient, compiled anew:\n{_compiled().timings_text()}")
    return 0


def _processor() -> Iterator[tuple[str, str]]:
    free = free_memory()
    present = {f[1:] for f in features().split(",") if f.startswith("+")}
    yield "CPU", f"{processor()} ({', '.join(f for f in _TELLING if f in present) or 'plain'})"
    yield "usable cores", str(usable_cores())
    yield "memory free", "unknown" if free is None else size_text(free)


def _libraries() -> Iterator[tuple[str, str]]:
    import_module("scipy.linalg")
    for found in import_module("threadpoolctl").threadpool_info():
        name = found["internal_api"]
        yield f"{found['user_api']}", f"{name} {found['version']}, {found['num_threads']} threads"


def _cache() -> Iterator[tuple[str, str]]:
    store = cache.store()
    if store is None:
        yield "cache", "off"
        return
    entries = store.entries()
    used, limit = size_text(sum(e.size for e in entries)), size_text(store.limit)
    yield "cache", f"{store.folder}: {len(entries)} compiled Programs, {used} of {limit}"


def _compiled() -> Executable:
    """A gradient made without the cache, and held against the interpreter's."""
    x = np.linspace(-1.0, 1.0, 100)
    program = trace(value_and_grad(lambda v: bnp.tanh(v * v).sum()), x, name="doctor").program
    kept, config.cache = config.cache, "off"
    try:
        executable = pipeline.compile(program)
    finally:
        config.cache = kept
    wanted = pipeline.compile(program, "interpret")(x)
    for have, want in zip(executable(x), wanted, strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-12, atol=1e-12)
    return executable


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
