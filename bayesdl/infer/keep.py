"""What becomes of the draws: keepers take them block by block, and give them back as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from bayesdl._base.errors import ArgumentError, SiteError, did_you_mean
from bayesdl._base.source import user_source

from .block import Block

Array = np.ndarray[Any, Any]


class Keeper(Protocol):
    """Where draws go while a run is under way. It is called by one thread at a time."""

    def append(self, chain: int, first: int, positions: Array, stats: Mapping[str, Array]) -> None:
        """Take draws of a chain.

        Parameters
        ----------
        chain : int
        first : int
            Index of the first of them among the chain's kept draws.
        positions : array, shape (n, dim)
        stats : mapping of name to array, shape (n,)
        """
        ...

    def count(self, chain: int) -> int:
        """Number of draws of a chain that `collect` can give."""
        ...

    def collect(self, chains: Sequence[int], count: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Values and statistics, shape (chains, count, …), of the first draws of some chains."""
        ...


class Positions:
    """Keeps unconstrained positions in memory, under the name "position".

    Parameters
    ----------
    block : Block
        Whose draws these are.
    """

    def __init__(self, block: Block) -> None:
        place = block.position_type
        self._empty = np.empty((0, *place.shape), place.dtype)
        self._no_stats = {n: np.empty(0, t.dtype) for n, t in block.info_types.items()}
        self._parts: dict[int, list[tuple[Array, Mapping[str, Array]]]] = {}

    def append(self, chain: int, first: int, positions: Array, stats: Mapping[str, Array]) -> None:
        """Take draws of a chain."""
        self._parts.setdefault(chain, []).append((positions, stats))

    def count(self, chain: int) -> int:
        """Number of draws of a chain."""
        return sum(len(positions) for positions, _ in self._parts.get(chain, []))

    def collect(
        self, chains: Sequence[int], count: int
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Values and statistics of the first draws of some chains."""
        parts = [self._parts.get(c, []) for c in chains]
        positions = [
            np.concatenate([self._empty, *(p for p, _ in found)])[:count] for found in parts
        ]
        stats = {
            name: np.stack(
                [np.concatenate([none, *(s[name] for _, s in p)])[:count] for p in parts]
            )
            for name, none in self._no_stats.items()
        }
        return {"position": np.stack(positions)}, stats


def chosen_names(keep: Any, names: Sequence[str]) -> list[str]:
    """Names of the sites to keep, in the order of the model.

    Parameters
    ----------
    keep : "all", name or names
        As the user says it.
    names : sequence of str
        Of all sites that have draws.

    Raises
    ------
    SiteError
        For a name that is not among them.
    ArgumentError
        For anything but names, or none of them.

    Examples
    --------
    >>> chosen_names(["b", "a"], ["a", "b", "c"])
    ['a', 'b']
    """
    if isinstance(keep, str):
        asked = list(names) if keep == "all" else [keep]
    else:
        asked = list(keep) if isinstance(keep, Iterable) else []
    if not asked:
        raise ArgumentError(
            "keep must name at least one site.",
            facts=[("given", repr(keep)), ("sites", ", ".join(names))],
            fix='for example keep=["beta"], or keep="all".',
            where=user_source(),
            code="A108",
        )
    for name in asked:
        if name not in names:
            guess = did_you_mean(str(name), names)
            raise SiteError(
                f"keep names {name!r}, which is no site that has draws.",
                facts=[("sites", ", ".join(names))],
                fix=f'did you mean "{guess}"?' if guess else "use one of these names.",
                where=user_source(),
                code="M117",
            )
    return [name for name in names if name in asked]
