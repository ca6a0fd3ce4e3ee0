"""Machine code on disk: what one process has compiled, the next one loads.

The key is taken of a Program as it was traced, so that a process which finds its code needs no
pass, and LLVM for loading only.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from functools import cache
from hashlib import blake2b

import numpy as np

from bayesdl._base.config import STARTED, config
from bayesdl._base.source import warn_user
from bayesdl._base.store import Store
from bayesdl._base.version import VERSION
from bayesdl.ir.fingerprint import fingerprint
from bayesdl.ir.program import Program
from bayesdl.ir.walk import subprograms

from .machine import description
from .native import Native, NativeExecutable

_PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# What decides which code a traced Program becomes.
_SOURCES = ("_base", "ir", "ops", "lower", "pipeline.py")


def store() -> Store | None:
    """The folder of compiled objects, or None where the cache is off."""
    if config.cache == "off":
        return None
    return Store(os.path.abspath(config.cache), config.cache_megabytes * 1_000_000)


def key(program: Program, brief: bool = False, flushes: bool = False) -> str | None:
    """The name under which a Program's code is kept, by how it is made; None if it must not be.

    That is the case where the cache is off, for Programs with primitives from outside the package
    (their rules are not part of the key), and while the package itself is being edited.
    """
    maker = _maker()
    if config.cache == "off" or maker is None or _foreign(program):
        return None
    parts = (fingerprint(program), maker, description().encode(), bytes([brief, flushes]))
    return blake2b(b"".join(parts), digest_size=16).hexdigest()


def recall(program: Program, key: str) -> NativeExecutable | None:
    """A Program's code from the disk, or None."""
    found, start = store(), time.perf_counter()
    native = read(found, key) if found is not None else None
    if native is None:
        return None
    executable = NativeExecutable(program, native)
    link = executable.timings["link"]
    executable.timings = {"recall": time.perf_counter() - start - link, "link": link}
    return executable


def read(found: Store, key: str, touch: bool = True) -> Native | None:
    """Code that a store keeps under a key, or None; what is in another format is removed.

    Parameters
    ----------
    found : Store
    key : str
    touch : bool, default True
        Whether this is a use of it.
    """
    content = found.get(key, touch)
    if content is None:
        return None
    try:
        return Native.from_bytes(content)
    # What an earlier version has kept.
    except ValueError:
        found.remove(key)
        return None


def keep(key: str, executable: NativeExecutable) -> None:
    """Put code on the disk; where that cannot be done, warn once and go on without."""
    found = store()
    if found is None:
        return
    try:
        found.put(key, executable.native.to_bytes())
    except OSError as error:
        _warn(found.folder, str(error))


@cache
def _warn(folder: str, cause: str) -> None:
    warn_user(
        f"compiled code cannot be kept in {folder} ({cause}); every process compiles anew. "
        "Set BAYESDL_CACHE to a folder that can be written, or to off."
    )


def _foreign(program: Program) -> bool:
    primitives = {e.primitive for part in subprograms(program) for e in part.equations}
    rules = [p.llvm for p in primitives if p.llvm is not None]
    return any(not rule.__module__.startswith("bayesdl.") for rule in rules)


@cache
def _maker() -> bytes | None:
    """A digest of the code that makes code; None if it was edited after it was loaded."""
    digest = blake2b(f"{VERSION} {np.__version__}".encode(), digest_size=16)
    for path in _sources():
        if os.stat(path).st_mtime > STARTED:
            return None
        with open(path, "rb") as file:
            digest.update(blake2b(file.read()).digest())
    return digest.digest()


def _sources() -> Iterator[str]:
    for place in _SOURCES:
        path = os.path.join(_PACKAGE, place)
        if os.path.isfile(path):
            yield path
        for folder, folders, files in os.walk(path):
            folders.sort()
            yield from (os.path.join(folder, f) for f in sorted(files) if f.endswith(".py"))
