"""A folder of files that processes share: bounded, checked, each written whole or not at all."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b

from .dataclass import dataclass

MAGIC = b"bayesdl\x01"
_DIGEST = 20
_SUFFIX = ".bdl"
_PART = ".part"
# A part this old, in seconds, was left by a process that died.
_ABANDONED = 3600.0


@dataclass(frozen=True)
class Entry:
    """One file of a store.

    Parameters
    ----------
    key : str
    size : int
        Bytes on disk.
    used : float
        When it was last read or written, in seconds since 1970.
    """

    key: str
    size: int
    used: float


class Store:
    """Byte strings by name in a folder.

    Any number of processes may use one folder at once: a file appears under its name when it is
    complete, and the last of two writers wins.

    Parameters
    ----------
    folder : str
        Made when something is first put there.
    limit : int
        Bytes of all files; the least recently used go first.
    """

    def __init__(self, folder: str, limit: int) -> None:
        self.folder, self.limit = folder, limit

    def get(self, key: str, touch: bool = True) -> bytes | None:
        """What is kept under a key, or None.

        A file that is cut short, altered or not ours is removed, and counts as absent.

        Parameters
        ----------
        key : str
        touch : bool, default True
            Whether this is a use of it.
        """
        path = self._path(key)
        try:
            with open(path, "rb") as file:
                found = file.read()
        except OSError:
            return None
        start = len(MAGIC) + _DIGEST
        content = found[start:]
        if found[:start] != MAGIC + _digest(key, content):
            _remove(path)
            return None
        # A folder that can only be read does not know what was used last, and evicts nothing.
        with suppress(OSError):
            if touch:
                os.utime(path)
        return content

    def put(self, key: str, content: bytes) -> None:
        """Keep a byte string, unless it is larger than the whole store may be.

        Raises
        ------
        OSError
            If the folder cannot be made or written.
        """
        whole = MAGIC + _digest(key, content) + content
        if len(whole) > self.limit:
            return
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        path = self._path(key)
        part = f"{path}.{os.getpid()}.{threading.get_ident()}{_PART}"
        try:
            with open(part, "xb") as file:
                file.write(whole)
            self._publish(part, path)
        finally:
            _remove(part)
        self._evict()

    def entries(self) -> list[Entry]:
        """All files, the most recently used first."""
        found = [
            Entry(name.removesuffix(_SUFFIX), status.st_size, status.st_mtime)
            for name, status in self._files()
            if name.endswith(_SUFFIX)
        ]
        return sorted(found, key=lambda e: e.used, reverse=True)

    def remove(self, key: str) -> bool:
        """Remove what is kept under a key; whether it is gone."""
        return _remove(self._path(key))

    def clear(self) -> int:
        """Remove all files; how many went. Those that cannot be removed are still `entries`."""
        gone = sum(self.remove(entry.key) for entry in self.entries())
        self._sweep(0.0)
        return gone

    @staticmethod
    def _publish(part: str, path: str) -> None:
        try:
            os.replace(part, path)
        except PermissionError:
            # Windows does not replace a file that is being read: then another process has put it.
            if not os.path.exists(path):
                raise

    def _evict(self) -> None:
        left = self.limit
        for entry in self.entries():
            left -= entry.size
            if left < 0:
                _remove(self._path(entry.key))
        self._sweep(_ABANDONED)

    def _sweep(self, age: float) -> None:
        for name, status in self._files():
            if name.endswith(_PART) and time.time() - status.st_mtime >= age:
                _remove(os.path.join(self.folder, name))

    def _files(self) -> Iterator[tuple[str, os.stat_result]]:
        with suppress(OSError), os.scandir(self.folder) as found:
            for file in found:
                # Another process may remove it between the two calls.
                with suppress(OSError):
                    yield file.name, file.stat()

    def _path(self, key: str) -> str:
        return os.path.join(self.folder, key + _SUFFIX)


def _digest(key: str, content: bytes) -> bytes:
    """The key is in it, so that a file under another file's name is not taken for that one."""
    digest = blake2b(key.encode() + b"\0", digest_size=_DIGEST)
    digest.update(content)
    return digest.digest()


def _remove(path: str) -> bool:
    """Whether it is gone afterwards."""
    with suppress(OSError):
        os.unlink(path)
    return not os.path.lexists(path)
