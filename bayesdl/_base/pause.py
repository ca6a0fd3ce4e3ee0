"""No search for cyclic garbage while much is made that stays: imports, Programs, their code."""

from __future__ import annotations

import gc
import threading


class garbage_later:
    """Inside, Python's collector of cyclic garbage does not start by itself.

    It starts whenever some hundred containers more have been made than freed, goes over all that
    were ever made, and finds nothing in the middle of an import or a trace, where all are in use:
    a third of the time. Blocks may be nested and entered by several threads; the collector goes on
    after the last one, if it was on before the first.

    Examples
    --------
    >>> import gc
    >>> with garbage_later():
    ...     gc.isenabled()
    False
    """

    _lock = threading.Lock()
    _inside = 0
    _was_on = False

    def __enter__(self) -> None:
        kind = garbage_later
        with kind._lock:
            if not kind._inside:
                kind._was_on = gc.isenabled()
                gc.disable()
            kind._inside += 1

    def __exit__(self, *_: object) -> None:
        kind = garbage_later
        with kind._lock:
            kind._inside -= 1
            if not kind._inside and kind._was_on:
                gc.enable()
