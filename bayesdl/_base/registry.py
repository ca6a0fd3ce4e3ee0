"""Name → record; refuses doubles; lists in order. Lists of things are read from these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Generic, TypeVar

from .errors import did_you_mean

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """An ordered table of named records that refuses a second record of one name.

    Parameters
    ----------
    kind : str
        Of the records, for messages.
    room : str, optional
        A package whose members enter themselves when they are loaded, which is when they are first
        asked for. Its records are listed by name.
    """

    def __init__(self, kind: str, room: str = "") -> None:
        self.kind, self.room = kind, room
        self._records: dict[str, T] = {}

    def add(self, name: str, record: T) -> T:
        """Enter a record and return it."""
        if name in self._records:
            raise ValueError(f"{self.kind} {name!r} is declared twice")
        self._records[name] = record
        return record

    def __getitem__(self, name: str) -> T:
        try:
            return self._known(name)[name]
        except KeyError:
            guess = did_you_mean(name, tuple(self))
            hint = f"; did you mean {guess!r}?" if guess else ""
            raise KeyError(f"no {self.kind} named {name!r}{hint}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _known(self, name: str) -> dict[str, T]:
        """The records, that of a name among them if there is one."""
        if self.room and name not in self._records:
            room = import_module(self.room)
            if name in room.__all__:
                getattr(room, name)
        return self._records

    def _all(self) -> dict[str, T]:
        """The records, with all members of the room."""
        if not self.room:
            return self._records
        room = import_module(self.room)
        for name in room.__all__:
            getattr(room, name)
        return dict(sorted(self._records.items()))
