"""Draws: what every method ends in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass

Arrays = dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Moment:
    """What is known of a quantity whose draws were not kept.

    Parameters
    ----------
    mean, sd : array, shape (*shape)
        Over all chains.
    r_hat, ess : array, shape (*shape)
        Split R-hat without ranks, and effective sample size of the mean by batch means; NaN where
        they were not followed.
    """

    mean: np.ndarray[Any, Any]
    sd: np.ndarray[Any, Any]
    r_hat: np.ndarray[Any, Any]
    ess: np.ndarray[Any, Any]


@dataclass(frozen=True)
class Draws:
    """Values and statistics by chain and draw.

    Parameters
    ----------
    values : dict of site name to array, shape (chain, draw, *shape)
    stats : dict of name to array, shape (chain, draw)
        Under ArviZ's names.
    attrs : mapping
        Method, seeds, seconds.
    warmup, warmup_stats : dict of name to array, shape (chain, warm-up iteration, …)
        Values and statistics of the warm-up, if it was saved.
    moments : dict of name to Moment
        In the place of values, where these were not kept.
    """

    values: Arrays
    stats: Arrays
    attrs: Mapping[str, Any] = field(default_factory=dict)
    warmup: Arrays = field(default_factory=dict)
    warmup_stats: Arrays = field(default_factory=dict)
    moments: Mapping[str, Moment] = field(default_factory=dict)

    @property
    def chains(self) -> int:
        """Number of chains."""
        return len(next(iter(self._columns.values())))

    @property
    def count(self) -> int:
        """Number of draws of each chain."""
        return int(next(iter(self._columns.values())).shape[1])

    @property
    def _columns(self) -> Arrays:
        """Where no values were kept there are statistics."""
        return self.values or self.stats

    def flat(self) -> Arrays:
        """Values with chains and draws along one axis."""
        return {k: v.reshape(-1, *v.shape[2:]) for k, v in self.values.items()}

    def __repr__(self) -> str:
        sites = ", ".join(f"{k}{list(v.shape[2:])}" for k, v in self.values.items())
        sites = sites or f"moments of {', '.join(self.moments)}"
        return f"Draws({self.chains} chains × {self.count} draws: {sites})"
