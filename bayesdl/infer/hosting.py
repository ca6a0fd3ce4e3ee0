"""What a user may say of where and how a run is done; none of it changes the draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, fields
from hashlib import blake2b
from typing import Any

import numpy as np

from bayesdl._base.errors import ArgumentError
from bayesdl._base.source import user_source
from bayesdl._base.version import VERSION
from bayesdl.ir.fingerprint import fingerprint

from .checkpoint import Checkpoint
from .machine import versions
from .run import Compiled


@dataclass(frozen=True)
class Hosting:
    """Where and how a run is done.

    Parameters
    ----------
    checkpoint : path, optional
        Folder from which the same call takes the run up again.
    executor : concurrent.futures.Executor or callable that gives one, optional
    blocking : bool, default True
        Whether `fit` returns when the run has ended, or a handle of it at once.
    """

    checkpoint: Any = None
    executor: Any = None
    blocking: bool = True

    def __post_init__(self) -> None:
        known = self.executor is None or callable(self.executor)
        if not known and not isinstance(self.executor, Executor):
            raise ArgumentError(
                f"executor cannot be a {type(self.executor).__name__}.",
                fix="give a concurrent.futures.Executor; of a Dask client, client.get_executor().",
                where=user_source(),
                code="A108",
            )

    def open_checkpoint(self, identity: Mapping[str, str]) -> Checkpoint | None:
        """The folder of the checkpoint, if one is wanted."""
        return None if self.checkpoint is None else Checkpoint(self.checkpoint, identity)


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
    return {
        **{name: repr(value) for name, value in settings.items()},
        "model": fingerprint(compiled.block.program).hex()[:16],
        "data": _digest(data),
        "seed": _digest([starts, keys]),
        "bayesdl": VERSION,
        **versions(),
    }


def _digest(arrays: Sequence[Any]) -> str:
    digest = blake2b(digest_size=8)
    for array in map(np.asarray, arrays):
        digest.update(f"{array.shape} {array.dtype}".encode() + array.tobytes())
    return digest.hexdigest()
