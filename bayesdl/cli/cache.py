"""``bayesdl cache``: what is in the folder of compiled code, and how to empty it."""

from __future__ import annotations

import argparse
import time

from bayesdl._base.memory import size_text
from bayesdl._base.store import Store
from bayesdl.lower.llvm.cache import read, store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.add_argument("action", choices=["list", "clear", "path"])


def run(options: argparse.Namespace) -> int:
    """List, empty or name the folder; 1 if it could not be emptied."""
    found = store()
    if found is None:
        print("the cache is off (BAYESDL_CACHE=off)")
    elif options.action == "path":
        print(found.folder)
    elif options.action == "clear":
        return _clear(found)
    else:
        _list(found)
    return 0


def _clear(found: Store) -> int:
    print(f"{found.clear()} compiled Programs removed from {found.folder}")
    left = found.entries()
    if left:
        print(f"{len(left)} could not be removed")
    return int(bool(left))


def _list(found: Store) -> None:
    """Print what can be read; what cannot be is removed."""
    sizes = []
    for entry in found.entries():
        native = read(found, entry.key, touch=False)
        if native is None:
            continue
        hours = (time.time() - entry.used) / 3600
        saved, size = f"{native.seconds:7.2f} s to make", size_text(entry.size)
        print(f"{entry.key[:12]}  {size:>9}  {saved}  used {hours:6.1f} h ago  {native.name}")
        sizes.append(entry.size)
    total = size_text(sum(sizes))
    print(f"{len(sizes)} compiled Programs, {total} of {size_text(found.limit)}")
