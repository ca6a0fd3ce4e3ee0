"""What is said of an axis of rows holds: other rows do not move a row of the result."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from bayesdl.ir.primitive import PRIMITIVES, Case, Primitive
from bayesdl.ops import linalg, random, special  # noqa: F401  (declared on import)
from bayesdl.ops._bind import evaluate
from bayesdl.ops.axes import RULES, rows_through
from bayesdl.testing.primitives import case_inputs, case_program

KNOWN = sorted(n for n, p in PRIMITIVES.items() if p.elementwise or n in RULES)


def claims(primitive: Primitive, case: Case) -> list[tuple[dict[int, int], int]]:
    """All that is said of a case: the operands' axes of rows, and the result's."""
    (equation,) = case_program(primitive, case).equations
    axes = [[None, *range(a.type.ndim)] for a in equation.inputs]
    found = []
    for chosen in product(*axes):
        fixed = {i: axis for i, axis in enumerate(chosen) if axis is not None}
        said = rows_through(equation, fixed) if fixed else None
        if said is None or said[1] is None or any(said[0][i] != a for i, a in fixed.items()):
            continue
        found.append((fixed, said[1]))
    return found


@pytest.mark.parametrize("name", KNOWN)
def test_a_row_of_the_result_needs_that_row_alone(name: str) -> None:
    """All rows but one are drawn anew, in every operand that comes row by row."""
    primitive = PRIMITIVES[name]
    for case in primitive.cases:
        program = case_program(primitive, case)
        first, other = case_inputs(primitive, case, 0), case_inputs(primitive, case, 1)
        before = evaluate(program, *first)
        for fixed, axis in claims(primitive, case):
            size = before[0].shape[axis]
            for row in range(size):
                mixed = list(first)
                for i, at in fixed.items():
                    assert np.shape(first[i])[at] == size
                    here = np.arange(size) == row
                    keep = here.reshape([-1 if k == at else 1 for k in range(np.ndim(first[i]))])
                    mixed[i] = np.where(keep, first[i], other[i])
                for old, new in zip(before, evaluate(program, *mixed), strict=True):
                    np.testing.assert_array_equal(
                        np.take(new, row, axis), np.take(old, row, axis), str((fixed, axis))
                    )


def test_something_is_said_of_each() -> None:
    """Only rules that sum the rows, or whose cases move each axis, say nothing of any case."""
    silent = {
        name
        for name in RULES
        if not any(claims(PRIMITIVES[name], case) for case in PRIMITIVES[name].cases)
    }
    assert silent == {"scatter_add", "pad", "reshape", "slice"}
