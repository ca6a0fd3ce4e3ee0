"""NumPy's reductions and running sums."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl.ir.text import from_text
from bayesdl.ir.types import ArrayType

from .. import elementwise as ew
from .. import structural as st
from ..control import scan
from ._elementwise import add, divide, exp, isfinite, log, multiply, square, subtract, where
from ._promote import asarray, astype, broadcast_to, normal_axes, promoted, surface


def _keep(result: Any, shape: tuple[int, ...], axes: tuple[int, ...], keepdims: bool) -> Any:
    if not keepdims:
        return result
    return st.reshape(result, shape=tuple(1 if i in axes else n for i, n in enumerate(shape)))


def _reduction(name: str, op: Any, *others: str) -> Any:
    def function(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
        x = asarray(x)
        if name in ("any", "all"):
            x = astype(x, np.bool_)
        axes = normal_axes(axis, x.ndim)
        return _keep(op(x, axes=axes) if axes else x, x.shape, axes, keepdims)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"As ``numpy.{name}``."
    return surface(name, *others)(function)


def _wide(x: Any) -> Any:
    """Integers in 64 bits, as NumPy accumulates them."""
    if x.dtype.kind in "bi":
        return astype(x, np.int64)
    return astype(x, np.uint64) if x.dtype.kind == "u" else x


max = _reduction("max", st.reduce_max, "amax")
min = _reduction("min", st.reduce_min, "amin")
any = _reduction("any", st.reduce_or)
all = _reduction("all", st.reduce_and)


@surface()
def sum(x: Any, axis: Any = None, *, keepdims: bool = False, dtype: Any = None) -> Any:
    """As ``numpy.sum``; booleans are counted, and integers are summed in 64 bits."""
    x = _wide(asarray(x)) if dtype is None else asarray(x, dtype)
    axes = normal_axes(axis, x.ndim)
    return _keep(st.reduce_sum(x, axes=axes) if axes else x, x.shape, axes, keepdims)


@surface()
def mean(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """As ``numpy.mean``."""
    (x,) = promoted(asarray(x), floating=True)
    count = int(np.prod([x.shape[a] for a in normal_axes(axis, x.ndim)]))
    return divide(sum(x, axis, keepdims=keepdims), float(count))


@surface()
def var(x: Any, axis: Any = None, *, ddof: int = 0, keepdims: bool = False) -> Any:
    """As ``numpy.var``."""
    (x,) = promoted(asarray(x), floating=True)
    count = int(np.prod([x.shape[a] for a in normal_axes(axis, x.ndim)]))
    centred = subtract(x, mean(x, axis, keepdims=True))
    return divide(sum(square(centred), axis, keepdims=keepdims), float(count - ddof))


@surface()
def std(x: Any, axis: Any = None, *, ddof: int = 0, keepdims: bool = False) -> Any:
    """As ``numpy.std``; its derivative is 0 where all elements are equal."""
    return ew.length(var(x, axis, ddof=ddof, keepdims=keepdims))


def _arg(name: str, op: Any) -> Any:
    def function(x: Any, axis: int | None = None) -> Any:
        x = asarray(x)
        if axis is None:
            return op(st.reshape(x, shape=(x.size,)), axis=0)
        return op(x, axis=normal_axes(axis, x.ndim)[0])

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"As ``numpy.{name}``."
    return surface(name)(function)


argmax = _arg("argmax", st.argmax)
argmin = _arg("argmin", st.argmin)


@surface()
def argsort(x: Any, axis: int = -1) -> Any:
    """As ``numpy.argsort`` with a stable order."""
    x = asarray(x)
    return st.argsort(x, axis=normal_axes(axis, x.ndim)[0])


@surface()
def cumsum(x: Any, axis: int | None = None) -> Any:
    """As ``numpy.cumsum``."""
    x = asarray(x)
    if axis is None:
        x, axis = st.reshape(x, shape=(x.size,)), 0
    x = _wide(x)
    return st.cumulative_sum(x, axis=normal_axes(axis, x.ndim)[0], reverse=False)


@surface()
def prod(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """As ``numpy.prod``: a scan, so that its derivative is right where elements are zero."""
    x = _wide(asarray(x))
    axes = normal_axes(axis, x.ndim)
    result = x
    for a in reversed(axes):
        result = _running_product(result, a)[0]
    return _keep(result, x.shape, axes, keepdims)


@surface()
def cumprod(x: Any, axis: int | None = None) -> Any:
    """As ``numpy.cumprod``."""
    x = _wide(asarray(x))
    if axis is None:
        x, axis = st.reshape(x, shape=(x.size,)), 0
    a = normal_axes(axis, x.ndim)[0]
    return _front(_running_product(x, a)[1], a, back=True)


def _running_product(x: Any, axis: int) -> Any:
    from_front = _front(x, axis)
    rest = from_front.shape[1:]
    one = x.dtype.type(1)
    start = st.broadcast(one, shape=rest, axes=tuple(range(len(rest)))) if rest else one
    body = _product_body(rest, x.dtype)
    length = from_front.shape[0]
    return scan(start, from_front, body=body, constants=0, carry=1, length=length, reverse=False)


def _product_body(shape: tuple[int, ...], dtype: Any) -> Any:
    kind = ArrayType(shape, np.dtype(dtype))
    return from_text(
        f"program product(%a: {kind}, %b: {kind}):\n  %c: {kind} = mul %a %b\n  return %c %c"
    )


def _front(x: Any, axis: int, back: bool = False) -> Any:
    rank = x.ndim
    order = [axis, *(i for i in range(rank) if i != axis)]
    permutation = tuple(np.argsort(order).tolist()) if back else tuple(order)
    return st.transpose(x, permutation=permutation) if permutation != tuple(range(rank)) else x


@surface()
def logsumexp(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """log Σ exp(x), without overflow; where all x are −∞, so is it, and its derivative is 0."""
    (x,) = promoted(asarray(x), floating=True)
    top = ew.stop_gradient(max(x, axis, keepdims=True))
    top = where(isfinite(top), top, 0.0)
    total = sum(exp(subtract(x, top)), axis, keepdims=True)
    nothing = ew.equal(total, 0.0)
    result = add(where(nothing, -np.inf, log(where(nothing, 1.0, total))), top)
    axes = normal_axes(axis, x.ndim)
    shape = tuple(n for i, n in enumerate(x.shape) if i not in axes)
    return result if keepdims or not axes else st.reshape(result, shape=shape)


@surface()
def softmax(x: Any, axis: int = -1) -> Any:
    """exp(x) / Σ exp(x) along one axis."""
    return exp(log_softmax(x, axis))


@surface()
def log_softmax(x: Any, axis: int = -1) -> Any:
    """x − log Σ exp(x) along one axis."""
    return subtract(x, logsumexp(x, axis, keepdims=True))


@surface()
def average(x: Any, axis: Any = None, weights: Any = None) -> Any:
    """As ``numpy.average``."""
    if weights is None:
        return mean(x, axis)
    x, weights = asarray(x), asarray(weights)
    if weights.shape != x.shape:
        # NumPy lays a vector of weights along the axis, wherever that is.
        shape = [1] * x.ndim
        shape[normal_axes(axis, x.ndim)[0]] = weights.size
        weights = broadcast_to(st.reshape(weights, shape=tuple(shape)), x.shape)
    return divide(sum(multiply(x, weights), axis), sum(multiply(weights, 1.0), axis))


@surface()
def count_nonzero(x: Any, axis: Any = None) -> Any:
    """As ``numpy.count_nonzero``."""
    return sum(astype(x, np.bool_), axis)
