"""Factorisations and solves as primitives, batched over leading axes, with both derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl._base.errors import ShapeError
from bayesdl.ir.primitive import Case
from bayesdl.ir.types import ArrayType

from .. import elementwise as ew
from .._declare import Op, general
from ..structural import broadcast, reduce_sum, reshape, to_front, transpose, zeros_like
from .product import diagonal_of, identity_like, matrix_product, matrix_transpose, triangle


def _square(name: str, a: ArrayType, b: ArrayType | None = None) -> None:
    if a.ndim < 2 or a.shape[-1] != a.shape[-2] or not a.is_float:
        raise ShapeError(
            f"`{name}` needs square matrices of floats.",
            facts=[("matrix", a)],
            fix="give an array of shape (..., n, n).",
            code="T101",
        )
    if b is not None and (b.shape[:-1] != a.shape[:-1] or b.dtype != a.dtype):
        raise ShapeError(
            f"`{name}` got a matrix and a right-hand side that do not fit together.",
            facts=[("matrix", a), ("right-hand side", b)],
            fix="give shapes (..., n, n) and (..., n, k) with equal leading axes and dtypes.",
            code="T101",
        )


# --- cholesky ---------------------------------------------------------------------------------


def _cholesky_type(a: ArrayType) -> ArrayType:
    _square("cholesky", a)
    return a


def _cholesky_numpy(a: Any) -> Any:
    a = np.asarray(a)
    try:
        return np.linalg.cholesky(a)
    except np.linalg.LinAlgError:
        if a.ndim == 2:
            return np.full_like(a, np.nan)
        return np.stack([_cholesky_numpy(one) for one in a])


def _cholesky_jvp(_: Any, args: Any, tangents: Any) -> Any:
    """L̇ = L Φ(L⁻¹ Ȧ L⁻ᵀ), where Φ keeps the lower triangle and halves the diagonal."""
    factor = cholesky(args[0])
    moved = ew.add(triangle(tangents[0]), matrix_transpose(triangle(tangents[0], diagonal=0.0)))
    inner = triangular_solve_columns(factor, moved, lower=True, transpose=False)
    inner = triangular_solve_columns(factor, matrix_transpose(inner), lower=True, transpose=False)
    return (factor,), (matrix_product(factor, triangle(inner, diagonal=0.5)),)


def _cholesky_vjp(_: Any, active: Any, args: Any) -> Any:
    """Ā = Φ(S + Sᵀ) with S = L⁻ᵀ Φ(Lᵀ L̄) L⁻¹, in the lower triangle, which alone is read."""
    factor = cholesky(args[0])

    def pullback(cts: Any) -> Any:
        inner = triangle(matrix_product(factor, triangle(cts[0]), transpose_x=True), diagonal=0.5)
        half = triangular_solve_columns(factor, inner, lower=True, transpose=True)
        both = triangular_solve_columns(factor, matrix_transpose(half), lower=True, transpose=True)
        return (triangle(ew.add(both, matrix_transpose(both)), diagonal=0.5),)

    return (factor,), pullback


def _definite(n: int, *lead: int) -> np.ndarray[Any, Any]:
    root = np.cos(np.arange(1.0, 1.0 + np.prod((*lead, n, n), dtype=int))).reshape(*lead, n, n)
    return np.asarray(root @ np.swapaxes(root, -1, -2) + n * np.eye(n))


cholesky = general(
    "cholesky",
    type=_cholesky_type,
    numpy=_cholesky_numpy,
    jvp=_cholesky_jvp,
    vjp=_cholesky_vjp,
    batch=lambda _, size, args, flags: ((cholesky(args[0]),), (True,)),
    cases=(
        Case(("f64[1,1]",), values=(_definite(1),)),
        Case(("f64[4,4]",), values=(_definite(4),)),
        Case(("f64[2,3,3]",), values=(_definite(3, 2),)),
        Case(("f32[3,3]",), values=(_definite(3).astype(np.float32),)),
        Case(("f64[40,40]",), values=(_definite(40),)),
    ),
)

# --- triangular_solve and solve ---------------------------------------------------------------


def _solve_type(name: str) -> Any:
    def rule(a: ArrayType, b: ArrayType, **_: Any) -> ArrayType:
        _square(name, a, b)
        return b

    return rule


def _substitute(a: Any, b: Any, *, lower: bool, transpose: bool) -> Any:
    """Forward or backward substitution, row by row."""
    a = np.swapaxes(a, -1, -2) if transpose else np.asarray(a)
    x, n = np.array(b), np.shape(b)[-2]
    downwards = lower != transpose
    for i in range(n) if downwards else reversed(range(n)):
        known = slice(0, i) if downwards else slice(i + 1, n)
        done = np.matmul(a[..., i : i + 1, known], x[..., known, :])
        x[..., i : i + 1, :] = (x[..., i : i + 1, :] - done) / a[..., i : i + 1, i : i + 1]
    return x


def _triangular_product(a: Any, x: Any, lower: bool, transpose: bool) -> Any:
    return matrix_product(triangle(a, lower=lower), x, transpose_x=transpose)


def _triangular_jvp(_: Any, args: Any, tangents: Any, *, lower: bool, transpose: bool) -> Any:
    (a, b), (da, db) = args, tangents
    x = triangular_solve_columns(a, b, lower=lower, transpose=transpose)
    move = db if db is not None else zeros_like(b)
    if da is not None:
        move = ew.sub(move, _triangular_product(da, x, lower, transpose))
    return (x,), (triangular_solve_columns(a, move, lower=lower, transpose=transpose),)


def _triangular_vjp(_: Any, active: Any, args: Any, *, lower: bool, transpose: bool) -> Any:
    a, b = args
    x = triangular_solve_columns(a, b, lower=lower, transpose=transpose)

    def pullback(cts: Any) -> Any:
        ct_b = triangular_solve_columns(a, cts[0], lower=lower, transpose=not transpose)
        if not active[0]:
            return None, ct_b
        left, right = (x, ct_b) if transpose else (ct_b, x)
        return ew.neg(triangle(matrix_product(left, right, transpose_y=True), lower=lower)), ct_b

    return (x,), pullback


def _batch_solve(op: Any) -> Any:
    """One matrix with many right-hand sides is factorised once: they become further columns."""

    def rule(_: Any, size: int, args: Any, flags: Any, **params: Any) -> Any:
        (a, b), rank = args, len(np.shape(args[1]))
        if flags[0] or rank != 3:
            both = (to_front(x, f, size) for x, f in zip(args, flags, strict=True))
            return (op(*both, **params),), (True,)
        n, k = np.shape(b)[1:]
        beside = reshape(transpose(b, permutation=(1, 0, 2)), shape=(n, size * k))
        found = reshape(op(a, beside, **params), shape=(n, size, k))
        return (transpose(found, permutation=(1, 0, 2)),), (True,)

    return rule


triangular_solve_columns: Op = general(
    "triangular_solve",
    type=_solve_type("triangular_solve"),
    numpy=_substitute,
    jvp=_triangular_jvp,
    vjp=_triangular_vjp,
    batch=_batch_solve(lambda *a, **k: triangular_solve_columns(*a, **k)),
    cases=tuple(
        Case(t, {"lower": lower, "transpose": flip}, values=(v, None))
        for t, v in (
            (("f64[3,3]", "f64[3,2]"), _definite(3)),
            (("f64[2,3,3]", "f64[2,3,1]"), _definite(3, 2)),
            (("f32[3,3]", "f32[3,2]"), _definite(3).astype(np.float32)),
            (("f64[40,40]", "f64[40,3]"), _definite(40)),
        )
        for lower in (True, False)
        for flip in (True, False)
    ),
)


def _solve_numpy(a: Any, b: Any) -> Any:
    a, b = np.asarray(a), np.asarray(b)
    try:
        return np.linalg.solve(a, b)
    except np.linalg.LinAlgError:
        if a.ndim == 2:
            return np.full_like(b, np.nan)
        return np.stack([_solve_numpy(x, y) for x, y in zip(a, b, strict=True)])


def _solve_jvp(_: Any, args: Any, tangents: Any) -> Any:
    (a, b), (da, db) = args, tangents
    x = solve_columns(a, b)
    move = db if db is not None else zeros_like(b)
    if da is not None:
        move = ew.sub(move, matrix_product(da, x))
    return (x,), (solve_columns(a, move),)


def _solve_vjp(_: Any, active: Any, args: Any) -> Any:
    a, b = args
    x = solve_columns(a, b)

    def pullback(cts: Any) -> Any:
        ct_b = solve_columns(matrix_transpose(a), cts[0])
        return ew.neg(matrix_product(ct_b, x, transpose_y=True)) if active[0] else None, ct_b

    return (x,), pullback


def _general_matrix(n: int, *lead: int) -> np.ndarray[Any, Any]:
    return np.asarray(np.flip(_definite(n, *lead), -1) + np.triu(np.ones((n, n))))


solve_columns: Op = general(
    "solve",
    type=_solve_type("solve"),
    numpy=_solve_numpy,
    jvp=_solve_jvp,
    vjp=_solve_vjp,
    batch=_batch_solve(lambda *a, **k: solve_columns(*a, **k)),
    cases=(
        Case(("f64[3,3]", "f64[3,2]"), values=(_general_matrix(3), None)),
        Case(("f64[2,3,3]", "f64[2,3,1]"), values=(_general_matrix(3, 2), None)),
        Case(("f32[3,3]", "f32[3,2]"), values=(_general_matrix(3).astype(np.float32), None)),
        Case(("f64[40,40]", "f64[40,3]"), values=(_general_matrix(40), None)),
    ),
)

# --- slogdet ----------------------------------------------------------------------------------


def _slogdet_type(a: ArrayType) -> tuple[ArrayType, ArrayType]:
    _square("slogdet", a)
    scalar = a.with_shape(a.shape[:-2])
    return scalar, scalar


def _slogdet_numpy(a: Any) -> tuple[Any, Any]:
    sign, logarithm = np.linalg.slogdet(a)
    return np.asarray(sign), np.asarray(logarithm)


def _slogdet_jvp(_: Any, args: Any, tangents: Any) -> Any:
    """d log|det A| = tr(A⁻¹ Ȧ); the sign is locally constant."""
    sign, logarithm = slogdet(args[0])
    trace = diagonal_of(solve_columns(args[0], tangents[0]))
    return (sign, logarithm), (None, reduce_sum(trace, axes=(len(np.shape(trace)) - 1,)))


def _slogdet_vjp(_: Any, active: Any, args: Any) -> Any:
    a = args[0]
    sign, logarithm = slogdet(a)

    def pullback(cts: Any) -> Any:
        if cts[1] is None:
            return (None,)
        rank = len(np.shape(a))
        spread = broadcast(cts[1], shape=np.shape(a), axes=(rank - 2, rank - 1))
        return (ew.mul(spread, solve_columns(matrix_transpose(a), identity_like(a))),)

    return (sign, logarithm), pullback


slogdet = general(
    "slogdet",
    type=_slogdet_type,
    numpy=_slogdet_numpy,
    jvp=_slogdet_jvp,
    vjp=_slogdet_vjp,
    batch=lambda _, size, args, flags: (slogdet(args[0]), (True, True)),
    cases=(
        Case(("f64[3,3]",), values=(_general_matrix(3),)),
        Case(("f64[2,3,3]",), values=(_general_matrix(3, 2),)),
        Case(("f32[3,3]",), values=(_general_matrix(3).astype(np.float32),)),
        Case(("f64[40,40]",), values=(_general_matrix(40),)),
    ),
)

# --- eigh -------------------------------------------------------------------------------------


def _eigh_type(a: ArrayType) -> tuple[ArrayType, ArrayType]:
    _square("eigh", a)
    return a.with_shape(a.shape[:-1]), a


def _eigh_numpy(a: Any) -> tuple[Any, Any]:
    a = np.asarray(a)
    if a.ndim > 2:
        found = [_eigh_numpy(one) for one in a]
        return tuple(np.stack(parts) for parts in zip(*found, strict=True))  # type: ignore[return-value]
    if not np.isfinite(np.tril(a)).all():
        return np.full_like(a[..., 0], np.nan), np.full_like(a, np.nan)
    values, vectors = np.linalg.eigh(a)
    largest = np.abs(vectors).argmax(axis=0, keepdims=True)
    return values, vectors * np.copysign(1.0, np.take_along_axis(vectors, largest, 0)).astype(
        a.dtype
    )


def _over_gaps(values: Any, shape: tuple[int, ...]) -> Any:
    """1 / (λⱼ − λᵢ) at (i, j); zero where they are equal."""
    rank = len(shape)
    columns = broadcast(values, shape=shape, axes=(rank - 2,))
    gap = ew.sub(columns, broadcast(values, shape=shape, axes=(rank - 1,)))
    none = ew.equal(gap, zeros_like(gap))
    return ew.where(none, 0.0, ew.div(1.0, ew.where(none, 1.0, gap)))


def _eigh_jvp(_: Any, args: Any, tangents: Any) -> Any:
    """With Ṡ = Vᵀ Ȧ V: λ̇ = diag(Ṡ) and V̇ = V (F ∘ Ṡ), where F has 1 / (λⱼ − λᵢ)."""
    values, vectors = eigh(args[0])
    moved = ew.add(triangle(tangents[0]), matrix_transpose(triangle(tangents[0], diagonal=0.0)))
    inner = matrix_product(matrix_product(vectors, moved, transpose_x=True), vectors)
    turned = ew.mul(_over_gaps(values, np.shape(vectors)), inner)
    return (values, vectors), (diagonal_of(inner), matrix_product(vectors, turned))


def _eigh_vjp(_: Any, active: Any, args: Any) -> Any:
    """Ā = V (diag(λ̄) + F ∘ Vᵀ V̄) Vᵀ, in the lower triangle, which alone is read."""
    values, vectors = eigh(args[0])
    shape = np.shape(vectors)

    def pullback(cts: Any) -> Any:
        inner = zeros_like(vectors)
        if cts[0] is not None:
            spread = broadcast(cts[0], shape=shape, axes=(len(shape) - 2,))
            inner = ew.mul(identity_like(vectors), spread)
        if cts[1] is not None:
            turned = matrix_product(vectors, cts[1], transpose_x=True)
            inner = ew.add(inner, ew.mul(_over_gaps(values, shape), turned))
        full = matrix_product(matrix_product(vectors, inner), vectors, transpose_y=True)
        return (triangle(ew.add(full, matrix_transpose(full)), diagonal=0.5),)

    return (values, vectors), pullback


def _distinct(n: int, *lead: int) -> np.ndarray[Any, Any]:
    """A matrix whose eigenvalues lie well apart."""
    return np.asarray(_definite(n, *lead) + 3.0 * np.diag(np.arange(n)))


eigh = general(
    "eigh",
    type=_eigh_type,
    numpy=_eigh_numpy,
    jvp=_eigh_jvp,
    vjp=_eigh_vjp,
    batch=lambda _, size, args, flags: (eigh(args[0]), (True, True)),
    cases=(
        Case(("f64[1,1]",), values=(_distinct(1),)),
        Case(("f64[3,3]",), values=(_distinct(3),)),
        Case(("f64[2,3,3]",), values=(_distinct(3, 2),)),
        Case(("f32[3,3]",), values=(_distinct(3).astype(np.float32),)),
    ),
)
