"""Statement: what one line of a model says, on its way through the handlers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ShapeError, SiteError
from bayesdl._base.source import Source
from bayesdl.dist import Distribution
from bayesdl.ops import numpy as bnp

Shape = tuple[int, ...]


@dataclass(frozen=True)
class PlateFrame:
    """One plate around a statement.

    Parameters
    ----------
    name : str
    size : int
        How many there are in all, N.
    length : int
        How many are here, m ≤ N: the size of the batch axis.
    axis : int or None
        The batch axis that the user asked for, counted from the right.
    """

    name: str
    size: int
    length: int
    axis: int | None


@dataclass(eq=False)
class Statement:
    """One statement of a model while it runs. Handlers read it, or fix its value.

    Parameters
    ----------
    kind : {"sample", "deterministic", "factor", "units"}
    name : str
        Name of the site, scopes included.
    source : Source or None
        The user's line.
    distribution : Distribution or None
        Of a sample statement; expanded to its plates once all handlers have seen it.
    value : Array or None
        None until something gives a value: data, a handler, or a draw.
    observed : bool
        Whether the value is data.
    dims : tuple of str or None
        Names of the axes that no plate names.
    sample_shape : tuple of int
        Independent copies, as further batch axes in front.
    role, layer : str or None
        What the site is in a network, for methods that treat weights apart.
    rate : float or None
        Of a units statement without a value: how often the units of the next layer are dropped.
    product : callable or None
        (units, weights) -> sums: of a units statement without a value, what a layer does to both,
        linear in each.
    entering : Array or None
        The units of that product, masks and all.
    once : bool
        Whether each weight enters a row's sums once.
    size : int or None
        Of a units statement without a value, how many categories `entering` may name.
    point : bool
        Whether a sample statement is a parameter without a prior.
    start : float, Array or None
        Where methods start a parameter.

    Attributes
    ----------
    plates : list of PlateFrame
        From the outermost to the innermost.
    scale, mask
        What multiplies the log density, and which of its elements count.
    key : Array or None
        For a draw, if nothing else gives a value.
    supply : callable or None
        Gives the value before a draw would.
    given : bool
        Whether data or a handler fixed the value.
    hidden : bool
        Handlers further out do not see the statement.
    noise : Array or None
        Added to the sums.
    placed : bool
        Whether a discrete unknown has a place in the position.
    """

    kind: str
    name: str
    source: Source | None
    distribution: Distribution | None = None
    value: Any = None
    observed: bool = False
    dims: tuple[str, ...] | None = None
    sample_shape: Shape = ()
    role: str | None = None
    layer: str | None = None
    rate: float | None = None
    product: Callable[[Any, Any], Any] | None = None
    entering: Any = None
    once: bool = True
    size: int | None = None
    point: bool = False
    start: Any = None
    plates: list[PlateFrame] = field(default_factory=list)
    scale: Any = None
    mask: Any = None
    key: Any = None
    supply: Callable[[Statement], Any] | None = None
    given: bool = False
    hidden: bool = False
    noise: Any = None
    placed: bool = False

    @property
    def law(self) -> Distribution:
        """The distribution of a sample statement."""
        assert self.distribution is not None
        return self.distribution

    @property
    def summary(self) -> str:
        """The distribution, or the kind of statement, in short."""
        if self.point:
            return "param"
        return self.kind if self.distribution is None else repr(self.distribution)

    @property
    def place(self) -> str:
        """File and line in short; empty if unknown."""
        return self.source.short if self.source else ""

    def pointwise(self) -> Any:
        """Log probability of each value, masked but never scaled, of shape `batch_shape`."""
        inside = self.supply is not None and not self.given
        law = self.law
        return self._masked(law.log_prob_inside(self.value) if inside else law.log_prob(self.value))

    def log_density(self) -> Any:
        """What the statement adds to the log joint density: summed, masked and scaled."""
        terms = self.terms()
        total = bnp.sum(terms) if np.ndim(terms) else terms
        return total if self.scale is None else self.scale * total

    def terms(self) -> Any:
        """The same before it is summed and scaled."""
        return self.pointwise() if self.kind == "sample" else self._masked(bnp.asarray(self.value))

    def _masked(self, terms: Any) -> Any:
        if self.mask is None:
            return terms
        shape = bnp.broadcast_shape(np.shape(self.mask), np.shape(terms))
        if shape != np.shape(terms):
            raise ShapeError(
                f'the mask around site "{self.name}" is larger than its log density.',
                facts=[("mask", np.shape(self.mask)), ("log density", np.shape(terms))],
                fix="give the mask the batch shape of the site.",
                where=self.source,
                code="M123",
            )
        return bnp.where(self.mask, terms, 0.0)


def enter(table: dict[str, Statement], statement: Statement) -> None:
    """Put a statement in a table of sites that refuses a second one of the same name."""
    first = table.get(statement.name)
    if first is not None:
        raise SiteError(
            f'the name "{statement.name}" is used by two {_kinds(first, statement)} statements.',
            facts=[
                ("first", first.summary, first.place),
                ("second", statement.summary, statement.place),
            ],
            fix='rename one, or put them in `with scope("noise"):`.',
            where=statement.source,
            code="M101",
        )
    table[statement.name] = statement


def _kinds(first: Statement, second: Statement) -> str:
    return first.kind if first.kind == second.kind else f"({first.kind}, {second.kind})"
