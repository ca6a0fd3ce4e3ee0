"""Files that are there as a whole or not at all, whenever the machine stops."""

from __future__ import annotations

import os
from contextlib import suppress


def write_whole(path: str, content: bytes) -> None:
    """Write a file under another name, wait until the disk has it, and give it its name.

    Raises
    ------
    OSError
        If that cannot be done; what was there under the name is then still there.
    """
    part = f"{path}.{os.getpid()}.part"
    try:
        with open(part, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        with suppress(OSError):
            os.unlink(part)
    # The new name is on the disk when its folder is; some systems do not open folders.
    with suppress(OSError):
        folder = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
