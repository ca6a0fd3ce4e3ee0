"""Matrix products of any layout, and the pieces of square matrices that other rules are made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl._base.errors import DtypeError, ShapeError
from bayesdl._base.memory import require_array
from bayesdl.ir.primitive import Case
from bayesdl.ir.types import ArrayType

from .. import elementwise as ew
from .._declare import linear
from ..structural import Axes, iota, reduce_sum, transpose

Pairs = tuple[Axes, Axes]

# --- dot_general ------------------------------------------------------------------------------
# Output axes: the batch axes, the free axes of x, the free axes of y, each in their order.


def _free(rank: int, contract: Axes, batch: Axes) -> Axes:
    return tuple(i for i in range(rank) if i not in contract and i not in batch)


def _dot_type(x: ArrayType, y: ArrayType, *, contract: Pairs, batch: Pairs) -> ArrayType:
    for what, (left, right) in (("contracted", contract), ("batch", batch)):
        if [x.shape[i] for i in left] != [y.shape[j] for j in right]:
            raise ShapeError(
                f"a matrix product got {what} axes of different lengths.",
                facts=[("left", x, f"axes {left}"), ("right", y, f"axes {right}")],
                fix="transpose or reshape one of them so that the axes have equal lengths.",
                code="T101",
            )
    if x.dtype != y.dtype:
        raise DtypeError(
            "a matrix product got two dtypes.",
            facts=[("left", x), ("right", y)],
            fix="cast one of them, x.astype(dtype).",
            code="T102",
        )
    free_x = _free(x.ndim, contract[0], batch[0])
    free_y = _free(y.ndim, contract[1], batch[1])
    sizes = [x.shape[i] for i in (*batch[0], *free_x)] + [y.shape[j] for j in free_y]
    return x.with_shape(tuple(sizes))


def _dot_numpy(x: Any, y: Any, *, contract: Pairs, batch: Pairs) -> Any:
    x, y = np.asarray(x), np.asarray(y)
    free_x, free_y = _free(x.ndim, contract[0], batch[0]), _free(y.ndim, contract[1], batch[1])
    left = np.transpose(x, (*batch[0], *free_x, *contract[0]))
    right = np.transpose(y, (*batch[1], *contract[1], *free_y))
    lead, k = (
        left.shape[: len(batch[0])],
        int(np.prod([x.shape[i] for i in contract[0]], dtype=int)),
    )
    rows, columns = (
        left.shape[len(lead) : len(lead) + len(free_x)],
        right.shape[right.ndim - len(free_y) :],
    )
    m, n = int(np.prod(rows, dtype=int)), int(np.prod(columns, dtype=int))
    require_array((*lead, *rows, *columns), x.itemsize)
    product = np.matmul(left.reshape((*lead, m, k)), right.reshape((*lead, k, n)))
    return product.reshape((*lead, *rows, *columns))


def _dot_transpose(ct: Any, x: Any, y: Any, *, contract: Pairs, batch: Pairs) -> tuple[Any, Any]:
    swapped = (contract[1], contract[0]), (batch[1], batch[0])
    n_batch = len(batch[0])
    n_x = len(_free(len(np.shape(x)), contract[0], batch[0]))
    rows = tuple(range(n_batch, n_batch + n_x))
    columns = tuple(range(n_batch + n_x, len(np.shape(ct))))
    return (
        _dot_cotangent(ct, y, columns, len(np.shape(x)), contract, batch),
        _dot_cotangent(ct, x, rows, len(np.shape(y)), *swapped),
    )


def _dot_cotangent(
    ct: Any, other: Any, summed: Axes, rank: int, contract: Pairs, batch: Pairs
) -> Any:
    """Cotangent of the operand with `rank` axes, whose pairs come first in `contract`, `batch`."""
    free_other = _free(len(np.shape(other)), contract[1], batch[1])
    in_batch = tuple(range(len(batch[0])))
    found = dot_general(ct, other, contract=(summed, free_other), batch=(in_batch, batch[1]))
    # `found` has the batch axes, the operand's free axes, then the contracted ones in the other's
    # order.
    by_other = sorted(range(len(contract[1])), key=lambda i: contract[1][i])
    order = (*batch[0], *_free(rank, contract[0], batch[0]), *(contract[0][i] for i in by_other))
    return _permuted(found, tuple(np.argsort(order).tolist()))


def _permuted(x: Any, permutation: Axes) -> Any:
    return (
        x
        if permutation == tuple(range(len(permutation)))
        else transpose(x, permutation=permutation)
    )


def _dot_batch(size: int, args: Any, flags: Any, *, contract: Pairs, batch: Pairs) -> Any:
    """Both batched: one more batch axis. One batched: one more free axis, moved to the front."""
    behind = [
        tuple(tuple(a + f for a in p[i]) for i, f in enumerate(flags)) for p in (contract, batch)
    ]
    if all(flags):
        pairs = ((0, *behind[1][0]), (0, *behind[1][1]))
        return dot_general(*args, contract=behind[0], batch=pairs), True
    out = dot_general(*args, contract=behind[0], batch=behind[1])
    n_batch = len(batch[0])
    n_x = len(_free(len(np.shape(args[0])), contract[0], batch[0])) if flags[1] else 0
    at = n_batch + n_x
    rest = [i for i in range(len(np.shape(out))) if i != at]
    return _permuted(out, (at, *rest)), True


dot_general = linear(
    "dot_general",
    type=_dot_type,
    numpy=_dot_numpy,
    transpose=_dot_transpose,
    linear_in=(0, 1),
    multilinear=True,
    batch=_dot_batch,
    cases=(
        Case(("f64[3]", "f64[3]"), {"contract": ((0,), (0,)), "batch": ((), ())}),
        Case(("f64[2,3]", "f64[3]"), {"contract": ((1,), (0,)), "batch": ((), ())}),
        Case(("f64[2,3]", "f64[3,4]"), {"contract": ((1,), (0,)), "batch": ((), ())}),
        Case(("f32[3,2]", "f32[4,3]"), {"contract": ((0,), (1,)), "batch": ((), ())}),
        Case(("f64[5,2,3]", "f64[5,3,4]"), {"contract": ((2,), (1,)), "batch": ((0,), (0,))}),
        Case(("f64[2,5,3]", "f64[3,4,2,5]"), {"contract": ((0, 2), (2, 0)), "batch": ((1,), (3,))}),
        Case(("f64[2]", "f64[3]"), {"contract": ((), ()), "batch": ((), ())}),
        Case(("f64[2,0]", "f64[0,3]"), {"contract": ((1,), (0,)), "batch": ((), ())}),
        Case(("f64[17,33]", "f64[33,20]"), {"contract": ((1,), (0,)), "batch": ((), ())}),
        Case(("i64[2,3]", "i64[3,2]"), {"contract": ((1,), (0,)), "batch": ((), ())}),
    ),
)


def matrix_product(x: Any, y: Any, transpose_x: bool = False, transpose_y: bool = False) -> Any:
    """op(x) op(y) of matrices with equal leading axes, where op transposes on request."""
    rank = len(np.shape(x))
    lead = tuple(range(rank - 2))
    left, right = rank - 2 if transpose_x else rank - 1, rank - 1 if transpose_y else rank - 2
    return dot_general(x, y, contract=((left,), (right,)), batch=(lead, lead))


def matrix_transpose(x: Any) -> Any:
    """Exchange the last two axes."""
    rank = len(np.shape(x))
    return transpose(x, permutation=(*range(rank - 2), rank - 1, rank - 2))


# --- pieces of triangles ----------------------------------------------------------------------


def _place(shape: Axes, axis: int) -> Any:
    return iota(shape=shape, axis=len(shape) + axis, dtype=np.dtype(np.int64))


def triangle(x: Any, lower: bool = True, diagonal: float = 1.0) -> Any:
    """One triangle of square matrices, the diagonal multiplied by `diagonal`, zeros elsewhere."""
    shape = np.shape(x)
    row, column = _place(shape, -2), _place(shape, -1)
    inside = ew.greater(row, column) if lower else ew.less(row, column)
    on_diagonal = x if diagonal == 1.0 else ew.mul(x, diagonal)
    return ew.where(inside, x, ew.where(ew.equal(row, column), on_diagonal, 0.0))


def diagonal_of(x: Any) -> Any:
    """The diagonals of square matrices, shape (*batch, n)."""
    shape = np.shape(x)
    on_diagonal = ew.equal(_place(shape, -2), _place(shape, -1))
    return reduce_sum(ew.where(on_diagonal, x, 0.0), axes=(len(shape) - 1,))


def identity_like(a: Any) -> Any:
    """Identity matrices of the operand's shape and dtype."""
    shape = np.shape(a)
    return ew.convert(ew.equal(_place(shape, -2), _place(shape, -1)), dtype=a.dtype)
