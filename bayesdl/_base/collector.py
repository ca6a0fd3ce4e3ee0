"""The collector of garbage, held back where much is built and nothing is thrown away."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """While it lasts no garbage in cycles is collected; afterwards the collector is as it was.

    For a tenth of a second in which all new objects stay: the collector would look at each of them
    again and again, and now and then at everything that the process holds.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
