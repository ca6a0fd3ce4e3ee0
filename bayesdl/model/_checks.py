"""Data against the model: what is refused once observed values and their supports are known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from bayesdl._base.errors import SupportError
from bayesdl.ir.builder import Builder
from bayesdl.ir.program import Literal, Program, Var
from bayesdl.ir.walk import live_equations
from bayesdl.ops._bind import compute

from ._statement import Statement
from .arguments import first_few


def observed_values(
    builder: Builder, statements: Iterable[Statement], data: Sequence[Any]
) -> dict[str, np.ndarray[Any, Any]]:
    """The observed values that do not depend on latent sites, each checked against its support.

    Parameters
    ----------
    builder : Builder
        In which the statements were made; its first inputs are the data.
    statements : iterable of Statement
        The observed ones.
    data : sequence of arrays
        The numbers behind those inputs.

    Raises
    ------
    SupportError
        If a value is NaN, or lies outside a support that the data determine.
    """
    statements = list(statements)
    asked = [
        builder.lift(x)
        for s in statements
        for x in (s.value, s.law.support.contains(s.value), True if s.mask is None else s.mask)
    ]
    found = _known(builder.build("observed", asked), data)
    values = {}
    for i, statement in enumerate(statements):
        value, inside, mask = found[3 * i : 3 * i + 3]
        if value is None or mask is None:
            continue
        values[statement.name] = np.asarray(value)
        keep = np.asarray(mask)
        _refuse_nan(statement, np.asarray(value), keep)
        if inside is not None:
            _refuse_outside(statement, np.asarray(value), np.asarray(inside), keep)
    return values


def indices_in_range(
    builder: Builder, statements: Sequence[Statement], data: Sequence[Any]
) -> None:
    """Refuse indices that data determine and that name no category; arguments as above.

    Raises
    ------
    SupportError
        If one is below 0 or at least the number of categories.
    """
    program = builder.build("indices", [builder.lift(s.entering) for s in statements])
    for statement, found in zip(statements, _known(program, data), strict=True):
        if found is not None:
            check_indices(statement, np.asarray(found))


def check_indices(statement: Statement, found: np.ndarray[Any, Any]) -> None:
    """Refuse indices of which one names no category."""
    size = statement.size
    assert size is not None
    outside = (found < 0) | (found >= size)
    if not outside.any():
        return
    extreme = ("largest", found.max()) if found.max() >= size else ("smallest", found.min())
    raise SupportError(
        f"layer {statement.name!r} got indices that it has no entries for.",
        facts=[
            (f"{extreme[0]} index", int(extreme[1])),
            ("size", f"{size}: indices run from 0 to {size - 1}"),
            ("outside", f"{int(outside.sum())} of {found.size}"),
        ],
        fix=f"give it {int(found.max()) + 1} categories, or number those of the data from 0.",
        where=statement.source,
        code="M106",
    )


def _known(program: Program, data: Sequence[Any]) -> list[Any]:
    """The outputs that follow from the first inputs alone; None for the others."""
    values: dict[Var, Any] = dict(zip(program.inputs, data, strict=False))
    for equation in live_equations(program):
        if all(isinstance(a, Literal) or a in values for a in equation.inputs):
            inputs = [a.value if isinstance(a, Literal) else values[a] for a in equation.inputs]
            outputs = compute(equation.primitive, inputs, dict(equation.params))
            values.update(zip(equation.outputs, outputs, strict=True))
    return [a.value if isinstance(a, Literal) else values.get(a) for a in program.outputs]


def _refuse_nan(statement: Statement, value: Any, keep: Any) -> None:
    if value.dtype.kind != "f":
        return
    bad = np.isnan(value) & _beside_event(keep, statement)
    if not bad.any():
        return
    rows = np.unique(np.nonzero(bad)[0]) if bad.ndim else np.zeros(0)
    raise SupportError(
        f'the data of site "{statement.name}" have missing values (NaN).',
        facts=[("missing", f"{int(bad.sum())} of {bad.size} values"), *_rows(rows)],
        fix="leave those rows out of all arguments, or fill the values in.",
        where=statement.source,
        code="M107",
    )


def _refuse_outside(statement: Statement, value: Any, inside: Any, keep: Any) -> None:
    bad = np.logical_and(~inside, keep)
    if not bad.any():
        return
    first = np.unravel_index(int(np.argmax(bad)), bad.shape)
    label = (
        f"{statement.name}[{', '.join(str(int(i)) for i in first)}]" if first else statement.name
    )
    support = statement.law.support
    raise SupportError(
        f'the data of site "{statement.name}" lie outside the support of its distribution.',
        facts=[
            ("first", f"{label} = {np.array2string(value[first], threshold=6)}"),
            ("support", f"{support.name} of {statement.summary}"),
            ("outside", f"{int(bad.sum())} of {bad.size}"),
        ],
        fix="check those values, or choose a distribution whose support holds them.",
        where=statement.source,
        code="M106",
    )


def _beside_event(keep: Any, statement: Statement) -> Any:
    """A mask over the batch, with axes for one event behind it."""
    return keep.reshape(keep.shape + (1,) * len(statement.law.event_shape)) if keep.ndim else keep


def _rows(rows: Any) -> list[tuple[str, str]]:
    return [("rows", first_few(rows))] if len(rows) else []
