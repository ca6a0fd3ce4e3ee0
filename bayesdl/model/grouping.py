"""Which discrete unknowns are summed over together, and where rows of a plate may be kept apart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from bayesdl._base.errors import SiteError
from bayesdl.ir.builder import Builder

from ._statement import Statement
from .dependence import axes_of, reach_of, rows_of_value
from .rows import Mixed, RowsOf
from .summed import LARGEST, Group, Summed, cannot_sum


def groups_of(
    unknowns: Mapping[str, Summed],
    statements: Mapping[str, Statement],
    builder: Builder,
    laws: Mapping[str, Statement] | None = None,
) -> tuple[Group, ...]:
    """Which discrete unknowns meet, and in which statements.

    Parameters
    ----------
    unknowns : mapping of str to Summed
    statements : mapping of str to Statement
        Of a run of the model on types.
    builder : Builder
        In which that run was traced.
    laws : mapping of str to Statement, optional
        What draws the unknowns, with their values in flight, where a guide does: then other
        unknowns may be drawn by laws that depend on them. Their own statements if not given.

    Raises
    ------
    SiteError
        If a statement depends on an unknown of each row, but stands outside its plate; if a row of
        a statement is not shown to depend on that row of the unknown alone; if unknowns of
        different plates meet; or if a scale depends on one.
    """
    if not unknowns:
        return ()
    known = laws or {name: statements[name] for name in unknowns}
    needs = _needs(known, statements, builder, laws is not None)
    joined: list[set[str]] = []
    for names in needs.values():
        meeting = [g for g in joined if g & names]
        joined = [*(g for g in joined if not g & names), set(names).union(*meeting)]
    groups = tuple(_group(names, unknowns, needs, statements, known) for names in joined if names)
    _refuse_mixed(groups, known, statements, builder)
    return groups


def following(
    unknowns: Mapping[str, Summed], statements: Mapping[str, Statement], builder: Builder
) -> set[str]:
    """The computed statements whose value follows from a discrete unknown."""
    computed = [s for s in statements.values() if s.kind == "deterministic"]
    asked = [builder.lift(s.value) for s in computed]
    reach = reach_of({name: statements[name].value for name in unknowns}, builder)
    return {s.name for s, a in zip(computed, asked, strict=True) if reach(a)}


def _needs(
    laws: Mapping[str, Statement],
    statements: Mapping[str, Statement],
    builder: Builder,
    drawn: bool,
) -> dict[str, frozenset[str]]:
    """The unknowns that the density of each statement depends on."""
    counted = {n: s for n, s in statements.items() if s.kind in ("sample", "factor")}
    asked = {n: builder.lift(s.log_density()) for n, s in counted.items()}
    values = {n: builder.lift(s.value) for n, s in counted.items()}
    scales = {n: builder.lift(1.0 if s.scale is None else s.scale) for n, s in counted.items()}
    reach = reach_of({name: law.value for name, law in laws.items()}, builder)
    for name, statement in counted.items():
        moved = reach(values[name]) - {name}
        if moved and not drawn and statement.kind == "sample" and not statement.given:
            raise cannot_sum(laws[min(moved)], ("support that depends on it", name))
        if reach(scales[name]):
            raise cannot_sum(laws[min(reach(scales[name]))], ("scale that depends on it", name))
    return {name: reach(a) for name, a in asked.items()}


def _refuse_mixed(
    groups: Sequence[Group],
    laws: Mapping[str, Statement],
    statements: Mapping[str, Statement],
    builder: Builder,
) -> None:
    """Refuse statements whose rows are not shown to depend on the same rows of the unknowns."""
    members = [name for group in groups for name in group.members]
    terms = {name: builder.lift(statements[name].terms()) for name in members}
    unknowns = [u.name for group in groups for u in group.unknowns]
    starts = {laws[u].value.atom: rows_of_value(u, laws[u]) for u in unknowns}
    rows = RowsOf(starts, builder.equations)
    for name in members:
        statement, rank = statements[name], terms[name].type.ndim
        own = {plate.name: rank + axis for axis, plate in axes_of(statement).items()}
        for (unknown, plate), place in rows.at(terms[name].atom).items():
            if place != own[plate]:
                raise _mixed(laws[unknown], statement, plate, place)


def _mixed(unknown: Statement, statement: Statement, plate: str, place: int | Mixed) -> SiteError:
    line = place.source if isinstance(place, Mixed) else statement.source
    return SiteError(
        f'site "{unknown.name}" is discrete and latent, and its rows are not shown to be '
        "independent.",
        facts=[
            ("distribution", unknown.summary),
            ("plate", plate),
            (f'rows meet on the way to "{statement.name}"', line.short if line else "unknown"),
        ],
        note="Rows of a plate are summed over apart: each row may depend on its own alone.",
        fix="let them not meet; or take the site out of its plate, .expand((n,)), and all "
        "combinations are summed over.",
        where=line or statement.source,
        code="M125",
    )


def _group(
    names: set[str],
    unknowns: Mapping[str, Summed],
    needs: Mapping[str, frozenset[str]],
    statements: Mapping[str, Statement],
    laws: Mapping[str, Statement],
) -> Group:
    own = sorted((u for n, u in unknowns.items() if n in names), key=lambda u: -len(u.plates))
    first = laws[own[0].name]
    for deep, shallow in pairwise(own):
        if not set(shallow.plates) <= set(deep.plates):
            raise cannot_sum(
                laws[deep.name],
                ("its plates", ", ".join(deep.plates)),
                (f'plates of "{shallow.name}"', ", ".join(shallow.plates)),
            )
    count = math.prod(len(u.table) for u in own)
    if count > LARGEST:
        raise cannot_sum(first, ("with", ", ".join(sorted(names))), ("combinations", count))
    members = {}
    for name in (n for n, needed in needs.items() if needed & names):
        deepest = max((unknowns[n] for n in needs[name]), key=lambda u: len(u.plates))
        around = {plate.name for plate in axes_of(statements[name]).values()}
        if not set(deepest.plates) <= around:
            raise cannot_sum(
                laws[deepest.name],
                ("its plates", ", ".join(deepest.plates)),
                (f'"{name}" depends on it', f"plates: {', '.join(sorted(around)) or 'none'}"),
            )
        members[name] = _ordered(deepest.plates, own[0].plates)
    observed = [n for n in members if statements[n].observed]
    label = (observed or [own[0].name])[0]
    ordered = [Summed(u.name, _ordered(u.plates, own[0].plates), u.table, u.shape) for u in own]
    return Group(tuple(ordered), members, label)


def _ordered(plates: Sequence[str], order: Sequence[str]) -> tuple[str, ...]:
    return tuple(plate for plate in order if plate in plates)
