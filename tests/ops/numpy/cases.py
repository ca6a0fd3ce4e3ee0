"""Calls of every function of bayesdl.numpy, with the NumPy call that must give the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

R = np.random.default_rng(7)
P = R.uniform(0.2, 0.9, (2, 3))  # positive, below one
X = R.standard_normal((2, 3))
Y = R.standard_normal(3)
N = np.array([[3, 1, 2], [7, 5, 4]])
J = np.array([2, 1, 3])
B = np.array([[True, False, True], [False, False, True]])
C = np.array([True, True, False])
M = R.standard_normal((3, 4))
T = R.standard_normal((2, 3, 4))
S = X @ X.T + np.eye(2)
HARD = np.array([-np.inf, -1.0, 0.0, np.nan, 2.0, np.inf])
OTHER = np.array([1.0, np.nan, 0.0, 1.0, -np.inf, np.inf])

# name → (positional arguments, keywords); the reference is numpy.<name> unless REFERENCE has one.
Call = tuple[tuple[Any, ...], dict[str, Any]]
CALLS: dict[str, list[Call]] = {}


def case(names: str, *args: Any, **kwargs: Any) -> None:
    """The same call for several names."""
    for name in names.split():
        CALLS.setdefault(name, []).append((args, kwargs))


UNARY_ANY = "negative abs absolute sign square"
UNARY_FLOAT = (
    "exp expm1 sin cos tan sinh cosh tanh arcsinh asinh arctan atan floor ceil rint fabs exp2 "
    "isfinite isnan isinf sigmoid softplus stop_gradient"
)
UNARY_POSITIVE = "log log1p log2 log10 sqrt arcsin asin arccos acos arctanh atanh reciprocal"
case(UNARY_ANY, X)
case(UNARY_ANY, N)
case(UNARY_FLOAT, X)
case(UNARY_POSITIVE, P)
case("arccosh acosh", P + 1.0)
case("isfinite isnan isinf nan_to_num", HARD)
case("nan_to_num", HARD, nan=1.0, posinf=5.0, neginf=-5.0)
case("exp log sqrt sin", N)
BINARY = (
    "add subtract multiply maximum minimum equal not_equal less less_equal greater greater_equal"
)
case(f"{BINARY} divide true_divide arctan2 hypot logaddexp fmax fmin", X, Y)
case(f"{BINARY} divide true_divide remainder mod floor_divide", N, J)
case(f"{BINARY} fmax fmin", HARD, OTHER)
case("logaddexp", HARD[[0, 1, 2, 4]], OTHER[[4, 0, 2, 0]])
case("add multiply", B, C)
case("remainder mod floor_divide", X, np.abs(Y))
case("power pow float_power", P, Y)
case("power pow float_power", X, 3)
case("power pow", N, 2)
case("power pow", X, -2)
case("power pow", P, 0.5)
case("float_power", N, 2)
case("bitwise_and bitwise_or bitwise_xor left_shift right_shift", N, J)
case("bitwise_and bitwise_or bitwise_xor", B, C)
case("invert bitwise_not", N)
case("invert bitwise_not", B)
case("logical_and logical_or logical_xor", B, C)
case("logical_and logical_or logical_xor", X, N)
case("logical_not", B)
case("where", B, X, Y)
case("where", X > 0, 1.0, X)
case("where", B, 1, 0)
case("clip", X, -0.5, 0.5)
case("clip", X, None, 0.5)
case("astype", X, np.float32)
case("asarray array", X)
case("asarray array", [[1.0, 2.0], [3.0, 4.0]])
case("shape ndim size", T)

REDUCE = "sum prod max amax min amin mean var std any all"
for _axis in (None, 0, -1, (0, 2)):
    case(REDUCE + " logsumexp", T, axis=_axis)
    case(REDUCE, T, axis=_axis, keepdims=True)
case("sum prod max min any all mean", N, axis=0)
case("sum any all mean", B, axis=1)
case("sum prod", N.astype(np.int32))
case("sum", N, dtype=np.float64)
case("var std", X, axis=0, ddof=1)
case("argmax argmin", X)
case("argmax argmin argsort sort", X, axis=0)
case("argsort sort", X)
case("argsort sort", np.array([2, 1, 2, 0, 1]))
case("cumsum cumprod", X)
case("cumsum cumprod", X, axis=1)
case("cumsum cumprod", N, axis=0)
case("cumsum", C)
case("softmax log_softmax", X, axis=0)
case("average", X)
case("average", X, axis=0, weights=np.array([0.2, 0.8]))
case("average", X, weights=P)
case("count_nonzero", B, axis=0)
case("count_nonzero", N)

case("full", (2, 3), 1.5)
case("full", 2, 7, dtype=np.float32)
case("zeros ones", (2, 3))
case("zeros ones", 4, dtype=np.int64)
case("zeros_like ones_like", N)
case("zeros_like ones_like", N, dtype=np.float64)
case("full_like", X, 2.0)
case("arange", 5)
case("arange", 2, 8, 3)
case("arange", 5, 0, -2)
case("arange", 0.0, 1.0, 0.25)
case("arange", 3, dtype=np.float32)
case("linspace", 0.0, 1.0, 5)
case("eye identity", 3)
case("eye", 2, 4, 1)
case("tril triu", T)
case("tril triu", M, k=1)
case("tril triu", M, k=-1)

case("reshape", T, (4, 6))
case("reshape", T, (-1, 2))
case("reshape", T, -1)
case("ravel", T)
case("transpose", T)
case("transpose", T, (1, -1, 0))
case("swapaxes", T, 0, -1)
case("moveaxis", T, 0, -1)
case("moveaxis", T, -1, 1)
case("matrix_transpose", T)
case("expand_dims", X, 1)
case("expand_dims", X, (0, -1))
case("squeeze", T[:1, :, :1])
case("squeeze", T[:1], axis=0)
case("broadcast_to", Y, (2, 3))
case("broadcast_to", X[:, :1], (4, 2, 3))
case("broadcast_arrays", X, Y)
case("broadcast_shapes", (2, 1), (3,))
case("flip", T)
case("flip", T, axis=1)
case("roll", X, 1)
case("roll", X, -2, axis=1)
case("roll", X, 0, axis=0)
case("pad", X, 1)
case("pad", X, ((1, 0), (0, 2)), constant_values=3.0)
case("pad", X, ((1, 0), (0, 2)), mode="constant")
case("concatenate concat", [X, X * 2.0])
case("concatenate concat", [X, N], axis=1)
case("concatenate concat", [X, Y], axis=None)
case("stack", [X, X])
case("stack", [X, X], axis=-1)
case("hstack vstack column_stack", [Y, Y])
case("hstack vstack", [X, X])
case("column_stack", [np.arange(2.0), X])
case("atleast_1d", np.float64(3.0))
case("atleast_1d", X)
case("split", T, 2, axis=2)
case("split", T, [1, 3], axis=2)
case("tile", X, 2)
case("tile", Y, (2, 2))
case("repeat", X, 2)
case("repeat", X, 3, axis=1)
case("diff", T)
case("diff", T, n=2, axis=1)

case("take", X, np.array([0, 2, -1]), axis=1)
case("take", X, np.array([0, 5]))
case("take", X, 1, axis=0)
case("take_along_axis", X, np.argsort(X, axis=1), axis=1)
case("take_along_axis", T, np.array([[[1]], [[0]]]), axis=1)
case("diagonal trace", T)
case("diagonal trace", T, 1, -2, -1)
case("diagonal trace", M, -1)
case("diag", M)
case("diag", M, 2)
case("diag", Y)
case("diag", Y, -1)
case("getitem", T, (slice(None), 1))

case("matmul dot", M.T, M)
case("matmul dot", Y, M)
case("matmul dot", M.T, Y)
case("matmul dot inner vdot", Y, Y)
case("matmul", T, M.T @ M)
case("matmul", Y, T)
case("matmul", T, np.ones(4))
case("matmul", T, np.ones((1, 4, 2)))
case("dot", T, np.ones((2, 4, 3)))
case("dot", X, 2.0)
case("inner", X, M.T)
case("vdot outer", X, X)
case("tensordot", T, M, axes=2)
case("tensordot", T, M, axes=([1, 2], [0, 1]))
case("tensordot", T, M, axes=(1, 0))
case("einsum", "ij,jk->ik", X, M)
case("einsum", "ijk->ki", T)
case("einsum", "ij,j", X, Y)
case("einsum", "bij,bij->b", T, T)
case("einsum", "i,j,k->kij", Y, Y, Y)
case("einsum", "ij,jk,k->i", X, M, np.ones(4))
case("linalg.cholesky linalg.inv linalg.det linalg.slogdet", S)
case("linalg.cholesky linalg.inv linalg.det linalg.slogdet", np.stack([S, 2.0 * S]))
case("linalg.eigh", S)
case("linalg.eigh", np.stack([S, 2.0 * S]))
case("linalg.solve", S, X)
case("linalg.solve", S, np.ones(2))
case("linalg.solve", np.stack([S, S + 1.0]), X)
case("linalg.norm", X)
case("linalg.norm", X, axis=1)


def _softmax(x: Any, axis: int = -1) -> Any:
    return special.softmax(x, axis=axis)


def _eigh(x: Any) -> Any:
    values, vectors = np.linalg.eigh(x)
    largest = np.abs(vectors).argmax(axis=-2, keepdims=True)
    return values, vectors * np.sign(np.take_along_axis(vectors, largest, -2))


REFERENCE: dict[str, Callable[..., Any]] = {
    "getitem": lambda x, index: x[index],
    "log_softmax": lambda x, axis=-1: special.log_softmax(x, axis=axis),
    "logsumexp": special.logsumexp,
    "sigmoid": special.expit,
    "softmax": _softmax,
    "softplus": lambda x: np.logaddexp(x, 0.0),
    "stop_gradient": lambda x: x,
    "linalg.cholesky": np.linalg.cholesky,
    "linalg.det": np.linalg.det,
    "linalg.eigh": _eigh,
    "linalg.inv": np.linalg.inv,
    "linalg.norm": np.linalg.norm,
    "linalg.slogdet": np.linalg.slogdet,
    "linalg.solve": np.linalg.solve,
    "astype": lambda x, dtype: x.astype(dtype),
}
