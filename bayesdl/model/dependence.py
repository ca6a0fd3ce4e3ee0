"""What statements depend on: which unknowns, and which of their rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.ir.builder import Builder, Handle
from bayesdl.ir.program import Var
from bayesdl.ops import numpy as bnp

from ._settle import plate_axes
from ._statement import PlateFrame, Statement
from .rows import Row, RowsOf


def axes_of(statement: Statement) -> dict[int, PlateFrame]:
    """Plates by axis of the statement's terms; a factor that has no such axis stands outside."""
    rank = len(np.shape(statement.value)) if statement.kind == "factor" else None
    found = plate_axes(statement)
    return found if rank is None else {a: p for a, p in found.items() if -a <= rank}


def by_plates(statement: Statement, terms: Any, plates: tuple[str, ...]) -> Any:
    """Terms of a statement's batch shape, summed over all axes but those of some plates."""
    rank = len(np.shape(terms))
    axes = {rank + a: p.name for a, p in axes_of(statement).items()}
    others = tuple(i for i in range(rank) if axes.get(i) not in plates)
    terms = bnp.sum(terms, others) if others else terms
    left = [axes[i] for i in range(rank) if i not in others]
    order = tuple(left.index(plate) for plate in plates)
    return terms if order == tuple(range(len(order))) else bnp.transpose(terms, order)


def rows_of_value(unknown: str, law: Statement) -> dict[Row, int]:
    """Where the rows of the plates around an unknown lie in its value."""
    batch = len(law.law.batch_shape)
    return {(unknown, p.name): batch + a for a, p in plate_axes(law).items()}


def reach_of(unknowns: Mapping[str, Handle], builder: Builder) -> Callable[[Any], frozenset[str]]:
    """A function from values to the names of the unknowns that they depend on.

    Parameters
    ----------
    unknowns : dict of str to Array
        Their values in flight.
    builder : Builder
        In which all is traced.
    """
    known: dict[Var, frozenset[str]] = {
        handle.atom: frozenset([name])  # type: ignore[misc]
        for name, handle in unknowns.items()
    }
    nothing: frozenset[str] = frozenset()
    for equation in builder.equations:
        inputs = [known.get(a, nothing) for a in equation.inputs if isinstance(a, Var)]
        found = nothing.union(*inputs)
        known.update(dict.fromkeys(equation.outputs, found) if found else {})
    return lambda value: known.get(builder.lift(value).atom, nothing)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Downstream:
    """What follows from the draw of one unknown.

    Parameters
    ----------
    statements : tuple of str
        Those whose terms the draw moves, by itself or through later ones.
    plates : tuple of str
        Around the unknown; what a row of it moves are terms of the same row alone.
    """

    statements: tuple[str, ...]
    plates: tuple[str, ...]


def downstream(
    values: dict[str, Handle],
    laws: Mapping[str, str],
    statements: Mapping[str, Statement],
    builder: Builder,
    whole: Collection[str] = (),
) -> dict[str, Downstream]:
    """What follows from each of some draws.

    Parameters
    ----------
    values : dict of str to Array
        Of the unknowns, inputs of the run, in the order of the draws.
    laws : dict of str to str
        The statement that draws each.
    statements : dict of str to Statement
        Of a run on types.
    builder : Builder
        In which that run was traced.
    whole : collection of str
        Statements whose rows are not to be taken apart.

    Notes
    -----
    Rows that are not shown to stay apart (`rows.RowsOf`) are taken to meet.
    """
    counted = {n: s for n, s in statements.items() if s.kind in ("sample", "factor")}
    terms = {n: builder.lift(scaled_terms(s)) for n, s in counted.items()}
    reach = reach_of(values, builder)
    needs = {n: reach(t) for n, t in terms.items()}
    starts = {value.atom: rows_of_value(u, statements[laws[u]]) for u, value in values.items()}
    rows = RowsOf(starts, builder.equations)  # type: ignore[arg-type]

    def apart(name: str, plate: str, moved: frozenset[str]) -> bool:
        own = {p.name: terms[name].type.ndim + axis for axis, p in axes_of(counted[name]).items()}
        places = rows.at(terms[name].atom)
        here = (places.get((unknown, plate)) for unknown in needs[name] & moved)
        return name not in whole and plate in own and all(place == own[plate] for place in here)

    later: dict[str, frozenset[str]] = {}
    found = {}
    for unknown in reversed(values):
        drawn_from_it = (later[v] for v in later if unknown in needs[laws[v]])
        moved = later[unknown] = frozenset([unknown]).union(*drawn_from_it)
        below = tuple(n for n, needed in needs.items() if needed & moved)
        plates = (p.name for p in statements[laws[unknown]].plates)
        kept = tuple(p for p in plates if all(apart(n, p, moved) for n in below))
        found[unknown] = Downstream(below, kept)
    return found


def scaled_terms(statement: Statement) -> Any:
    """What a statement adds to the log joint density, of its batch shape."""
    return statement.terms() if statement.scale is None else statement.scale * statement.terms()
