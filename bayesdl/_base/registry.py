"""Name → record; refuses doubles; lists in order. Lists of things are read from these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from .errors import did_you_mean

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """An ordered table of named records that refuses a second record of one name."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._records: dict[str, T] = {}

    def add(self, name: str, record: T) -> T:
        """Enter a record and return it."""
        if name in self._records:
            raise ValueError(f"{self.kind} {name!r} is declared twice")
        self._records[name] = record
        return record

    def __getitem__(self, name: str) -> T:
        try:
            return self._records[name]
        except KeyError:
            guess = did_you_mean(name, self._records)
            hint = f"; did you mean {guess!r}?" if guess else ""
            raise KeyError(f"no {self.kind} named {name!r}{hint}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)
