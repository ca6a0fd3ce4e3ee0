"""Rows of an unknown are followed through whole Programs, loops and branches included."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bayesdl.ir.program import Program
from bayesdl.model.rows import Mixed, RowsOf, counted
from bayesdl.ops import numpy as bnp
from bayesdl.tracing import trace
from bayesdl.tracing.flow import cond, scan, while_loop
from bayesdl.transform.custom import custom_vjp

ROW = ("z", "rows")


def place(function: Any, *others: Any) -> Any:
    """Where the rows of the first argument, f64[4], are in the result; None where nowhere."""
    program: Program = trace(function, np.zeros(4), *others).program
    rows = RowsOf({program.inputs[0]: {ROW: 0}}, program.equations)
    return rows.at(program.outputs[0]).get(ROW)


def looped(z: Any) -> Any:
    """A row goes round by itself: the carry is of the rows, the steps are not."""
    return scan(lambda c, x: (0.5 * c + x * z, c), np.zeros(4), np.arange(3.0))


def test_loops_keep_rows_apart_where_their_steps_do() -> None:
    assert place(lambda z: looped(z)[0]) == 0
    assert place(lambda z: looped(z)[1]) == 1


def late(c: Any, x: Any) -> Any:
    """What comes in at one step is reversed at the next."""
    return (c[1][::-1], x), x


@pytest.mark.parametrize(
    "function",
    [
        lambda z: scan(lambda c, x: (c + x, c), 0.0, z)[1],
        lambda z: scan(lambda c, _: (c[::-1], c), z, np.arange(3.0))[0],
        lambda z: scan(late, (np.zeros(4), z), np.zeros((3, 4)))[0][0],
        lambda z: while_loop(lambda v: v.sum() < 3.0, lambda v: v + 1.0, z),
        lambda z: cond(z[0] > 0.0, lambda: z, lambda: -z),
        lambda z: z[:, None] * z,
    ],
)
def test_loops_and_branches_that_mix_rows(function: Any) -> None:
    assert isinstance(place(function), Mixed)


def test_branches_and_calls_are_looked_into() -> None:
    assert (
        place(lambda z, p: cond(p > 0.0, lambda: z[:, None] * p, lambda: np.ones((4, 1))), 1.0) == 0
    )
    mixed = place(lambda z, p: cond(p > 0.0, lambda: z, lambda: z[::-1]), 1.0)
    assert isinstance(mixed, Mixed)
    double = custom_vjp(lambda x: 2.0 * x, lambda x: (2.0 * x, ()), lambda _, ct: (2.0 * ct,))
    assert place(lambda z: bnp.transpose(double(z * np.ones((3, 4))))) == 0


def test_what_does_not_depend_on_them_has_no_place() -> None:
    assert place(lambda z, w: w[::-1], np.zeros(4)) is None


def test_only_an_index_that_counts_is_counted() -> None:
    assert counted(np.arange(4)) == 0
    assert counted(np.broadcast_to(np.arange(4), (2, 4))) == 1
    assert counted(np.array([0, 1, 1])) is None
    assert counted(np.array([[0, 1], [1, 2]])) is None
