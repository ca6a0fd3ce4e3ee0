"""What a user may say of where and how a run is done; none of it changes the draws."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import fields
from hashlib import blake2b
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ArgumentError, CapacityError
from bayesdl._base.memory import free_memory, size_text
from bayesdl._base.source import user_source
from bayesdl._base.version import VERSION
from bayesdl._base.versions import versions
from bayesdl.ir.fingerprint import fingerprint

from .checkpoint import Checkpoint
from .keep import MOMENTS
from .run import Compiled
from .store import require_zarr


@dataclass(frozen=True)
class Hosting:
    """Where and how a run is done.

    Parameters
    ----------
    checkpoint : path, optional
        Folder from which the same call takes the run up again.
    store : path, optional
        Folder to which draws go while they are drawn, and from which they are read lazily.
    max_memory : float, optional
        Bytes of draws to be held in memory at most; half of what is free if not given.
    max_disk : float, optional
        Bytes of draws to be put in the store at most; what is free there if not given.
    executor : concurrent.futures.Executor or callable that gives one, optional
    blocking : bool, default True
        Whether `fit` returns when the run has ended, or a handle of it at once.
    keep : "all", "predictive", "moments" or names of sites, default "all"
        Sites whose values are computed and kept; "predictive" stands for the parameters of the
        observed sites' distributions, and may be one of several names; "moments" for means and
        variances, and no draws.
    save_warmup : bool, default False
        Whether values and statistics of the warm-up are kept as well, in memory.
    """

    checkpoint: Any = None
    store: Any = None
    max_memory: float | None = None
    max_disk: float | None = None
    executor: Any = None
    blocking: bool = True
    keep: Any = "all"
    save_warmup: bool = False

    def __post_init__(self) -> None:
        known = self.executor is None or callable(self.executor)
        if not known and not isinstance(self.executor, Executor):
            raise ArgumentError(
                f"executor cannot be a {type(self.executor).__name__}.",
                fix="give a concurrent.futures.Executor; of a Dask client, client.get_executor().",
                where=user_source(),
                code="A108",
            )
        for name in ("max_memory", "max_disk"):
            _check_bytes(name, getattr(self, name))
        if self.store is not None:
            require_zarr()
        for name in ("checkpoint", "store"):
            _check_folder(name, getattr(self, name))

    def require_room(
        self, per_draw: int, shape: tuple[int, int], warmup: int = 0, besides: int = 0
    ) -> int:
        """How many bytes the draws will take; refuses what memory or disk will not hold.

        Parameters
        ----------
        per_draw : int
            Bytes of values and statistics.
        shape : (int, int)
            Chains, and draws that each keeps.
        warmup : int
            Iterations of the warm-up that each keeps, in memory.
        besides : int
            Bytes of what is kept of each chain but not of each draw.

        Raises
        ------
        CapacityError
        """
        chains, draws = shape
        if self.store is None:
            draws, stored = draws + warmup, 0
            held = chains * (per_draw * draws + besides)
        else:
            held, stored = chains * (per_draw * warmup + besides), chains * per_draw * draws
        sizes = [
            ("a draw", size_text(per_draw)),
            *([("a chain's moments", size_text(besides))] if besides else []),
        ]
        if stored:
            self._require_disk(stored, [*sizes, ("chains × draws", f"{chains} × {draws}")])
            draws = warmup
        self._require_memory(held, [*sizes, ("chains × draws", f"{chains} × {draws}")])
        return stored or held

    def _require_memory(self, need: int, sizes: list[tuple[str, str]]) -> None:
        free = free_memory()
        limit = self.max_memory if self.max_memory is not None else free and free / 2
        if limit is None or need <= limit:
            return
        raise CapacityError(
            "the draws would not fit in memory.",
            facts=[*sizes, ("all", size_text(need)), ("limit", size_text(int(limit)))],
            fix="thin=10 keeps a tenth; store=folder puts all on disk; max_memory=bytes allows it.",
            where=user_source(),
            code="S121",
        )

    def _require_disk(self, need: int, sizes: list[tuple[str, str]]) -> None:
        folder = Path(self.store)
        # A run that goes on has some of them there already.
        there = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
        free = shutil.disk_usage(_first_there(folder)).free
        limit = self.max_disk if self.max_disk is not None else free + there
        if need <= limit:
            return
        raise CapacityError(
            "the draws would not fit on the disk.",
            facts=[
                *sizes,
                ("all", size_text(need)),
                ("free", size_text(free)),
                ("limit", size_text(int(limit))),
            ],
            fix="thin=10 keeps a tenth; keep=[names] keeps fewer sites; max_disk=bytes allows it.",
            where=user_source(),
            code="S122",
        )

    def what_it_writes(self) -> dict[str, str]:
        """What else a checkpoint has to be opened with, by name."""
        moments = isinstance(self.keep, str) and self.keep == MOMENTS
        found = {
            "save_warmup": self.save_warmup,
            "store": self.store is not None,
            "moments": moments,
        }
        return {name: str(said) for name, said in found.items() if said}

    def open_checkpoint(self, identity: Mapping[str, str]) -> Checkpoint | None:
        """The folder of the checkpoint, if one is wanted."""
        return None if self.checkpoint is None else Checkpoint(self.checkpoint, identity)


def _check_bytes(name: str, value: Any) -> None:
    if value is not None and (
        not isinstance(value, Real) or isinstance(value, bool) or not value > 0
    ):
        raise ArgumentError(
            f"{name} must be a number of bytes above 0.",
            facts=[("given", repr(value))],
            fix=f"for example {name}=16e9.",
            where=user_source(),
            code="A108",
        )


def _check_folder(name: str, path: Any) -> None:
    """Refuse what can be no folder, before anything is computed."""
    if path is None:
        return
    if not isinstance(path, str | os.PathLike) or not str(path):
        raise ArgumentError(
            f"{name} must be the name of a folder.",
            facts=[("given", repr(path))],
            fix=f'for example {name}="run".',
            where=user_source(),
            code="A108",
        )
    there = _first_there(Path(path))
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise ArgumentError(
            f"the folder of {name} cannot be made.",
            facts=[
                ("path", path),
                (str(there), "cannot be written to" if there.is_dir() else "is a file"),
            ],
            fix="name another folder.",
            where=user_source(),
            code="E102",
        )


def _first_there(path: Path) -> Path:
    """The path, or the first of the folders above it that is there."""
    whole = path.absolute()
    return next((p for p in (whole, *whole.parents) if p.exists()), whole)


def split(options: Mapping[str, Any]) -> tuple[Hosting, dict[str, Any]]:
    """Options of the hosting, and those of the method."""
    names = [f.name for f in fields(Hosting)]
    ours = {name: value for name, value in options.items() if name in names}
    return Hosting(**ours), {n: v for n, v in options.items() if n not in names}


def identity(
    compiled: Compiled, data: Sequence[Any], starts: Any, keys: Any, settings: Mapping[str, Any]
) -> dict[str, str]:
    """All that draws depend on, by name.

    Parameters
    ----------
    compiled : Compiled
    data : sequence of arrays
    starts, keys : arrays
        Of the chains; they come from the seed.
    settings : mapping of name to value
        What the user said.
    """
    # SciPy counts where its BLAS is called, and there it is loaded: what else a process happens to
    # have loaded does not.
    blas = ["scipy"] if compiled.executable.calls_blas else []
    needed = ["python", "numpy", "llvmlite", *blas]
    return {
        **{name: repr(value) for name, value in settings.items()},
        "model": fingerprint(compiled.block.program).hex()[:16],
        "data": _digest(data),
        "seed": _digest([starts, keys]),
        "bayesdl": VERSION,
        **{name: number for name, number in versions().items() if name in needed},
    }


def _digest(arrays: Sequence[Any]) -> str:
    digest = blake2b(digest_size=8)
    for array in map(np.asarray, arrays):
        digest.update(f"{array.shape} {array.dtype}".encode() + array.tobytes())
    return digest.hexdigest()
