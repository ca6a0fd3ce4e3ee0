"""Rooms of many members that are loaded when they are first used: a process needs few of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazily(
    room: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package whose members lie in modules of their own.

    Parameters
    ----------
    room : str
        Name of the package.
    homes : mapping of member to module
        Names of modules inside the package.

    Examples
    --------
    >>> get, names = lazily("json", {"JSONDecoder": "decoder"})
    >>> get("JSONDecoder").__name__
    'JSONDecoder'
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        found = getattr(import_module(f"{room}.{homes[name]}"), name)
        setattr(sys.modules[room], name, found)
        return found

    return get, lambda: sorted({*vars(sys.modules[room]), *homes})
