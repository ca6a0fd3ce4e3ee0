"""What MC dropout is run on: an estimate of the density from masks and a part of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesdl._base.errors import ModelError
from bayesdl._base.source import user_source
from bayesdl.model.density import Density
from bayesdl.model.handlers import dropout
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random


@dataclass(frozen=True)
class DropoutTarget:
    """The density of a network under dropout, estimated from a minibatch of rows.

    Parameters
    ----------
    density : Density
        Of the model with `batch` rows.
    full : Density
        Of the model with all rows.
    rate : float
        Probability that a unit is dropped.
    rows : int
        Number of rows N.
    batch : int
        Rows in each estimate.
    """

    density: Density
    full: Density
    rate: float
    rows: int
    batch: int

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

    def function(self, position: Any, key: Any, *data: Any) -> Any:
        """Log density under fresh masks, scaled to all rows; the mean log prior of the weights.

        A weight w stands for one that is w / (1 − rate) where its unit is kept and 0 where it is
        dropped, so the mean of its log prior is (1 − rate) log prior(w / (1 − rate)) and a
        constant.
        """
        part = self._part(random.fold_in(key, 2), data)
        masks = dropout(random.fold_in(key, 1), self.rate)
        masked = replace(self.density, ambient=(*self.density.ambient, masks))
        terms = masked.site_log_densities(position, *part)
        of_kept = self.density.site_log_densities(position * self._stretch(), *part)
        total = bnp.zeros((), self.dtype)
        for name, term in terms.items():
            site = self.full.sites.table.get(name)
            if site is not None and site.role == "weight" and site.latent:
                total = total + (1.0 - self.rate) * of_kept[name]
            elif site is not None and site.observed:
                total = total + (self.rows / self.batch) * term
            else:
                total = total + term
        return total

    def _stretch(self) -> np.ndarray[Any, Any]:
        """1 / (1 − rate) at the coordinates of weights, 1 elsewhere."""
        stretch = np.ones(self.dim, self.dtype)
        for site in self.full.sites.latent.values():
            if site.role == "weight":
                stretch[site.slice] = 1.0 / (1.0 - self.rate)
        return stretch

    def _part(self, key: Any, data: Sequence[Any]) -> list[Any]:
        if self.batch == self.rows:
            return list(data)
        chosen = random.randint(key, (self.batch,), 0, self.rows)
        return [d[chosen] if np.shape(d)[:1] == (self.rows,) else d for d in data]


def dropout_target(density: Density, rate: float, batch: int | None) -> DropoutTarget:
    """The target of MC dropout for a model of a network.

    Parameters
    ----------
    density : Density
    rate : float
    batch : int or None
        Rows in each estimate; all of them up to 512, else 128.

    Raises
    ------
    ModelError
        If the model has no weights of layers, or no observed site whose first axis is its rows.
    """
    weights = [s for s in density.sites.latent.values() if s.role == "weight"]
    observed = [s for s in density.sites.values() if s.observed and s.type.shape]
    if not weights or not observed:
        raise ModelError(
            "MC dropout needs a network: weights of layers, and observed rows.",
            facts=[("sites", ", ".join(density.sites) or "none")],
            fix='build the model with bayesdl.nn, or use method="nuts" or "advi".',
            where=user_source(),
            code="S105",
        )
    rows = observed[0].type.shape[0]
    size = batch if batch is not None else rows if rows <= 512 else 128
    if not 1 <= size <= rows:
        raise ModelError(
            "the minibatch does not fit the data.",
            facts=[("batch_size", size), ("rows", rows)],
            fix="give a batch_size between 1 and the number of rows.",
            where=user_source(),
            code="S106",
        )
    if size == rows:
        return DropoutTarget(density, density, rate, rows, rows)
    part = [a[:size] if a.shape[:1] == (rows,) else a for a in density.arguments.arrays]
    small = replace(density, arguments=replace(density.arguments, arrays=tuple(part)))
    return DropoutTarget(small, density, rate, rows, size)


def unit_groups(density: Density) -> tuple[int, ...]:
    """For each coordinate of a position, the unit whose dropping sets it to zero; −1 for none."""
    groups = np.full(density.dim, -1)
    count = 0
    for site in density.sites.latent.values():
        if site.role == "weight":
            rows = site.unconstrained_shape[0]
            unit = np.repeat(np.arange(rows), site.size // rows)
            groups[site.slice] = count + unit
            count += rows
    return tuple(int(g) for g in groups)
