"""A run on disk: what its chains did, file after file, and where all of them stand."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from bayesdl._base.errors import ArgumentError
from bayesdl._base.files import write_whole
from bayesdl._base.source import user_source

from .chain import Array, Chain, Report, Snapshot
from .keep import Keeper

EVERY_SECONDS = 2.0
# A write that takes longer than one over this, in seconds, makes those after it rarer.
PAUSE = 5.0
# States are written whole each time: larger ones than these bytes make the writes rarer as well.
STATE_BYTES = 10_000_000
RUN, STATE, KEEPER = "run.json", "state.npz", "keeper."


class Checkpoint:
    """A folder that a run can be taken up from after its process has died at any moment.

    Each of its files is whole or absent. Those with numbers hold what all chains reported since the
    one before. Where the chains stand is in one file that is replaced, and says which number it
    goes with: a file beyond is of a process that died between the two, and is written again. Where
    the keeper of the draws has a state of its own, as one has whose draws are on the disk already,
    that stands there too, and the reports have no positions.

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
        # A process that died while it wrote left these.
        for part in self.folder.glob("*.part"):
            part.unlink(missing_ok=True)
        self._count = 0

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
        state = self._state()
        if state is None:
            return
        own = {n.removeprefix(KEEPER): a for n, a in state.items() if n.startswith(KEEPER)}
        if own:
            keeper.resume(own)
        self._count = int(state["number"])
        ends = [_snapshot(i, state) for i in range(len(chains))]
        for number in range(1, self._count + 1):
            arrays = _loaded(self._file(number))
            for i, chain in enumerate(chains):
                reports = _unpacked(i, arrays)
                chain.absorb(ends[i], reports)
                keep(i, reports)

    def _state(self) -> dict[str, Array] | None:
        """Where the chains stood at the last write; None before the first.

        Raises
        ------
        ArgumentError
            If a file is missing that was written before it, or it is missing itself.
        """
        numbers = {int(p.stem) for p in self.folder.glob("[0-9]" * 8 + ".npz")}
        path = self.folder / STATE
        if not path.is_file():
            # A process may have ended between its first two files.
            if max(numbers, default=1) > 1:
                raise _damaged(self.folder, STATE)
            return None
        state = _loaded(path)
        for number in range(1, int(state["number"]) + 1):
            if number not in numbers:
                raise _damaged(self.folder, self._file(number).name)
        return state

    def note(self, chain: int, reports: Sequence[Report], *, with_draws: bool) -> None:
        """Remember what a chain did, for the next write; draws, if nobody else keeps them."""
        known = self._new.setdefault(chain, [])
        known.extend(reports if with_draws else _without_draws(reports))

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
        reports: dict[str, Array] = {}
        for i in range(len(chains)):
            reports.update(_packed(i, self._new.get(i, [])))
        number = self._count + 1
        _write(self._file(number), reports)
        state = {f"{KEEPER}{name}": array for name, array in keeper.state().items()}
        for i, chain in enumerate(chains):
            here = chain.here
            state[f"{i}.at"] = np.array([here.at, here.tune, here.size])
            state.update({f"{i}.leaf.{j}": leaf for j, leaf in enumerate(here.leaves)})
        _write(self.folder / STATE, {"number": np.array(number), **state})
        self._count, self._new = number, {}
        end, size = time.monotonic(), sum(a.nbytes for a in state.values())
        self._next = end + self.every * max(1.0, PAUSE * (end - begin), size / STATE_BYTES)

    def _file(self, number: int) -> Path:
        """The file of some of the reports."""
        return self.folder / f"{number:08d}.npz"

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
    try:
        found: dict[str, str] = json.loads(file.read_text())
    except ValueError as error:
        raise _damaged(file.parent, RUN, f"{RUN}: {error}") from error
    return found


def _write(path: Path, arrays: Mapping[str, Array]) -> None:
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    write_whole(str(path), content.getvalue())


def _loaded(path: Path) -> dict[str, Array]:
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as found:
            return {name: found[name] for name in found.files}
    except (ValueError, EOFError, BadZipFile) as error:
        raise _damaged(path.parent, path.name, f"{path.name}: {error}") from error


def _damaged(folder: Path, name: str, cause: str = "it is not there") -> ArgumentError:
    return ArgumentError(
        f"the checkpoint cannot be taken up: its file {name} is missing or damaged.",
        facts=[("folder", folder), ("file", cause)],
        fix="bring the file back, or name another folder to begin again.",
        where=user_source(),
        code="E124",
    )


def _snapshot(i: int, state: Mapping[str, Array]) -> Snapshot:
    at, tune, size = (int(n) for n in state[f"{i}.at"])
    count = sum(name.startswith(f"{i}.leaf.") for name in state)
    return Snapshot(tuple(state[f"{i}.leaf.{j}"] for j in range(count)), at, tune, size)


def _without_draws(reports: Sequence[Report]) -> list[Report]:
    """Without the positions of draws: whoever keeps these has them."""
    # A copy: a view would hold all of them.
    none = [r.positions[:0].copy() for r in reports]
    return [
        r if r.drawn is None else replace(r, positions=n)
        for r, n in zip(reports, none, strict=True)
    ]


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
