"""``bayesdl cache``: what is in the folder of compiled code, and how to empty it."""

from __future__ import annotations

import argparse
import time

from bayesdl._base.memory import size_text
from bayesdl.lower.llvm.cache import store
from bayesdl.lower.llvm.native import Native


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.add_argument("action", choices=["list", "clear", "path"])


def run(options: argparse.Namespace) -> int:
    """List, empty or name the folder."""
    found = store()
    if found is None:
        print("the cache is off (BAYESDL_CACHE=off)")
    elif options.action == "path":
        print(found.folder)
    elif options.action == "clear":
        print(f"{found.clear()} compiled Programs removed from {found.folder}")
    else:
        entries = found.entries()
        for entry in entries:
            content = found.get(entry.key, touch=False)
            if content is None:
                continue
            native = Native.from_bytes(content)
            hours = (time.time() - entry.used) / 3600
            saved = f"{native.seconds:7.2f} s to make"
            size = size_text(entry.size)
            print(f"{entry.key[:12]}  {size:>9}  {saved}  used {hours:6.1f} h ago  {native.name}")
        total = size_text(sum(e.size for e in entries))
        print(f"{len(entries)} compiled Programs, {total} of {size_text(found.limit)}")
    return 0
