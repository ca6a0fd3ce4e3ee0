"""Arrays on disk, of which a part is read when that part is asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bayesdl._base.errors import ArgumentError
from bayesdl._base.source import user_source

READ_BYTES = 32_000_000
Array = np.ndarray[Any, Any]


class Lazy:
    """An array on disk, of which a part is read when that part is asked for.

    Parameters
    ----------
    source : zarr.Array, shape (all chains, all draws, *shape)
    chains : sequence of int
        Those that count.
    count : int
        Draws of each.
    last : mapping of int to array, shape (n, *shape)
        The last of these draws, of chains where they are not on disk.

    Raises
    ------
    ArgumentError
        When a part is read, and the folder is gone.
    """

    def __init__(
        self,
        source: Any,
        chains: Sequence[int],
        count: int,
        last: Mapping[int, Array] | None = None,
    ) -> None:
        self._source, self._chains, self._last = source, list(chains), dict(last or {})
        self.shape: tuple[int, ...] = (len(self._chains), count, *source.shape[2:])
        self.dtype: np.dtype[Any] = np.dtype(source.dtype)
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Array:
        first, second, *rest = (*(key if isinstance(key, tuple) else (key,)), slice(None))
        rest = rest[: self.ndim - 2]
        forward = isinstance(second, slice) and (second.step is None or second.step > 0)
        if (
            not forward
            or not isinstance(first, slice | int | np.integer)
            or any(not isinstance(k, slice | int | np.integer) for k in rest)
        ):
            found: Array = np.asarray(self)[key]
            return found
        draws = slice(*second.indices(self.shape[1]))
        parts = [self._read(c, draws, rest) for c in np.atleast_1d(self._chains[first])]
        return np.stack(parts) if isinstance(first, slice) else parts[0]

    def columns(self, start: int, stop: int) -> Array:
        """Some of the elements of each draw, counted in order: shape (chains, draws, n)."""
        found = np.empty((*self.shape[:2], stop - start), self.dtype)
        for i, chain in enumerate(self._chains):
            for at in range(0, self.shape[1], self._piece):
                piece = self._draws(chain, at, min(at + self._piece, self.shape[1]))
                flat = piece.reshape(len(piece), -1)
                found[i, at : at + len(piece)] = flat[:, start:stop]
        return found

    def _read(self, chain: int, draws: slice, rest: Sequence[Any]) -> Array:
        # Zarr reads what lies between two of every n-th as well: piece by piece, that stays small.
        chosen = [np.empty((0, *self.shape[2:]), self.dtype)[(slice(None), *rest)]]
        for start in range(draws.start, draws.stop, self._piece):
            first = start + (draws.start - start) % draws.step
            stop = min(start + self._piece, draws.stop)
            if first < stop:
                piece = self._draws(int(chain), first, stop)
                # A copy: a view would hold the whole piece.
                chosen.append(np.array(piece[:: draws.step][(slice(None), *rest)]))
        return np.concatenate(chosen)

    def _draws(self, chain: int, start: int, stop: int) -> Array:
        """Some draws of a chain, from the disk and from memory."""
        self._require_there()
        last = self._last.get(chain)
        if last is None:
            return np.asarray(self._source[chain, start:stop])
        edge = self.shape[1] - len(last)
        there = np.asarray(self._source[chain, min(start, edge) : min(stop, edge)])
        return np.concatenate([there, last[max(start - edge, 0) : max(stop - edge, 0)]])

    def _require_there(self) -> None:
        """Of a folder that is gone zarr reads fill values, without a word."""
        folder = Path(self._source.store.root)
        if not (folder / self._source.path / ".zarray").is_file():
            raise ArgumentError(
                "the folder of these draws is gone.",
                facts=[("store", folder), ("array", self._source.path)],
                fix="bring it back, or bayesdl.load(folder) where it is now.",
                where=user_source(),
                code="E103",
            )

    def reshape(self, *shape: int) -> Any:
        """The array in another shape: as `Joined` where chains and draws become one axis."""
        if shape == (-1, *self.shape[2:]):
            return Joined(self)
        return np.asarray(self).reshape(shape)

    @property
    def _piece(self) -> int:
        """Draws that are read at once: some chunks."""
        chunk = max(int(self._source.chunks[1]), 1)
        size = chunk * math.prod(self.shape[2:]) * self.dtype.itemsize
        return chunk * max(READ_BYTES // max(size, 1), 1)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self[:], dtype)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    def __getattr__(self, name: str) -> Any:
        # All else that an array can do, it does when it has been read.
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(np.asarray(self), name)


class Joined:
    """Draws on disk with chains and draws along one axis, read where they are asked for.

    Parameters
    ----------
    source : Lazy
    """

    def __init__(self, source: Lazy) -> None:
        self._source = source
        chains, count, *rest = source.shape
        self.shape: tuple[int, ...] = (chains * count, *rest)
        self.dtype: np.dtype[Any] = source.dtype
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Array:
        count = self._source.shape[1]
        if not isinstance(key, slice) or key.step not in (None, 1) or not len(self):
            found: Array = np.asarray(self)[key]
            return found
        start, stop, _ = key.indices(len(self))
        chains = range(start // count, -(-max(stop, start) // count))
        parts = [
            self._source[c, max(start - c * count, 0) : min(stop - c * count, count)]
            for c in chains
        ]
        return np.concatenate(parts) if parts else np.empty((0, *self.shape[1:]), self.dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(np.asarray(self._source).reshape(self.shape), dtype)
