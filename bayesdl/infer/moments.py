"""Running means and variances: what is left of draws that nobody could hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from bayesdl.ir.types import ArrayType

from .draws import Moment
from .keep import BUFFER_BYTES, LEAST_BUFFER, Columns

BATCHES = 32
# With fewer of them than these, R-hat and ESS are not known.
LEAST_BATCHES = 4
Array = np.ndarray[Any, Any]


class Moments:
    """A keeper of means and variances, by chain; of statistics it keeps all.

    Parameters
    ----------
    columns : Columns
        Where the statistics go.
    values : callable, (positions) -> dict of name to array
        Values of the sites at positions, shape (n, dim).
    types : mapping of name to ArrayType
        Of one draw's values.
    judged : sequence of str
        Those whose R-hat and ESS are wanted as well; that takes sums of batches of draws.
    shape : (int, int)
        Chains, and most draws of each.

    References
    ----------
    Chan, Golub & LeVeque (1983), Algorithms for computing the sample variance, The American
    Statistician 37: how moments of parts add up. Flegal & Jones (2010), Batch means and spectral
    variance estimators in Markov chain Monte Carlo, Annals of Statistics 38.
    """

    replayed = False

    def __init__(
        self,
        columns: Columns,
        values: Callable[[Array], Mapping[str, Array]],
        types: Mapping[str, ArrayType],
        judged: Sequence[str],
        shape: tuple[int, int],
    ) -> None:
        chains, draws = shape
        self._columns, self._values = columns, values
        self._length = -(-draws // BATCHES)
        self._parts: list[list[Array]] = [[] for _ in range(chains)]
        self._waiting = [0] * chains
        self._seen = np.zeros(chains, np.int64)
        self._means, self._squares = (
            {name: np.zeros((chains, *t.shape)) for name, t in types.items()} for _ in range(2)
        )
        self._sums = {name: np.zeros((chains, BATCHES, *types[name].shape)) for name in judged}

    def append(self, chain: int, first: int, positions: Array, stats: Mapping[str, Array]) -> None:
        """Take draws of a chain; of a run that goes on, statistics alone."""
        self._parts[chain].append(positions)
        self._waiting[chain] += len(positions)
        count = max(map(len, (positions, *stats.values())))
        try:
            self._columns.append(chain, first, np.empty((count, 0)), stats)
        finally:
            room = BUFFER_BYTES // max(positions[:1].nbytes, 1)
            if self._waiting[chain] >= max(room, LEAST_BUFFER):
                self._flush(chain)

    def _flush(self, chain: int) -> None:
        if not self._waiting[chain]:
            return
        values = self._values(np.concatenate(self._parts[chain]))
        for name, value in values.items():
            self._absorb(chain, name, np.asarray(value, np.float64))
        self._seen[chain] += self._waiting[chain]
        self._parts[chain], self._waiting[chain] = [], 0

    def _absorb(self, chain: int, name: str, draws: Array) -> None:
        seen, count = int(self._seen[chain]), len(draws)
        means, squares = self._means[name], self._squares[name]
        middle = draws.mean(axis=0)
        away = middle - means[chain]
        squares[chain] += ((draws - middle) ** 2).sum(axis=0)
        squares[chain] += away**2 * (seen * count / (seen + count))
        means[chain] += away * (count / (seen + count))
        if name in self._sums:
            batches = np.arange(seen, seen + count) // self._length
            found, starts = np.unique(batches, return_index=True)
            self._sums[name][chain, found] += np.add.reduceat(draws, starts, axis=0)

    def count(self, chain: int) -> int:
        """Number of draws of a chain."""
        self._flush(chain)
        return self._columns.count(chain)

    def collect(self, chains: Sequence[int], count: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Moments of all draws of some chains, and statistics of the first."""
        _, stats = self._columns.collect(chains, count)
        return {name: self._moment(name, list(chains)) for name in self._means}, stats

    def _moment(self, name: str, chains: list[int]) -> Moment:
        means, squares = self._means[name][chains], self._squares[name][chains]
        seen = self._seen[chains].reshape(-1, *[1] * (means.ndim - 1))
        total = int(seen.sum())
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = (seen * means).sum(axis=0) / total
            variance = (squares + seen * (means - mean) ** 2).sum(axis=0) / (total - 1)
        full = min(int(n) // self._length for n in self._seen[chains])
        if name not in self._sums or full < LEAST_BATCHES:
            unknown = np.full(mean.shape, np.nan)
            return Moment(mean, np.sqrt(variance), unknown, unknown)
        batches = self._sums[name][chains][:, :full] / self._length
        r_hat, ess = _mixing(batches, self._length, means, squares, seen)
        return Moment(mean, np.sqrt(variance), r_hat, ess)

    def end(self, chains: Sequence[int], count: int, *, broken: bool) -> None:
        """Bring the statistics to where they stay."""
        self._columns.end(chains, count, broken=broken)

    def state(self) -> dict[str, Array]:
        """All but the statistics, where these are in memory."""
        for chain in range(len(self._parts)):
            self._flush(chain)
        groups = {"mean": self._means, "squares": self._squares, "sums": self._sums}
        found = {f"{word}.{name}": a for word, group in groups.items() for name, a in group.items()}
        return {**self._columns.state(), **found, "seen": self._seen}

    def resume(self, state: Mapping[str, Array]) -> None:
        """Go on from a state."""
        groups = {"mean": self._means, "squares": self._squares, "sums": self._sums}
        for word, group in groups.items():
            group.update({name: state[f"{word}.{name}"] for name in group})
        self._seen = state["seen"]
        self._columns.resume(state)


def _mixing(
    batches: Array, length: int, means: Array, squares: Array, seen: Array
) -> tuple[Array, Array]:
    """Split R-hat without ranks, and the ESS of the mean; NaN for what does not vary.

    Parameters
    ----------
    batches : array, shape (chains, batches, *shape)
        Their means.
    length : int
        Draws in each.
    means, squares : array, shape (chains, *shape)
        Mean, and sum of squared distances from it, of each chain's draws.
    seen : array, shape (chains, 1, …)
        How many these are.
    """
    chains, full = batches.shape[:2]
    half = full // 2
    halves = np.stack([batches[:, :half].mean(axis=1), batches[:, -half:].mean(axis=1)], axis=1)
    size = half * length
    with np.errstate(divide="ignore", invalid="ignore"):
        # Squares around the chain's mean are those around its halves' means, and between these.
        gap = halves[:, 0] - halves[:, 1]
        within = ((squares - seen / 4 * gap**2) / (seen - 2)).mean(axis=0)
        between = size * halves.reshape(2 * chains, *halves.shape[2:]).var(axis=0, ddof=1)
        r_hat = np.sqrt((between / within + size - 1) / size)
        spread = (squares / seen).mean(axis=0)
        if chains > 1:
            spread = spread + means.var(axis=0, ddof=1)
        of_batches = batches.reshape(chains * full, *batches.shape[2:]).var(axis=0, ddof=1)
        ess = seen.sum() * spread / (length * of_batches)
    varies = squares.min(axis=0) > 0
    unknown = np.full(varies.shape, np.nan)
    return np.where(varies, r_hat, np.nan) if chains > 1 else unknown, np.where(varies, ess, np.nan)


def bytes_of(types: Mapping[str, ArrayType], judged: Sequence[str]) -> int:
    """Of the moments of one chain."""
    return sum(8 * t.size * (2 + BATCHES * (name in judged)) for name, t in types.items())
