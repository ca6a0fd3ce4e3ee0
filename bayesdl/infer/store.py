"""Draws that go to disk while they are drawn."""

from __future__ import annotations

import errno
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ArgumentError
from bayesdl._base.files import write_whole
from bayesdl._base.source import user_source
from bayesdl.ir.types import ArrayType

from .keep import GROUPS, Columns, common_length
from .lazy import Lazy

CHUNK_BYTES = 8_000_000
# Each chunk of a site takes a millisecond or two, of whatever size: long runs have longer ones.
CHUNK_DRAWS, MOST_DRAWS, CHUNKS = 5000, 20_000, 16
# Draws that fill no chunk go to the disk after so many seconds. Their chunk is written again then,
# if it is small or has grown by a SHARE: a byte of a large one is written ten times at most.
FLUSH_SECONDS, PART_BYTES, SHARE = 10.0, 1_000_000, 8
RUN, CHAINS, DRAWS = "bayesdl_run", "bayesdl_chains", "bayesdl_draws"
ABOUT, PROGRESS = "bayesdl_about", "bayesdl_progress"
METADATA = ".zmetadata"
Array = np.ndarray[Any, Any]


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
        self.path, self._run, self._gone = Path(path), run, False
        self._root = _made(self.path, run, about)
        biggest = sum(t.size * t.dtype.itemsize for t in types.values())
        wanted = max(CHUNK_DRAWS, min(shape[1] // CHUNKS, MOST_DRAWS))
        self.chunk = int(min(shape[1], wanted, max(1, CHUNK_BYTES // max(biggest, 1))))
        for group, kinds in zip(GROUPS, (types, stats), strict=True):
            folder = self._root.require_group(group)
            self._arrays[group] = {n: self._array(folder, n, t) for n, t in kinds.items()}
        self._bytes = sum(t.size * t.dtype.itemsize for t in (*types.values(), *stats.values()))
        # Draws of each chain that the disk has and tells of, in part of a chunk too.
        self._told = _progress(self._root, self.path, shape[0])
        self._due = [time.monotonic() + FLUSH_SECONDS] * shape[0]

    def _array(self, folder: Any, name: str, kind: ArrayType) -> Any:
        if name in folder:
            return folder[name]
        chunks = 1, self.chunk, *kind.shape
        axes = "chain", "draw", *(f"{name}_dim_{i}" for i in range(len(kind.shape)))
        return _created(folder, name, (*self._shape, *kind.shape), chunks, kind.dtype, axes)

    def append(self, chain: int, first: int, positions: Array, stats: Mapping[str, Array]) -> None:
        """Take draws of a chain; whole chunks of them go to the disk, and all after some seconds.

        Raises
        ------
        OSError
            If the disk takes no more, or the folder is gone. The draws stay in memory, and are
            tried again.
        """
        # Those of a run that goes on are here already.
        if first >= self._stored[chain] + self._waiting[chain]:
            Columns.append(self, chain, first, positions, stats)
            if time.monotonic() >= self._due[chain]:
                self._write_part(chain)

    def _flush(self, chain: int) -> None:
        """Whole chunks go to the disk, and leave the memory."""
        positions, stats = self._joined(chain)
        whole = len(positions) - len(positions) % self.chunk
        self._write(chain, positions, stats, whole)
        self._stored[chain] += whole
        self._waiting[chain] -= whole
        self._buffers[chain] = [(positions[whole:], {n: s[whole:] for n, s in stats.items()})]

    def _write_part(self, chain: int) -> None:
        """What waits goes to the disk too, where that writes little again."""
        part = max(self._told[chain] - self._stored[chain], 0)
        new = self._waiting[chain] - part
        if new > 0 and (part * self._bytes <= PART_BYTES or new * SHARE >= part):
            self._write(chain, *self._joined(chain), self._waiting[chain])

    def _write(self, chain: int, positions: Array, stats: Mapping[str, Array], count: int) -> None:
        """The first of the draws that wait."""
        self._require_there()
        first = {name: column[:count] for name, column in stats.items()}
        self._put(chain, self._stored[chain], positions[:count], first)
        self._told[chain] = max(self._told[chain], self._stored[chain] + count)
        _tell(self.path, self._told)
        self._due[chain] = time.monotonic() + FLUSH_SECONDS

    def _require_there(self) -> None:
        """Zarr would make a folder that is gone anew, without a word."""
        arrays = [self.path / g / n / ".zarray" for g, found in self._arrays.items() for n in found]
        with suppress(OSError, ValueError):
            marks = json.loads((self.path / ".zattrs").read_bytes())
            if marks.get(RUN) == self._run and all(array.is_file() for array in arrays):
                return
        self._gone = True
        raise FileNotFoundError(errno.ENOENT, "the folder of the store is gone", str(self.path))

    def count(self, chain: int) -> int:
        """Number of draws of a chain, on the disk and in memory."""
        return self._waiting[chain] + (0 if self._gone else self._stored[chain])

    def collect(self, chains: Sequence[int], count: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Values and statistics of the first draws of some chains.

        Those on disk are read when asked for; of a folder that is gone, there are those in memory.
        """
        last = {}
        for chain in chains:
            start, stop = self._told[chain] - self._stored[chain], count - self._stored[chain]
            if self._gone:
                start, stop = 0, count
            if start < stop:
                last[chain] = self._in_memory(chain, start, stop)
        values, stats = (
            {n: self._whole(a, chains, count, {c: p[i][n] for c, p in last.items()}) for n, a in g}
            for i, g in enumerate(sorted(arrays.items()) for arrays in self._arrays.values())
        )
        return values, stats

    def _in_memory(self, chain: int, start: int, stop: int) -> tuple[Mapping[str, Array], ...]:
        """Values and statistics of some of the draws that wait."""
        positions, stats = self._joined(chain)
        values = {n: np.asarray(v) for n, v in self._values(positions[start:stop]).items()}
        return values, {name: column[start:stop] for name, column in stats.items()}

    def _whole(
        self, array: Any, chains: Sequence[int], count: int, last: Mapping[int, Array]
    ) -> Any:
        """One site's draws, or a column of statistics."""
        if not self._gone:
            return Lazy(array, chains, count, last)
        nothing = np.empty((0, *array.shape[2:]), array.dtype)
        return np.stack([last.get(c, nothing) for c in chains])

    def end(self, chains: Sequence[int], count: int, *, broken: bool) -> None:
        """Bring the rest to the disk, and write down which draws count, if the run is whole.

        Raises
        ------
        OSError
            If the disk takes no more, or the folder is gone. The draws stay in memory.
        """
        self._require_there()
        for chain in range(self._shape[0]):
            if self._told[chain] < self._stored[chain] + self._waiting[chain]:
                self._write(chain, *self._joined(chain), self._waiting[chain])
        if not broken:
            self._root.attrs.update({CHAINS: list(chains), DRAWS: count})

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
        if np.any(state["stored"] > self._told):
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
    begun : int
        Number of chains of the run; those that had written far less than others are left out.
    unfinished : dict of str to value, optional
        Of a run that did not end: what it told of itself beforehand.
    """

    values: dict[str, Any]
    stats: dict[str, Any]
    begun: int
    unfinished: dict[str, Any] | None = None


def opened(path: Any) -> Opened:
    """Values and statistics of the run in a folder, read when asked for.

    Of a run that did not end, those that its chains had written, cut to one length as `run` does.

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
    # What belongs to the draws is written behind them, and the metadata of all of it last.
    if DRAWS in root.attrs and (Path(path) / METADATA).is_file():
        chains = root.attrs[CHAINS]
        return Opened(*_lazy(root, chains, int(root.attrs[DRAWS])), len(chains))
    stored = np.asarray(root[PROGRESS][:]).tolist() if PROGRESS in root else [0]
    if max(stored) == 0:
        raise ArgumentError(
            "the run in this folder ended before any of its chains had written draws.",
            facts=[("path", path), ("draws", ", ".join(map(str, stored)))],
            fix="run it again, with checkpoint=folder if it may be killed.",
            where=user_source(),
            code="E123",
        )
    count = common_length(stored)
    chains = [i for i, n in enumerate(stored) if n >= count]
    return Opened(*_lazy(root, chains, count), len(stored), dict(root.attrs[ABOUT]))


def _lazy(root: Any, chains: Sequence[int], count: int) -> tuple[dict[str, Any], dict[str, Any]]:
    values, stats = (
        {name: Lazy(array, chains, count) for name, array in sorted(root[group].arrays())}
        for group in GROUPS
    )
    return values, stats


def _progress(root: Any, path: Path, chains: int) -> list[int]:
    """How many draws of each chain the disk has; none, where a run begins."""
    if PROGRESS not in root:
        kind, plain = np.dtype("<i8"), {"compressors": None}
        _created(root, PROGRESS, (chains,), (chains,), kind, (PROGRESS,), **plain)
        write_whole(str(path / PROGRESS / "0"), bytes(8 * chains))
    return [int(n) for n in np.asarray(root[PROGRESS][:])]


def _tell(path: Path, told: Sequence[int]) -> None:
    # In place: a disk that is full takes no new file, and a new folder is not made.
    with open(path / PROGRESS / "0", "r+b") as file:
        file.write(np.array(told, "<i8").tobytes())


def _created(
    folder: Any,
    name: str,
    shape: tuple[int, ...],
    chunks: tuple[int, ...],
    dtype: np.dtype[Any],
    axes: Sequence[str],
    **options: Any,
) -> Any:
    return folder.create_array(
        name,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        fill_value=np.nan if dtype.kind == "f" else 0,
        attributes={"_ARRAY_DIMENSIONS": list(axes)},
        **options,
    )


def _group(path: Any) -> Any:
    """The group that a run began in a folder; None if there is none."""
    with suppress(FileNotFoundError, ValueError):
        root = _zarr().open_group(str(path), mode="r", use_consolidated=False)
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
    root = zarr.open_group(str(path), mode="a", zarr_format=2, use_consolidated=False)
    # A run that goes on has not ended, whatever was written when it was stopped.
    (path / METADATA).unlink(missing_ok=True)
    root.attrs.put({RUN: run, ABOUT: dict(about)})
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
