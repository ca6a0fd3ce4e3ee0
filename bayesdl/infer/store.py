"""Draws that go to disk while they are drawn, and arrays that are read when asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ArgumentError
from bayesdl._base.source import user_source
from bayesdl.ir.types import ArrayType

from .keep import GROUPS, Columns

CHUNK_BYTES = 8_000_000
READ_BYTES = 32_000_000
# Each chunk of a site takes a millisecond or two, of whatever size: long runs have longer ones.
CHUNK_DRAWS, MOST_DRAWS, CHUNKS = 5000, 20_000, 16
RUN, CHAINS, DRAWS = "bayesdl_run", "bayesdl_chains", "bayesdl_draws"
ABOUT, PROGRESS = "bayesdl_about", "bayesdl_progress"
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

    def columns(self, start: int, stop: int) -> Array:
        """Some of the elements of each draw, counted in order: shape (chains, draws, n)."""
        found = np.empty((*self.shape[:2], stop - start), self.dtype)
        for i, chain in enumerate(self._chains):
            for at in range(0, self.shape[1], self._piece):
                piece = np.asarray(self._source[chain, at : min(at + self._piece, self.shape[1])])
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
                piece = np.asarray(self._source[(int(chain), slice(first, stop))])
                # A copy: a view would hold the whole piece.
                chosen.append(np.array(piece[:: draws.step][(slice(None), *rest)]))
        return np.concatenate(chosen)

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


class Store(Columns):
    """A keeper that writes values of sites to a folder of chunks, in ArviZ's groups.

    Parameters
    ----------
    path : str or path
    values, types, stats, shape
        As of `Columns`.
    run : str
        Which run it is. A folder with the same one is gone on with.
    about : mapping of str to value
        What `opened` gives of a run that did not end: values that JSON has.

    Raises
    ------
    ArgumentError
        If zarr is not installed, or the folder holds something else.
    """

    replayed = False

    def __init__(
        self,
        path: Any,
        values: Callable[[Array], Mapping[str, Array]],
        types: Mapping[str, ArrayType],
        stats: Mapping[str, ArrayType],
        shape: tuple[int, int],
        run: str,
        about: Mapping[str, Any],
    ) -> None:
        Columns.__init__(self, values, {}, {}, shape, 1)
        self.path = Path(path)
        self._root = _made(self.path, run, about)
        biggest = sum(t.size * t.dtype.itemsize for t in types.values())
        wanted = max(CHUNK_DRAWS, min(shape[1] // CHUNKS, MOST_DRAWS))
        self.chunk = int(min(shape[1], wanted, max(1, CHUNK_BYTES // max(biggest, 1))))
        self._fresh = False
        if PROGRESS not in self._root:
            _created(self._root, PROGRESS, shape[:1], shape[:1], np.dtype(np.int64), (PROGRESS,))
        self._progress = self._root[PROGRESS]
        for group, kinds in zip(GROUPS, (types, stats), strict=True):
            folder = self._root.require_group(group)
            self._arrays[group] = {n: self._array(folder, n, t) for n, t in kinds.items()}

    def _array(self, folder: Any, name: str, kind: ArrayType) -> Any:
        if name in folder:
            return folder[name]
        self._fresh = True
        chunks = 1, self.chunk, *kind.shape
        axes = "chain", "draw", *(f"{name}_dim_{i}" for i in range(len(kind.shape)))
        return _created(folder, name, (*self._shape, *kind.shape), chunks, kind.dtype, axes)

    def append(self, chain: int, first: int, positions: Array, stats: Mapping[str, Array]) -> None:
        """Take draws of a chain; whole chunks of them go to the disk.

        Raises
        ------
        OSError
            If the disk takes no more. The draws stay in memory, and are tried again.
        """
        # Those of a run that goes on are here already.
        if first >= self._stored[chain] + self._waiting[chain]:
            Columns.append(self, chain, first, positions, stats)

    def _flush(self, chain: int, whole_chunks: bool = True) -> None:
        positions, stats = self._joined(chain)
        stop = len(positions)
        if whole_chunks:
            stop -= stop % self.chunk
        self._put(
            chain, self._stored[chain], positions[:stop], {n: s[:stop] for n, s in stats.items()}
        )
        if whole_chunks:
            self._stored[chain] += stop
            self._buffers[chain] = [(positions[stop:], {n: s[stop:] for n, s in stats.items()})]
            self._waiting[chain] -= stop
            self._progress[:] = self._stored

    def count(self, chain: int) -> int:
        """Number of draws of a chain that are on the disk, or can be brought there."""
        with suppress(OSError):
            if self._waiting[chain]:
                self._flush(chain, whole_chunks=False)
            return self._stored[chain] + self._waiting[chain]
        return self._stored[chain]

    def collect(self, chains: Sequence[int], count: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Values and statistics of the first draws of some chains, read when asked for."""
        with suppress(OSError):
            self._root.attrs.update({CHAINS: list(chains), DRAWS: count})
        return _lazy(self._root, chains, count)

    def state(self) -> dict[str, Array]:
        """How many draws are on the disk, and those that are not there yet."""
        found = {"stored": np.array(self._stored)}
        for chain in range(self._shape[0]):
            if self._waiting[chain]:
                positions, stats = self._joined(chain)
                found[f"{chain}.positions"] = positions
                found.update({f"{chain}.stats.{name}": s for name, s in stats.items()})
        return found

    def resume(self, state: Mapping[str, Array]) -> None:
        """Go on from a state.

        Raises
        ------
        ArgumentError
            If the draws that should be on the disk are gone.
        """
        if self._fresh and state["stored"].any():
            raise ArgumentError(
                "the draws of this checkpoint are not in the store.",
                facts=[("store", self.path), ("draws", ", ".join(map(str, state["stored"])))],
                fix="name the folder that the run began with, or another checkpoint.",
                where=user_source(),
                code="E122",
            )
        self._stored = [int(n) for n in state["stored"]]
        for chain in range(self._shape[0]):
            front = f"{chain}.stats."
            if f"{chain}.positions" in state:
                positions = state[f"{chain}.positions"]
                stats = {n[len(front) :]: s for n, s in state.items() if n.startswith(front)}
                self._buffers[chain] = [(positions, stats)]
                self._waiting[chain] = len(positions)


@dataclass(frozen=True)
class Opened:
    """What is in the folder of a run.

    Parameters
    ----------
    values, stats : dict of name to Lazy
    unfinished : dict of str to value, optional
        Of a run that did not end: what it told of itself beforehand.
    """

    values: dict[str, Any]
    stats: dict[str, Any]
    unfinished: dict[str, Any] | None = None


def opened(path: Any) -> Opened:
    """Values and statistics of the run in a folder, read when asked for.

    Of a run that did not end, those that all its chains had written.

    Raises
    ------
    ArgumentError
        If the folder is no run's, or has no draws yet.
    """
    root = _group(path)
    if root is None:
        raise ArgumentError(
            f"{Path(path).name} holds no run.",
            facts=[("path", path)],
            fix="name a folder that was a fit's store=.",
            where=user_source(),
            code="E103",
        )
    if DRAWS in root.attrs:
        return Opened(*_lazy(root, root.attrs[CHAINS], int(root.attrs[DRAWS])))
    stored = np.asarray(root[PROGRESS][:]).tolist() if PROGRESS in root else [0]
    if min(stored) == 0:
        raise ArgumentError(
            "the run in this folder ended before all its chains had written draws.",
            facts=[("path", path), ("draws", ", ".join(map(str, stored)))],
            fix="run it again, with checkpoint=folder if it may be killed.",
            where=user_source(),
            code="E123",
        )
    found = _lazy(root, range(len(stored)), min(stored))
    return Opened(*found, dict(root.attrs[ABOUT]))


def _lazy(root: Any, chains: Sequence[int], count: int) -> tuple[dict[str, Any], dict[str, Any]]:
    values, stats = (
        {name: Lazy(array, chains, count) for name, array in sorted(root[group].arrays())}
        for group in GROUPS
    )
    return values, stats


def _created(
    folder: Any,
    name: str,
    shape: tuple[int, ...],
    chunks: tuple[int, ...],
    dtype: np.dtype[Any],
    axes: Sequence[str],
) -> Any:
    return folder.create_array(
        name,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        fill_value=np.nan if dtype.kind == "f" else 0,
        attributes={"_ARRAY_DIMENSIONS": list(axes)},
    )


def _group(path: Any) -> Any:
    """The group that a run began in a folder; None if there is none."""
    with suppress(FileNotFoundError, ValueError):
        root = _zarr().open_group(str(path), mode="r")
        return root if RUN in root.attrs else None
    return None


def _made(path: Path, run: str, about: Mapping[str, Any]) -> Any:
    zarr = _zarr()
    if path.exists() and any(path.iterdir()):
        known = _group(path)
        if known is None or known.attrs[RUN] != run:
            raise ArgumentError(
                f"{path.name} exists already.",
                facts=[
                    ("path", path),
                    ("holds", "other files" if known is None else "another run"),
                ],
                fix="choose another name.",
                where=user_source(),
                code="E101",
            )
    root = zarr.open_group(str(path), mode="a", zarr_format=2)
    root.attrs.update({RUN: run, ABOUT: dict(about)})
    return root


def require_zarr() -> None:
    """What a store is written with.

    Raises
    ------
    ArgumentError
        Where it is not installed.
    """
    if find_spec("zarr") is None:
        raise ArgumentError(
            "a store needs the package zarr.",
            fix='pip install "bayesdl[store]".',
            where=user_source(),
            code="A103",
        )


def _zarr() -> Any:
    require_zarr()
    return import_module("zarr")
