"""What of each draw is kept, and how it is computed from a position."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.ir.types import ArrayType
from bayesdl.model.density import Density
from bayesdl.model.laws import Laws, has_laws, observed_laws

from .each import EachDraw
from .keep import MOMENTS, PREDICTIVE, chosen_names

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Kept:
    """What of each draw is kept.

    Parameters
    ----------
    density : Density
        The model and its data.
    sites : tuple of str
        Names of the latent and deterministic sites whose values are kept.
    laws : Laws or None
        The observed sites' distributions, where their parameters are kept.
    moments : bool, default False
        Whether means and variances are kept in the place of values.
    """

    density: Density
    sites: tuple[str, ...]
    laws: Laws | None = None
    moments: bool = False

    @cached_property
    def types(self) -> dict[str, ArrayType]:
        """Type of each array that is kept of a draw."""
        laws = {} if self.laws is None else self.laws.types
        return {**{name: self.density.sites[name].type for name in self.sites}, **laws}

    @property
    def bytes(self) -> int:
        """Of one draw."""
        return sum(t.size * t.dtype.itemsize for t in self.types.values())

    @property
    def judged(self) -> list[str]:
        """Of moments: all but the weights of a network, whose predictions are judged instead."""
        weights = [name for name in self.sites if self.laws and self.density.sites[name].role]
        return [name for name in self.types if name not in weights]

    @property
    def about(self) -> dict[str, Any]:
        """What `load` has to know of draws whose run did not end."""
        latent = self.latent
        dims = {name: list(self.density.sites[name].dims) for name in self.sites}
        return {"latent": latent, "dims": dims, "model": self.density.model.name}

    @property
    def latent(self) -> list[str]:
        """The arrays with draws that predictions are computed from."""
        needed = self.density.sites.latent if self.laws is None else self.laws.types
        return [name for name in needed if name in self.types and not self.moments]

    def each(self, total: int) -> EachDraw:
        """The values at positions, of which so many will come in all.

        What they do not need is never computed.
        """

        def values(position: Any, *data: Any) -> dict[str, Any]:
            found = self.density.constrain(position, *data) if self.sites else {}
            laws = {} if self.laws is None else self.laws.parameters(position, *data)
            return {**{name: found[name] for name in self.sites}, **laws}

        return EachDraw(values, self.density.dtype, total)

    def of_chains(self, positions: Array) -> dict[str, Array]:
        """Values at positions, shape (chains, n, dim)."""
        chains, count = positions.shape[:2]
        flat = positions.reshape(chains * count, -1)
        found = self.each(len(flat))(flat, self.density.data)
        return {n: found[n].reshape(chains, count, *t.shape) for n, t in self.types.items()}


def kept_of(density: Density, keep: Any) -> Kept:
    """What a user wants to be kept.

    Parameters
    ----------
    density : Density
    keep : "all", "predictive", "moments", name or names
        As the user says it; "predictive" may stand among names.

    Raises
    ------
    SiteError
        For a name that is not among the sites, and for "predictive" where no site is observed.
    ArgumentError
        For anything but names, or none of them.
    """
    names = [name for name, site in density.sites.items() if site.drawn]
    if isinstance(keep, str) and keep == MOMENTS:
        return Kept(density, tuple(names), _laws_of_network(density), moments=True)
    asked = [keep] if isinstance(keep, str) or not isinstance(keep, Iterable) else list(keep)
    named = [name for name in asked if name != PREDICTIVE]
    laws = observed_laws(density) if len(named) < len(asked) else None
    sites = () if laws and not named else chosen_names(keep if laws is None else named, names)
    return Kept(density, tuple(sites), laws)


def _laws_of_network(density: Density) -> Laws | None:
    """What is judged in the place of weights."""
    network = any(site.role for site in density.sites.latent.values())
    return observed_laws(density) if network and has_laws(density) else None
