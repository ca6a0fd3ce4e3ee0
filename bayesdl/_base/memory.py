"""How much memory is left, so that what cannot fit is refused before it is allocated."""

from __future__ import annotations

import os
from contextlib import suppress
from math import prod

from .errors import CapacityError
from .source import user_source

# Below this, in bytes, nobody asks.
CAREFUL = 256 * 2**20
_GROUP = "/sys/fs/cgroup/memory."


def free_memory() -> int | None:
    """Bytes that this process can still have; None where the system does not tell."""
    found = [n for n in (_system(), _group()) if n is not None]
    return min(found, default=None)


def require_memory(name: str, parts: dict[str, int], present: dict[str, int]) -> None:
    """Refuse what does not fit.

    Parameters
    ----------
    name : str
        What wants memory.
    parts : dict of str to int
        Bytes that are to be allocated, by what they are for.
    present : dict of str to int
        Bytes that it holds already; they are told, not counted.

    Raises
    ------
    CapacityError
        If all parts together are more than what is free.
    """
    need = sum(parts.values())
    free = free_memory() if need > CAREFUL else None
    if free is None or need <= free:
        return
    raise CapacityError(
        f"{name} needs more memory than is free.",
        facts=[
            *((k, size_text(n), "in memory") for k, n in present.items()),
            *((k, size_text(n), "to allocate") for k, n in parts.items()),
            ("machine", size_text(free), "free"),
        ],
        fix="use fewer rows, draws or chains, a minibatch, or dtype=numpy.float32.",
        where=user_source(),
        code="C104",
    )


def require_array(shape: tuple[int, ...], itemsize: int, beside: float = 0.0) -> None:
    """Refuse an array that does not fit.

    Parameters
    ----------
    shape : tuple of int
    itemsize : int
        Bytes of a number.
    beside : float, default 0.0
        Bytes that making it takes on the way, for each of its own.

    Raises
    ------
    CapacityError
        If they are more than what is free.
    """
    size = prod(shape) * itemsize
    # Asked of every array that is made, nearly all of which are small.
    if size * (1.0 + beside) > CAREFUL:
        parts = {"numbers": size, **({"on the way": int(size * beside)} if beside else {})}
        require_memory(f"an array of shape {shape}", parts, {})


def size_text(count: int) -> str:
    """Bytes in a unit that people read.

    >>> size_text(52_100), size_text(3 * 10**12)
    ('52.1 kB', '3000 GB')
    """
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return (
                f"{count / size:.3g} {unit}" if count < 1000 * size else f"{count // size} {unit}"
            )
    return f"{count} bytes"


def _system() -> int | None:
    """What the operating system could give without swapping."""
    with suppress(OSError, ValueError), open("/proc/meminfo") as file:
        rows = dict(line.split(":", 1) for line in file)
        return int(rows["MemAvailable"].split()[0]) * 1024
    with suppress(AttributeError, ValueError, OSError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None


def _group() -> int | None:
    """What a container may still take."""
    with (
        suppress(OSError, ValueError),
        open(_GROUP + "max") as most,
        open(_GROUP + "current") as now,
    ):
        return int(most.read()) - int(now.read())
    return None
