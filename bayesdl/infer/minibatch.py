"""Minibatches: which rows an estimate of the log density is made from, and how it is scaled."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ModelError
from bayesdl._base.source import user_source
from bayesdl.model.density import Density
from bayesdl.model.sites import Sites, sites_of
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random
from bayesdl.tracing.flow import while_loop

ROUNDS = 6
_U32 = np.uint32
_HALF = _U32(16)
_MIX = (_HALF, _U32(0x85EBCA6B)), (_U32(13), _U32(0xC2B2AE35))


@dataclass(frozen=True)
class Turn:
    """Which estimate of a log density a kernel asks for.

    Parameters
    ----------
    key : Array of uint32, shape (2,)
        Names the order of the rows; the same for a whole run.
    step : Array of int64, shape ()
        Steps before this one.
    prior : Array, shape (), or None
        What the log prior is multiplied with; None for 1.
    noise : Array of uint32, shape (2,), or None
        Key of the noise of one sample, where the estimate has noise of its own.
    """

    __tree__: ClassVar[bool] = True

    key: Any
    step: Any
    prior: Any = None
    noise: Any = None


def rows_at(key: Any, step: Any, batch: int, rows: int) -> Any:
    """The rows of one minibatch: each epoch is a permutation of all rows, drawn anew.

    Parameters
    ----------
    key : Array of uint32, shape (2,)
    step : int or Array of int64, shape ()
    batch, rows : int
        batch ≤ rows < 2³².

    Returns
    -------
    Array of int64, shape (batch,)

    Notes
    -----
    Steps read one endless row of permutations, so all minibatches have one size, and an epoch may
    end within one. A place is found by itself, without a table: a Feistel network on the pairs
    (place div b, place mod b), repeated where it leaves the rows. Where it leads from the few
    places that are no rows is worked out beside the minibatch, and looked up. All of it is
    arithmetic on words of 32 bits: for a small network it is a part of a step that one can see.

    References
    ----------
    Black & Rogaway (2002), Ciphers with arbitrary finite domains, sections 4 and 5.

    Examples
    --------
    >>> steps = [rows_at(random.key(0), t, 3, 6) for t in range(2)]
    >>> sorted(np.concatenate(steps).tolist())
    [0, 1, 2, 3, 4, 5]
    """
    first = bnp.asarray(step, np.int64) * batch
    index = (first % rows).astype(_U32) + np.arange(batch, dtype=_U32)
    following = index >= _U32(rows)
    index = bnp.where(following, index - _U32(rows), index)
    epoch = (first // rows).astype(_U32)
    a, b = _sides(rows)
    # Places that are no rows, in this epoch and in the one that may begin in this minibatch.
    beyond = np.tile(np.arange(rows, a * b, dtype=_U32), 2)
    later = np.repeat(np.arange(2, dtype=_U32), a * b - rows)
    epochs = bnp.concatenate([epoch + following.astype(_U32), epoch + later])
    found = _shuffled(bnp.concatenate([index, beyond]), epochs, key, a, b)
    index, onward = found[:batch], found[batch:]
    if a * b > rows:
        own = _U32(a * b - rows) * following.astype(_U32)
        index = while_loop(
            lambda i: (i >= _U32(rows)).any(),
            lambda i: bnp.where(
                i >= _U32(rows), bnp.take(onward, bnp.maximum(i, _U32(rows)) - _U32(rows) + own), i
            ),
            index,
        )
    return index.astype(np.int64)


def _shuffled(index: Any, epoch: Any, key: Any, a: int, b: int) -> Any:
    """Where places below a · b go in their epoch."""
    keys = random.bits(key, (2 * ROUNDS,), 32)
    left, right = index // _U32(b), index % _U32(b)
    for i in range(ROUNDS):
        left = _rotated(left, right, keys[2 * i], epoch, a)
        right = _rotated(right, left, keys[2 * i + 1], epoch, b)
    return left * _U32(b) + right


def _sides(rows: int) -> tuple[int, int]:
    """Two numbers of about one size whose product exceeds the rows by as little as can be."""
    root = math.isqrt(rows - 1) + 1
    b = min(range(root, 2 * root // 3, -1), key=lambda b: -rows % b)
    return -(-rows // b), b


def _rotated(x: Any, other: Any, key: Any, epoch: Any, size: int) -> Any:
    """x plus a hash of the other half, modulo `size`."""
    word = other * _U32(0x9E3779B1) + epoch * _U32(0x85EBCA77) + key
    for shift, factor in _MIX:
        word = (word ^ (word >> shift)) * factor
    # Less than `size`, also where a size of more than 16 bits makes the product overflow.
    moved = x + (((word >> _HALF) * _U32(size)) >> _HALF)
    return bnp.where(moved >= _U32(size), moved - _U32(size), moved)


@dataclass(frozen=True)
class MinibatchTarget:
    """A log density estimated from a part of the rows, its prior tempered on request.

    Parameters
    ----------
    full : Density
        Of the model with all rows.
    part : Density
        Of the model with `batch` rows.
    rows, batch : int
        Equal where all rows are used.
    weights : dict of str to float
        By observed site, and by unknown with a value for each row, what its term of a minibatch is
        multiplied with.
    """

    full: Density
    part: Density
    rows: int
    batch: int
    weights: dict[str, float]

    @property
    def dim(self) -> int:
        """Length of a position."""
        return self.full.dim

    @property
    def dtype(self) -> Any:
        """Of a position."""
        return self.full.dtype

    @property
    def data(self) -> Sequence[Any]:
        """All rows of the data."""
        return self.full.data

    def function(self, position: Any, turn: Turn, *data: Any) -> Any:
        """Log density scaled to all rows; its mean over an epoch is that of all rows.

        Parameters
        ----------
        position : Array, shape (dim,)
            Where unknowns have a value for each row: of `part`, or of `full` for all rows at once.
        turn : Turn
        *data : Array
        """
        if position.shape[0] != self.part.dim:
            return self.full.function(position, *data)
        return self.total(self.part.site_log_densities(position, *self.chosen(turn, data)), turn)

    def total(self, terms: Mapping[str, Any], turn: Turn) -> Any:
        """The sum of what sites and factors add, observed ones scaled to all rows."""
        total = bnp.zeros((), self.dtype)
        for name, term in terms.items():
            site = self.full.sites.table.get(name)
            weight = self.weights.get(name, 1.0)
            if turn.prior is not None and site is not None and site.latent:
                weight = weight * turn.prior
            total = total + weight * term
        return bnp.asarray(total, self.dtype)

    def chosen(self, turn: Turn, data: Sequence[Any]) -> Sequence[Any]:
        """The data of one minibatch."""
        if self.batch == self.rows:
            return data
        chosen = rows_at(turn.key, turn.step, self.batch, self.rows)
        return [bnp.take(d, chosen, axis=0) if np.shape(d)[:1] == (self.rows,) else d for d in data]


def minibatch_target(
    density: Density, batch: int | None, by_row: frozenset[str] = frozenset()
) -> MinibatchTarget:
    """A model whose rows are the first axis of its observed sites, `batch` of them at a time.

    Parameters
    ----------
    density : Density
    batch : int or None
        None for all rows.
    by_row : set of str
        Unknowns that may have a value for each row, as a guide draws them for those of a minibatch.

    Raises
    ------
    ModelError
        If no site has observed rows, the batch does not fit them, or another latent site has a
        value for each row.

    Notes
    -----
    Arguments whose first axis has as many entries as there are rows are cut. An observed site
    counts N / m times, as its plate of N rows does that holds m; factors are taken as they are.
    """
    if batch is None:
        return MinibatchTarget(density, density, 1, 1, {})
    observed = [s for s in density.sites.values() if s.observed and s.type.shape]
    rows = observed[0].type.shape[0] if observed else 0
    if not (isinstance(batch, int | np.integer) and 1 <= batch <= rows):
        raise ModelError(
            "the minibatch does not fit the data.",
            facts=[("batch_size", batch), ("rows", rows)],
            fix="give a batch_size between 1 and the number of rows.",
            where=user_source(),
            code="S106",
        )
    part = cut(density, batch, rows)
    sites = sites_of(part.model, part.arguments, part.ambient, part.dtype)
    _refuse_rows_of_unknowns(density.sites, sites, by_row)
    part = replace(part, sites=sites)
    weights = {
        s.name: float(np.prod(s.type.shape) / np.prod(sites[s.name].type.shape))
        for s in (*observed, *(density.sites[n] for n in sorted(by_row)))
    }
    return MinibatchTarget(density, part, rows, batch, weights)


def cut(density: Density, batch: int, rows: int) -> Density:
    """The same model on the first `batch` rows of those arguments that have `rows`."""
    part = tuple(a[:batch] if a.shape[:1] == (rows,) else a for a in density.arguments.arrays)
    return replace(density, arguments=replace(density.arguments, arrays=part))


def _refuse_rows_of_unknowns(full: Sites, part: Sites, by_row: frozenset[str]) -> None:
    for name, site in full.latent.items():
        if name not in by_row and part[name].type.shape != site.type.shape:
            raise ModelError(
                f'site "{name}" has a value for each row, so its minibatch has other unknowns.',
                facts=[("all rows", site.type.shape), ("minibatch", part[name].type.shape)],
                fix="leave batch_size out, or draw it in a guide of your own (guide=function).",
                where=site.source,
                code="S108",
            )
