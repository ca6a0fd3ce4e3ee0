"""NumPy's products: dot, matmul, einsum and friends, all of them one primitive."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl._base.errors import ShapeError
from bayesdl._base.source import user_source

from .. import structural as st
from ..linalg import dot_general
from ._elementwise import multiply
from ._indexing import diagonal
from ._promote import (
    asarray,
    astype,
    broadcast_shape,
    broadcast_to,
    default_dtype,
    result_dtype,
    surface,
)
from ._reductions import sum as sum_
from ._shape import expand_dims, ravel, reshape, transpose


def _pair(x: Any, y: Any) -> tuple[Any, Any]:
    x, y = asarray(x), asarray(y)
    dtype = result_dtype(x, y)
    dtype = default_dtype() if dtype.kind != "f" else dtype
    return astype(x, dtype), astype(y, dtype)


@surface()
def matmul(x: Any, y: Any) -> Any:
    """As ``numpy.matmul``; integers become floats."""
    x, y = _pair(x, y)
    if not x.ndim or not y.ndim:
        raise ShapeError(
            "`@` needs at least one axis on each side.",
            facts=[("left", x.shape), ("right", y.shape)],
            fix="use * for scalars.",
            where=user_source(),
            code="T101",
        )
    first, second = x.ndim == 1, y.ndim == 1
    if x.shape[-1] != y.shape[-1 if second else -2]:
        raise ShapeError(
            "`@` got shapes that do not fit together.",
            facts=[("left", x.shape), ("right", y.shape)],
            note=f"{x.shape[-1]} on the left meets {y.shape[-1 if second else -2]} on the right.",
            fix="transpose one of them, or check which axis holds the features.",
            where=user_source(),
            code="T101",
        )
    if x.ndim <= 2 and y.ndim <= 2:
        return dot_general(x, y, contract=((x.ndim - 1,), (0,)), batch=((), ()))
    x = expand_dims(x, 0) if first else x
    y = expand_dims(y, -1) if second else y
    out = _batched(x, y)
    shape = out.shape
    shape = (*shape[:-2], *(() if first else (shape[-2],)), *(() if second else (shape[-1],)))
    return reshape(out, shape)


def _batched(x: Any, y: Any) -> Any:
    if y.ndim == 2:
        return dot_general(x, y, contract=((x.ndim - 1,), (0,)), batch=((), ()))
    common = broadcast_shape(x.shape[:-2], y.shape[:-2])
    x = broadcast_to(x, (*common, *x.shape[-2:]))
    y = broadcast_to(y, (*common, *y.shape[-2:]))
    k = len(common)
    axes = tuple(range(k))
    return dot_general(x, y, contract=((k + 1,), (k,)), batch=(axes, axes))


@surface()
def dot(x: Any, y: Any) -> Any:
    """As ``numpy.dot``."""
    x, y = asarray(x), asarray(y)
    if not x.ndim or not y.ndim:
        return multiply(x, y)
    return tensordot(x, y, ((x.ndim - 1,), (max(y.ndim - 2, 0),)))


@surface("inner")
def inner(x: Any, y: Any) -> Any:
    """As ``numpy.inner``."""
    x, y = asarray(x), asarray(y)
    return tensordot(x, y, ((x.ndim - 1,), (y.ndim - 1,)))


@surface("vdot")
def vdot(x: Any, y: Any) -> Any:
    """As ``numpy.vdot``."""
    return dot(ravel(x), ravel(y))


@surface()
def outer(x: Any, y: Any) -> Any:
    """As ``numpy.outer``."""
    return multiply(expand_dims(ravel(x), 1), expand_dims(ravel(y), 0))


@surface()
def tensordot(x: Any, y: Any, axes: Any = 2) -> Any:
    """As ``numpy.tensordot``."""
    x, y = _pair(x, y)
    if isinstance(axes, int):
        axes = (tuple(range(x.ndim - axes, x.ndim)), tuple(range(axes)))
    left, right = ((a,) if isinstance(a, int) else tuple(a) for a in axes)
    return dot_general(
        x,
        y,
        contract=(tuple(a % x.ndim for a in left), tuple(a % y.ndim for a in right)),
        batch=((), ()),
    )


@surface()
def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """As ``numpy.trace``."""
    return sum_(diagonal(x, offset, axis1, axis2), -1)


@surface()
def einsum(subscripts: str, *operands: Any) -> Any:
    """As ``numpy.einsum`` without `...` and without a letter twice in one operand."""
    inputs, _, output = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    _check_terms(subscripts, terms, operands)
    if not output and "->" not in subscripts:
        letters = "".join(terms)
        output = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    arrays = [asarray(o) for o in operands]
    while len(arrays) > 2:
        later = output + "".join(terms[2:])
        keep = "".join(dict.fromkeys(c for c in terms[0] + terms[1] if c in later))
        arrays[:2] = [_einsum_pair(terms[0], terms[1], keep, *arrays[:2])]
        terms[:2] = [keep]
    if len(arrays) == 1:
        summed, kept = _summed_out(arrays[0], terms[0], output)
        return transpose(summed, [kept.index(c) for c in output])
    return _einsum_pair(terms[0], terms[1], output, *arrays)


def _check_terms(subscripts: str, terms: list[str], operands: tuple[Any, ...]) -> None:
    ranks = [len(np.shape(o)) for o in operands]
    if "." in subscripts or any(len(set(t)) != len(t) for t in terms):
        what = "knows neither `...` nor a letter twice in one operand."
        fix = "name all axes, and take the diagonal first."
    elif ranks != [len(t) for t in terms]:
        what, fix = "needs one letter per axis of each operand.", "count the axes."
    else:
        return
    raise ShapeError(
        f"`einsum` {what}",
        facts=[("subscripts", subscripts), ("axes", *ranks)],
        fix=fix,
        where=user_source(),
        code="T101",
    )


def _summed_out(x: Any, term: str, needed: str) -> tuple[Any, str]:
    axes = tuple(i for i, c in enumerate(term) if c not in needed)
    return (st.reduce_sum(x, axes=axes) if axes else x), "".join(c for c in term if c in needed)


def _einsum_pair(a: str, b: str, output: str, x: Any, y: Any) -> Any:
    x, y = _pair(x, y)
    x, a = _summed_out(x, a, output + b)
    y, b = _summed_out(y, b, output + a)
    shared = [c for c in a if c in b]
    batch = [c for c in shared if c in output]
    contracted = [c for c in shared if c not in output]
    result = dot_general(
        x,
        y,
        contract=(tuple(a.index(c) for c in contracted), tuple(b.index(c) for c in contracted)),
        batch=(tuple(a.index(c) for c in batch), tuple(b.index(c) for c in batch)),
    )
    letters = [*batch, *(c for c in a if c not in shared), *(c for c in b if c not in shared)]
    return transpose(result, [letters.index(c) for c in output])


__all__ = ["dot", "einsum", "inner", "matmul", "outer", "tensordot", "trace", "vdot"]
