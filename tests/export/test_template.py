"""Templates: the Program of any number of rows from those of three."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bayesdl import numpy as bnp
from bayesdl.export.template import MisfitError, template
from bayesdl.ir.program import Program, to_text
from bayesdl.ir.types import ArrayType
from bayesdl.tracing import trace
from bayesdl.tracing.flow import scan

F64 = np.dtype(float)
SIZES = (11, 13, 29)


def sums(x: Any) -> Any:
    n = x.shape[0]
    both = bnp.concatenate([x, x]).reshape(-1)
    area = bnp.sum(x) - 0.5 * np.log(2.0 * np.pi) * n + 0.3 * n
    return both, x.mean(axis=0), bnp.sum(x) * (1.0 / n), x[1:] - x[:-1], area


def kernel(x: Any) -> Any:
    n = x.shape[0]
    distance = x[:, None, 0] - x[None, :, 0]
    factor = bnp.linalg.cholesky(np.eye(n) + bnp.exp(-(distance**2)))
    return factor @ np.arange(n), np.tril(np.ones((n, n))) @ x, x * np.full(3, 2.5)


def looped(x: Any) -> Any:
    def body(carry: Any, row: Any) -> Any:
        return carry + row.sum(), carry * np.ones(x.shape[0])

    return scan(body, bnp.sum(x[0]), x)


def program(function: Callable[..., Any], *rows: int) -> Program:
    kinds = [ArrayType((n, 3), F64) for n in rows]
    return trace(function, *kinds, name="f").program


@pytest.mark.parametrize("function", [sums, kernel, looped])
@pytest.mark.parametrize("rows", [2, 5, 200])
def test_gives_what_a_trace_gives(function: Callable[..., Any], rows: int) -> None:
    found = template({(n,): program(function, n) for n in SIZES})
    assert to_text(found.fill((rows,))) == to_text(program(function, rows))


def test_two_numbers_of_rows() -> None:
    def pair(x: Any, z: Any) -> Any:
        return x[:, None, 0] * z[None, :, 1], bnp.concatenate([x, z, x])

    sizes = [(11, 17), (13, 17), (11, 19), (31, 37)]
    found = template({s: program(pair, *s) for s in sizes})
    assert to_text(found.fill((4, 6))) == to_text(program(pair, 4, 6))


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda x: bnp.exp(x) if x.shape[0] > 12 else bnp.sum(x), "`%b: f64[] = reduce_sum"),
        (lambda x: x * float(x.shape[0] ** 2), "1.21e+02, 1.69e+02, 8.41e+02 with 11 rows"),
        (lambda x: x * np.linspace(0.0, 1.0, x.shape[0])[:, None], "an array made by NumPy"),
        (lambda x: sum((x[i] for i in range(x.shape[0])), start=x[0]), "computes `return"),
    ],
)
def test_what_is_not_one_program_is_refused_with_the_place(function: Any, reason: str) -> None:
    with pytest.raises(MisfitError, match=r"rows") as caught:
        template({(n,): program(function, n) for n in SIZES})
    assert reason in str(caught.value)


def test_a_proof_beyond_a_bound_finds_it() -> None:
    """min(n, 20) is n at 11 and 13; the third trace tells."""
    with pytest.raises(MisfitError):
        template({(n,): program(lambda x: x * float(min(x.shape[0], 20)), n) for n in SIZES})


def test_unreadable_text_says_so() -> None:
    found = template({(n,): program(sums, n) for n in SIZES})
    with pytest.raises(ValueError, match="no primitive named 'reduce_product_of'"):
        type(found)(found.text.replace("reduce_sum", "reduce_product_of"), ()).fill((4,))
