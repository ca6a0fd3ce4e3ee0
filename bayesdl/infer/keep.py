"""What becomes of the draws: keepers take them block by block, and give them back as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from bayesdl._base.errors import ArgumentError, SiteError, did_you_mean
from bayesdl._base.source import user_source
from bayesdl.ir.types import ArrayType

from .block import Block

Array = np.ndarray[Any, Any]
PREDICTIVE, MOMENTS = "predictive", "moments"
GROUPS = ("posterior", "sample_stats")
# Values of sites are computed from so many bytes of positions and statistics of a chain at once:
# more of them would keep the chains waiting for their turn.
BUFFER_BYTES, LEAST_BUFFER = 1_000_000, 256


class Keeper(Protocol):
    """Where draws go while a run is under way. It is called by one thread at a time.

    Attributes
    ----------
    replayed : bool
        Whether a run that goes on gives all draws so far once more, with their positions; else
        their statistics alone, behind what `resume` brings back.
    """

    replayed: bool

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

    def end(self, chains: Sequence[int], count: int, *, broken: bool) -> None:
        """The run has come to its end.

        Parameters
        ----------
        chains : sequence of int
        count : int
            What counts of the draws: the first of some chains.
        broken : bool
            Whether something stopped the run, so that it is not whole.
        """
        ...

    def state(self) -> dict[str, Array]:
        """What `resume` needs besides the draws that are given once more."""
        ...

    def resume(self, state: Mapping[str, Array]) -> None:
        """Go on from a state."""
        ...


class Positions:
    """Keeps unconstrained positions in memory, under the name "position".

    Parameters
    ----------
    block : Block
        Whose draws these are.
    """

    replayed = True

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

    def end(self, chains: Sequence[int], count: int, *, broken: bool) -> None:
        """Nothing: the draws stay in memory."""

    def state(self) -> dict[str, Array]:
        """Nothing: it keeps the draws as they are given."""
        return {}

    def resume(self, state: Mapping[str, Array]) -> None:
        """Nothing was needed."""


class Columns:
    """Keeps values of sites in arrays made beforehand, and positions only until there are enough.

    Parameters
    ----------
    values : callable, (positions) -> dict of name to array
        Values of the sites at positions, shape (n, dim).
    types, stats : mappings of name to ArrayType
        Of one draw's values and statistics.
    shape : (int, int)
        Chains, and most draws of each.
    per_draw : int
        Bytes of one draw's position and statistics.
    """

    replayed = True

    def __init__(
        self,
        values: Callable[[Array], Mapping[str, Array]],
        types: Mapping[str, ArrayType],
        stats: Mapping[str, ArrayType],
        shape: tuple[int, int],
        per_draw: int,
    ) -> None:
        self._values, self._shape = values, shape
        self.chunk = max(BUFFER_BYTES // max(per_draw, 1), LEAST_BUFFER)
        # Memory that nothing was written to is not taken yet.
        self._arrays: dict[str, dict[str, Any]] = {
            group: {n: np.empty((*shape, *t.shape), t.dtype) for n, t in kinds.items()}
            for group, kinds in zip(GROUPS, (types, stats), strict=True)
        }
        self._buffers: list[list[tuple[Array, Mapping[str, Array]]]] = [[] for _ in range(shape[0])]
        self._waiting, self._stored = [0] * shape[0], [0] * shape[0]

    def append(self, chain: int, first: int, positions: Array, stats: Mapping[str, Array]) -> None:
        """Take draws of a chain."""
        self._buffers[chain].append((positions, stats))
        self._waiting[chain] += len(positions)
        if self._waiting[chain] >= self.chunk:
            self._flush(chain)

    def _flush(self, chain: int) -> None:
        positions, stats = self._joined(chain)
        self._put(chain, self._stored[chain], positions, stats)
        self._stored[chain] += len(positions)
        self._buffers[chain], self._waiting[chain] = [], 0

    def _joined(self, chain: int) -> tuple[Array, dict[str, Array]]:
        """The draws of a chain that wait."""
        parts = self._buffers[chain]
        stats = {name: np.concatenate([s[name] for _, s in parts]) for name in parts[0][1]}
        return np.concatenate([p for p, _ in parts]), stats

    def _put(self, chain: int, at: int, positions: Array, stats: Mapping[str, Array]) -> None:
        columns = self._values(positions), stats
        for group, found in zip(GROUPS, columns, strict=True):
            for name, value in found.items():
                self._arrays[group][name][chain, at : at + len(positions)] = value

    def count(self, chain: int) -> int:
        """Number of draws of a chain."""
        if self._waiting[chain]:
            self._flush(chain)
        return self._stored[chain]

    def collect(self, chains: Sequence[int], count: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Values and statistics of the first draws of some chains."""
        every = len(chains) == self._shape[0]
        values, stats = (
            # A view where that will do: the draws are there once.
            {n: (a if every else a[list(chains)])[:, :count] for n, a in group.items()}
            for group in self._arrays.values()
        )
        return values, stats

    def end(self, chains: Sequence[int], count: int, *, broken: bool) -> None:
        """Nothing: the draws stay in memory."""

    def state(self) -> dict[str, Array]:
        """Nothing: values follow from positions."""
        return {}

    def resume(self, state: Mapping[str, Array]) -> None:
        """Nothing was needed."""


def common_length(drawn: Sequence[int]) -> int:
    """The length to cut chains to; those that are shorter lag too far behind to be waited for."""
    return min(n for n in drawn if 2 * n >= max(drawn))


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
