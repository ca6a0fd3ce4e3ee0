"""A run on disk: what each chain did since the last write, and where it stands, file after file."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bayesdl._base.errors import ArgumentError
from bayesdl._base.files import write_whole
from bayesdl._base.source import user_source

from .chain import Array, Chain, Report, Snapshot
from .keep import Keeper

EVERY_SECONDS = 2.0
# A write that takes longer than one over this, in seconds, makes those after it rarer.
PAUSE = 5.0
RUN = "run.json"


class Checkpoint:
    """A folder that a run can be taken up from after its process has died at any moment.

    Its files are whole or absent, and none is ever changed: each holds the state of all chains, and
    their reports since the file before it. Where the keeper of the draws has a state of its own, as
    one has whose draws are on the disk already, that stands in a file beside the last of them, and
    the reports have no positions.

    Parameters
    ----------
    path : str or path
        Made if it is not there.
    identity : mapping of str to str
        All that draws depend on.
    every : float
        Least seconds between two writes; large states are written less often.

    Raises
    ------
    ArgumentError
        If the folder holds another run, or something else.
    OSError
        If it cannot be made or read.
    """

    def __init__(
        self, path: Any, identity: Mapping[str, str], every: float = EVERY_SECONDS
    ) -> None:
        self.folder, self.every = Path(path), every
        self._new: dict[int, list[Report]] = {}
        self._next = time.monotonic() + every
        self.folder.mkdir(parents=True, exist_ok=True)
        known = recorded(path)
        if known is None:
            self._refuse_other_files()
            write_whole(str(self.folder / RUN), json.dumps(dict(identity), indent=1).encode())
        else:
            self._refuse_another_run(known, identity)
        self._count = len(self._files())

    def restore(
        self,
        chains: Sequence[Chain],
        keeper: Keeper,
        keep: Callable[[int, Sequence[Report]], None],
    ) -> None:
        """Bring chains to where they stood at the last write.

        Parameters
        ----------
        chains : sequence of Chain
            At their beginning.
        keeper : Keeper
            Gets its state back, if it had one.
        keep : callable
            Gets the reports of each chain, in order.
        """
        beside = self._beside(self._count)
        if beside.is_file():
            keeper.resume(_loaded(beside))
        for path in self._files():
            for i, (chain, (here, reports)) in enumerate(
                zip(chains, self._read(path, len(chains)), strict=True)
            ):
                chain.absorb(here, reports)
                keep(i, reports)

    def note(self, chain: int, reports: Sequence[Report]) -> None:
        """Remember what a chain did, for the next write."""
        self._new.setdefault(chain, []).extend(reports)

    def write(self, chains: Sequence[Chain], keeper: Keeper, *, now: bool = False) -> None:
        """Write, if the last time was long enough ago or it must be now, and there is news.

        Raises
        ------
        OSError
            If the disk is full, or the folder gone. What was written before is still there, and
            what was not is tried again at the next call.
        """
        begin = time.monotonic()
        if not self._new or not (now or begin >= self._next):
            return
        state, whole = keeper.state(), keeper.replayed
        arrays: dict[str, Array] = {}
        for i, chain in enumerate(chains):
            here = chain.here
            arrays[f"{i}.at"] = np.array([here.at, here.tune, here.size])
            arrays.update({f"{i}.leaf.{j}": leaf for j, leaf in enumerate(here.leaves)})
            reports = self._new.get(i, [])
            arrays.update(_packed(i, reports if whole else _without_draws(reports)))
        number = self._count + 1
        if state:
            _write(self._beside(number), state)
        _write(self.folder / f"{number:08d}.npz", arrays)
        self._beside(self._count).unlink(missing_ok=True)
        self._count, self._new = number, {}
        end = time.monotonic()
        self._next = end + self.every * max(1.0, PAUSE * (end - begin))

    def _beside(self, number: int) -> Path:
        """The file of the keeper's state."""
        return self.folder / f"kept-{number:08d}.npz"

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("[0-9]" * 8 + ".npz"))

    @staticmethod
    def _read(path: Path, chains: int) -> list[tuple[Snapshot, list[Report]]]:
        arrays = _loaded(path)
        outcomes = []
        for i in range(chains):
            at, tune, size = (int(n) for n in arrays[f"{i}.at"])
            count = sum(name.startswith(f"{i}.leaf.") for name in arrays)
            leaves = tuple(arrays[f"{i}.leaf.{j}"] for j in range(count))
            outcomes.append((Snapshot(leaves, at, tune, size), _unpacked(i, arrays)))
        return outcomes

    def _refuse_other_files(self) -> None:
        found = [p.name for p in self.folder.iterdir() if not p.name.endswith(".part")]
        if found:
            raise ArgumentError(
                "the folder of a checkpoint holds other files.",
                facts=[("folder", self.folder), ("files", ", ".join(sorted(found)[:4]))],
                fix="name a folder that is empty or not there yet.",
                where=user_source(),
                code="E120",
            )

    def _refuse_another_run(self, known: Mapping[str, str], now: Mapping[str, str]) -> None:
        names = [n for n in {**known, **now} if known.get(n) != now.get(n)]
        if names:
            raise ArgumentError(
                "the checkpoint is of another run.",
                facts=[
                    ("", "checkpoint", "now"),
                    *((n, known.get(n, "-"), now.get(n, "-")) for n in names),
                ],
                fix="name another folder, or make the same call that began this one.",
                where=user_source(),
                code="E121",
            )


def recorded(path: Any) -> dict[str, str] | None:
    """The identity of the run in a folder, or None if there is none."""
    file = Path(path) / RUN
    if not file.is_file():
        return None
    found: dict[str, str] = json.loads(file.read_text())
    return found


def _write(path: Path, arrays: Mapping[str, Array]) -> None:
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    write_whole(str(path), content.getvalue())


def _loaded(path: Path) -> dict[str, Array]:
    with np.load(path, allow_pickle=False) as found:
        return {name: found[name] for name in found.files}


def _without_draws(reports: Sequence[Report]) -> list[Report]:
    """Without the positions of draws: whoever keeps these has them."""
    return [r if r.drawn is None else replace(r, positions=r.positions[:0]) for r in reports]


def _packed(i: int, reports: Sequence[Report]) -> dict[str, Array]:
    """Reports of a chain as arrays: those of the warm-up as one, those of draws as one."""
    found: dict[str, Array] = {}
    parts = {
        "warm": [r for r in reports if r.drawn is None],
        "draw": [r for r in reports if r.drawn is not None],
    }
    for word, part in parts.items():
        if part:
            found[f"{i}.{word}.seconds"] = np.array(sum(r.seconds for r in part))
            found[f"{i}.{word}.drawn"] = np.array(part[0].drawn or 0)
            found[f"{i}.{word}.positions"] = np.concatenate([r.positions for r in part])
            for name in part[0].info:
                found[f"{i}.{word}.info.{name}"] = np.concatenate([r.info[name] for r in part])
    return found


def _unpacked(i: int, arrays: Mapping[str, Array]) -> list[Report]:
    found = []
    for word in ("warm", "draw"):
        front = f"{i}.{word}."
        if f"{front}drawn" in arrays:
            start = len(f"{front}info.")
            info = {n[start:]: a for n, a in arrays.items() if n.startswith(f"{front}info.")}
            drawn = int(arrays[f"{front}drawn"]) if word == "draw" else None
            seconds = float(arrays[f"{front}seconds"])
            found.append(Report(drawn, arrays[f"{front}positions"], info, seconds))
    return found
