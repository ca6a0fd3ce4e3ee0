"""Draws that go to disk while they are drawn, and arrays that are read when asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from bayesdl._base.errors import ArgumentError
from bayesdl._base.source import user_source
from bayesdl.ir.types import ArrayType

CHUNK_BYTES = 4_000_000
CHUNK_DRAWS = 1000
RUN, CHAINS, DRAWS = "bayesdl_run", "bayesdl_chains", "bayesdl_draws"
GROUPS = ("posterior", "sample_stats")
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
    """

    def __init__(self, source: Any, chains: Sequence[int], count: int) -> None:
        self._source, self._chains = source, list(chains)
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

    def _read(self, chain: int, draws: slice, rest: Sequence[Any]) -> Array:
        # Zarr reads what lies between two of every n-th as well: piece by piece, that stays small.
        size = max(int(self._source.chunks[1]), 1) * (draws.step or 1)
        starts = range(draws.start, max(draws.stop, draws.start), size)
        pieces = [
            np.asarray(self._source[(int(chain), slice(s, min(s + size, draws.stop)))])
            for s in starts
        ]
        # `size` is a multiple of the step, so each piece begins with a draw that is wanted.
        chosen = [piece[:: draws.step][(slice(None), *rest)] for piece in pieces]
        if chosen:
            return np.concatenate(chosen)
        return np.empty((0, *self.shape[2:]), self.dtype)[(slice(None), *rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self[:], dtype)

    def __getattr__(self, name: str) -> Any:
        # All else that an array can do, it does when it has been read.
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(np.asarray(self), name)


class Store:
    """A keeper that writes values of sites to a folder of chunks, in ArviZ's groups.

    Parameters
    ----------
    path : str or path
    values : callable, (positions) -> dict of name to array
        Values of the sites at positions, shape (n, dim).
    types : mapping of site name to ArrayType
    stats : mapping of name to ArrayType
    shape : (int, int)
        Chains, and most draws of each.
    run : str
        Which run it is. A folder with the same one is written again from the start.

    Raises
    ------
    ArgumentError
        If zarr is not installed, or the folder holds something else.
    """

    def __init__(
        self,
        path: Any,
        values: Callable[[Array], Mapping[str, Array]],
        types: Mapping[str, ArrayType],
        stats: Mapping[str, ArrayType],
        shape: tuple[int, int],
        run: str,
    ) -> None:
        self.path, self._values, self._chains = Path(path), values, shape[0]
        self._root = _made(self.path, run)
        biggest = sum(t.size * t.dtype.itemsize for t in types.values())
        self.chunk = int(min(shape[1], CHUNK_DRAWS, max(1, CHUNK_BYTES // max(biggest, 1))))
        for group, kinds in zip(GROUPS, (types, stats), strict=True):
            for name, kind in kinds.items():
                self._add(group, name, kind, shape)
        self._buffers: dict[int, list[tuple[Array, Mapping[str, Array]]]] = {}
        self._stored = [0] * shape[0]

    def _add(self, group: str, name: str, kind: ArrayType, shape: tuple[int, int]) -> None:
        array = self._root.require_group(group).create_array(
            name,
            shape=(*shape, *kind.shape),
            chunks=(1, self.chunk, *kind.shape),
            dtype=kind.dtype,
            fill_value=np.nan if kind.dtype.kind == "f" else 0,
            overwrite=True,
        )
        axes = [f"{name}_dim_{i}" for i in range(len(kind.shape))]
        array.attrs["_ARRAY_DIMENSIONS"] = ["chain", "draw", *axes]

    def append(self, chain: int, first: int, positions: Array, stats: Mapping[str, Array]) -> None:
        """Take draws of a chain; whole chunks of them go to the disk.

        Raises
        ------
        OSError
            If the disk takes no more. The draws stay in memory, and are tried again.
        """
        buffer = self._buffers.setdefault(chain, [])
        buffer.append((positions, stats))
        if sum(len(p) for p, _ in buffer) >= self.chunk:
            self._flush(chain)

    def _flush(self, chain: int, whole_chunks: bool = True) -> None:
        buffer = self._buffers.get(chain, [])
        if not buffer:
            return
        positions = np.concatenate([p for p, _ in buffer])
        stats = {name: np.concatenate([s[name] for _, s in buffer]) for name in buffer[0][1]}
        count, at = len(positions), self._stored[chain]
        stop = count - count % self.chunk if whole_chunks else count
        if stop == 0:
            return
        columns = dict(self._values(positions[:stop])), {n: s[:stop] for n, s in stats.items()}
        for group, found in zip(GROUPS, columns, strict=True):
            for name, value in found.items():
                self._root[group][name][chain, at : at + stop] = value
        if whole_chunks:
            self._stored[chain] += stop
            self._buffers[chain] = [(positions[stop:], {n: s[stop:] for n, s in stats.items()})]

    def count(self, chain: int) -> int:
        """Number of draws of a chain that are on the disk, or can be brought there."""
        with suppress(OSError):
            self._flush(chain, whole_chunks=False)
            return self._stored[chain] + sum(len(p) for p, _ in self._buffers.get(chain, []))
        return self._stored[chain]

    def collect(self, chains: Sequence[int], count: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Values and statistics of the first draws of some chains, read when asked for."""
        with suppress(OSError):
            self._root.attrs.update({CHAINS: list(chains), DRAWS: count})
        return _lazy(self._root, chains, count)


def opened(path: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Values and statistics of the run in a folder, read when asked for."""
    root = _zarr().open_group(str(path), mode="r")
    return _lazy(root, root.attrs[CHAINS], int(root.attrs[DRAWS]))


def _lazy(root: Any, chains: Sequence[int], count: int) -> tuple[dict[str, Any], dict[str, Any]]:
    values, stats = (
        {name: Lazy(array, chains, count) for name, array in sorted(root[group].arrays())}
        for group in GROUPS
    )
    return values, stats


def _made(path: Path, run: str) -> Any:
    zarr = _zarr()
    if path.exists() and any(path.iterdir()):
        known = None
        with suppress(FileNotFoundError, ValueError):
            known = zarr.open_group(str(path), mode="r").attrs.get(RUN)
        if known != run:
            raise ArgumentError(
                f"{path.name} exists already.",
                facts=[("path", path), ("holds", "another run" if known else "other files")],
                fix="choose another name.",
                where=user_source(),
                code="E101",
            )
    root = zarr.open_group(str(path), mode="a", zarr_format=2)
    root.attrs[RUN] = run
    return root


def _zarr() -> Any:
    if find_spec("zarr") is None:
        raise ArgumentError(
            "a store needs the package zarr.",
            fix='pip install "bayesdl[store]".',
            where=user_source(),
            code="A103",
        )
    return import_module("zarr")
