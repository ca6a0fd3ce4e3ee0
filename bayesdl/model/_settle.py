"""How a statement gets its shape and its value: plates, data, draws, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl._base.errors import BayesdlError, DtypeError, ShapeError, SiteError
from bayesdl.dist import Distribution
from bayesdl.ops import numpy as bnp

from ._statement import PlateFrame, Shape, Statement


def settle(statement: Statement) -> None:
    """Expand the distribution to its plates and find the value.

    Raises
    ------
    ShapeError
        If distribution, plates and value do not fit together.
    DtypeError
        If a value is not made of numbers.
    SiteError
        If nothing gives a value.
    """
    if statement.kind != "sample":
        if statement.kind != "units":
            statement.value = _numbers(statement)
        return
    statement.distribution = in_plates(statement)
    if statement.value is not None:
        statement.given = True
        statement.value = _fitted(statement)
    elif statement.supply is not None:
        statement.value = statement.supply(statement)
    elif statement.point:
        raise SiteError(
            f'parameter "{statement.name}" has no value, and no prior to draw one from.',
            facts=[("shape", (*statement.law.batch_shape, *statement.law.event_shape))],
            fix="give it a prior, or a value by bayesdl.substitute({...}); fits find one.",
            where=statement.source,
            code="M109",
        )
    elif statement.key is not None:
        statement.value = statement.law.sample(statement.key)
    else:
        raise SiteError(
            f'site "{statement.name}" has no value, and nothing to draw it with.',
            facts=[("distribution", statement.summary)],
            fix="run the model under `with bayesdl.seed(0):`, or fit it, bayesdl.fit(model, ...).",
            where=statement.source,
            code="M109",
        )


def in_plates(statement: Statement) -> Distribution:
    """The distribution with one batch axis for each plate around it."""
    law = statement.law
    batch = (*statement.sample_shape, *law.batch_shape)
    axes = plate_axes(statement)
    for axis, plate in axes.items():
        found = batch[axis] if len(batch) >= -axis else 1
        if found not in (1, plate.length) or _stretches(batch, axis, axes):
            raise _misfit(statement, batch, axes)
    target = bnp.broadcast_shape(batch, plate_shape(axes))
    return law if target == law.batch_shape else law.expand(target)


def plate_axes(statement: Statement) -> dict[int, PlateFrame]:
    """Batch axis, counted from the right → plate. The innermost plate takes the last free axis."""
    axes: dict[int, PlateFrame] = {}
    for plate in statement.plates:
        if plate.axis is not None:
            if plate.axis in axes:
                raise _one_axis_twice(statement, axes[plate.axis], plate)
            axes[plate.axis] = plate
    free = -1
    for plate in reversed(statement.plates):
        if plate.axis is None:
            while free in axes:
                free -= 1
            axes[free] = plate
    return axes


def plate_shape(axes: dict[int, PlateFrame]) -> Shape:
    """Sizes of the batch axes that plates claim; 1 for those that none does."""
    rank = -min(axes, default=0)
    return tuple(axes[a].length if a in axes else 1 for a in range(-rank, 0))


def _stretches(batch: Shape, axis: int, axes: dict[int, PlateFrame]) -> bool:
    """Whether a plate would repeat an axis of size 1 that stands beside an axis of no plate."""
    if len(batch) < -axis or batch[axis] == axes[axis].length:
        return False
    return any(n > 1 for i, n in enumerate(batch) if i - len(batch) not in axes)


def _misfit(statement: Statement, batch: Shape, axes: dict[int, PlateFrame]) -> ShapeError:
    plates = ", ".join(f'"{axes[a].name}" {axes[a].length}' for a in sorted(axes))
    if len(batch) > 1 and batch[-1] == 1 and batch[:-1] == plate_shape(axes):
        fix = "drop the last axis of its parameters: f[:, 0]."
    else:
        fix = "give its parameters the sizes of the plates; .to_event(n) for axes of one event."
    return ShapeError(
        f'the distribution of site "{statement.name}" does not fit the plates around it.',
        facts=[
            ("distribution", batch, statement.summary),
            ("plates", plate_shape(axes), plates),
        ],
        fix=fix,
        where=statement.source,
        code="M104",
    )


def _one_axis_twice(statement: Statement, first: PlateFrame, second: PlateFrame) -> ShapeError:
    return ShapeError(
        f'two plates around site "{statement.name}" claim one axis.',
        facts=[
            (f'plate "{first.name}"', f"dim={first.axis}"),
            (f'plate "{second.name}"', f"dim={second.axis}"),
        ],
        fix="leave `dim` out: nested plates find their axes, the outer one first.",
        where=statement.source,
        code="M121",
    )


def _fitted(statement: Statement) -> Any:
    """The value that was given, if it has the distribution's shape; a number stands for all."""
    value = _numbers(statement)
    law = statement.law
    wanted = (*law.batch_shape, *law.event_shape)
    shape = np.shape(value)
    if shape == wanted:
        return value
    if shape == ():
        return bnp.broadcast_to(value, wanted)
    raise ShapeError(
        f'the value of site "{statement.name}" does not have the shape of its distribution.',
        facts=[("value", shape, ""), ("distribution", wanted, statement.summary)],
        fix=_shape_fix(statement.name, shape, wanted, statement.law.event_shape),
        where=statement.source,
        code="M105",
    )


def _shape_fix(name: str, shape: Shape, wanted: Shape, event: Shape) -> str:
    if shape == (*wanted, 1):
        return f"did you mean {name}[{', '.join([*':' * len(wanted), '0'])}]?"
    if wanted == (*shape, 1):
        index = ", ".join([*":" * len(shape), "0"])
        return f"drop the last axis of the distribution's parameters: f[{index}]."
    front = shape[: len(shape) - len(wanted)]
    if front and shape[len(front) :] == wanted:
        if len(front) == 1:
            return f'put the statement in `with plate("rows", {front[0]}):`.'
        batch = (*front, *wanted[: len(wanted) - len(event)])
        return f"for independent copies, expand the distribution: .expand({batch})."
    return "give value and distribution one shape; np.broadcast_to repeats a value on purpose."


def _numbers(statement: Statement) -> Any:
    try:
        return bnp.asarray(statement.value)
    except BayesdlError as error:
        raise error if not isinstance(error, DtypeError) else _no_numbers(statement) from None
    except ValueError:
        raise _no_numbers(statement) from None


def _no_numbers(statement: Statement) -> DtypeError:
    return DtypeError(
        f'the value of site "{statement.name}" is not an array of numbers.',
        facts=[("value", repr(statement.value)[:60]), ("type", _kind_of(statement.value))],
        fix="convert it first; np.unique(x, return_inverse=True)[1] numbers categories.",
        where=statement.source,
        code="M108",
    )


def _kind_of(value: Any) -> str:
    dtype = getattr(value, "dtype", None)
    return type(value).__name__ if dtype is None else f"{type(value).__name__} of {dtype}"
