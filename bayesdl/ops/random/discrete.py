"""Discrete random numbers: choices, counts, integers and orders; none carries derivatives."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from bayesdl._base.errors import ArgumentError, ShapeError
from bayesdl._base.source import user_source

from .. import elementwise as ew
from .. import numpy as surface
from ..special import lgamma
from ..structural import Axes, argsort, gather, reshape
from .bits import as_shape, bits, checked_key, each_key, split
from .continuous import gumbel, spread, uniform, unit
from .loop import count_up, until_accepted

_F64, _I64, _U64 = np.dtype(np.float64), np.dtype(np.int64), np.dtype(np.uint64)
# Below this mean, counting up from zero is quick; from it on, the rejection methods are valid.
_MANY = 10.0


def bernoulli(key: Any, probs: Any, shape: int | Axes | None = None) -> Any:
    """True with probability `probs`.

    Parameters
    ----------
    key : Array, shape (2,)
    probs : Array
        In [0, 1]; anything that broadcasts to `shape`.
    shape : tuple of int, optional
        That of `probs` by default.

    Returns
    -------
    Array, shape `shape`, bool
    """
    probs, shape = spread(probs, shape)
    return ew.less(uniform(key, shape, probs.dtype), probs)


def categorical(key: Any, logits: Any, shape: int | Axes | None = None) -> Any:
    """Indices along the last axis with probabilities proportional to exp(logits).

    Parameters
    ----------
    key : Array, shape (2,)
    logits : Array, shape (..., k)
        Not necessarily normalised; −inf forbids an index.
    shape : tuple of int, optional
        Shape of the result, to which the leading axes of `logits` broadcast.

    Returns
    -------
    Array, shape `shape`, int64

    Notes
    -----
    The largest of logits plus Gumbel noise (Gumbel 1954).
    """
    logits, _ = spread(logits, None)
    if not logits.shape:
        raise ShapeError(
            "categorical numbers need an axis of logits.",
            facts=[("logits", logits.shape)],
            fix="give logits of shape (..., number of classes).",
            where=user_source(),
            code="T101",
        )
    lead = logits.shape[:-1] if shape is None else as_shape(shape)
    full = (*lead, logits.shape[-1])
    noise = gumbel(key, full, logits.dtype)
    return surface.argmax(ew.add(surface.broadcast_to(logits, full), noise), -1)


def randint(key: Any, shape: int | Axes, low: Any, high: Any) -> Any:
    """Integers with low ≤ i < high, all equally likely.

    Parameters
    ----------
    key : Array, shape (2,)
    shape : tuple of int
    low, high : int or integer Array
        Anything that broadcasts to `shape`.

    Returns
    -------
    Array, shape `shape`, int64

    Notes
    -----
    The remainder of 64 bits; probabilities are equal up to (high − low) / 2⁶⁴.
    """
    if isinstance(low, int) and isinstance(high, int) and low >= high:
        raise ArgumentError(
            "there is no integer in that range.",
            facts=[("low", low), ("high", high)],
            fix="give low < high; high itself is not drawn.",
            where=user_source(),
            code="T304",
        )
    shape = as_shape(shape)
    low = surface.broadcast_to(surface.asarray(low, _I64), shape)
    width = ew.sub(surface.broadcast_to(surface.asarray(high, _I64), shape), low)
    offset = ew.remainder(bits(key, shape), ew.convert(width, dtype=_U64))
    return ew.add(ew.convert(offset, dtype=_I64), low)


def permutation(key: Any, n: int) -> Any:
    """The numbers 0 … n − 1 in random order: the order of n random words.

    Parameters
    ----------
    key : Array, shape (2,)
    n : int

    Returns
    -------
    Array, shape (n,), int64
    """
    return argsort(bits(key, (n,)), axis=0)


def shuffle(key: Any, x: Any) -> Any:
    """The rows of an array in random order; differentiable in the rows.

    Parameters
    ----------
    key : Array, shape (2,)
    x : Array, shape (n, ...)
    """
    x = surface.asarray(x)
    n = x.shape[0]
    return gather(x, reshape(permutation(key, n), shape=(n, 1)))


def choice(key: Any, n: int, size: int) -> Any:
    """Different numbers out of 0 … n − 1, in random order (without replacement).

    Parameters
    ----------
    key : Array, shape (2,)
    n, size : int
        0 ≤ size ≤ n. With replacement, use ``randint(key, size, 0, n)``.

    Returns
    -------
    Array, shape (size,), int64
    """
    if not 0 <= size <= n:
        raise ArgumentError(
            "more numbers were asked for than there are.",
            facts=[("size", size), ("n", n)],
            fix="ask for at most n, or use randint, which draws with replacement.",
            where=user_source(),
            code="T304",
        )
    return permutation(key, n)[:size]


# --- counts -----------------------------------------------------------------------------------


def poisson(key: Any, rate: Any, shape: int | Axes | None = None) -> Any:
    """Poisson counts.

    Parameters
    ----------
    key : Array, shape (2,)
    rate : Array
        Non-negative; anything that broadcasts to `shape`.
    shape : tuple of int, optional
        That of `rate` by default.

    Returns
    -------
    Array, shape `shape`, int64
        −1 where the rate is not a finite number ≥ 0.

    Notes
    -----
    Counting up for rates below 10, transformed rejection above.

    References
    ----------
    Hörmann (1993), The transformed rejection method for generating Poisson random variables.
    """
    first, second = each_key(split(checked_key(key), 2), 2)
    rate, shape = spread(rate, shape)
    rate = surface.astype(rate, _F64)
    many = ew.greater_equal(rate, _MANY)
    low = ew.where(many, 1.0, rate)
    few = count_up(
        _poisson_factor,
        uniform(first, shape, _F64),
        ew.exp(ew.neg(low)),
        (low,),
        shape,
        ew.bit_not(many),
    )
    high = ew.where(many, rate, 20.0)
    b = ew.add(ew.mul(ew.sqrt(high), 2.53), 0.931)
    lots = until_accepted(_propose_poisson, second, (high, b), shape, _F64, -1.0, many)
    return _counted(ew.where(many, lots, few), _inside(rate, sys.float_info.max))


def _inside(x: Any, top: float) -> Any:
    return ew.bit_and(ew.greater_equal(x, 0.0), ew.less_equal(x, top))


def _counted(k: Any, valid: Any) -> Any:
    return ew.convert(ew.where(valid, k, -1.0), dtype=_I64)


def _poisson_factor(k: Any, rate: Any) -> Any:
    return ew.div(rate, ew.add(k, 1.0))


def _propose_poisson(words: tuple[Any, Any], rate: Any, b: Any) -> tuple[Any, Any]:
    """Hörmann's algorithm PTRS."""
    a = ew.add(ew.mul(b, 0.02483), -0.059)
    fit = ew.add(ew.div(1.1328, ew.sub(b, 3.4)), 1.1239)
    quick = ew.sub(0.9277, ew.div(3.6224, ew.sub(b, 2.0)))
    k, us, v = _hat(words, a, b, ew.add(rate, 0.43))
    log_pmf = ew.sub(ew.sub(ew.mul(k, ew.log(rate)), rate), lgamma(ew.add(k, 1.0)))
    bound = ew.log(ew.div(ew.mul(v, fit), ew.add(ew.div(a, ew.square(us)), b)))
    return k, _accepted(k, us, v, quick, ew.less_equal(bound, log_pmf))


def _hat(words: tuple[Any, Any], a: Any, b: Any, centre: Any) -> tuple[Any, Any, Any]:
    """The table-mountain proposal: the integer k, the distance of u from the edge, and v."""
    u = ew.sub(unit(words[0], _F64), 0.5)
    v = unit(words[1], _F64)
    us = ew.sub(0.5, ew.absolute(u))
    slope = ew.add(ew.div(ew.mul(a, 2.0), us), b)
    return ew.floor(ew.add(ew.mul(slope, u), centre)), us, v


def _accepted(k: Any, us: Any, v: Any, quick: Any, under: Any) -> Any:
    """At once under the flat top; never below zero; else where the density says so."""
    inside = ew.bit_and(ew.greater_equal(us, 0.07), ew.less_equal(v, quick))
    return ew.bit_and(ew.greater_equal(k, 0.0), ew.bit_or(inside, under))


def binomial(key: Any, total_count: Any, probs: Any, shape: int | Axes | None = None) -> Any:
    """Binomial counts.

    Parameters
    ----------
    key : Array, shape (2,)
    total_count : int or Array
        Non-negative.
    probs : Array
        In [0, 1]. Both broadcast to `shape`.
    shape : tuple of int, optional

    Returns
    -------
    Array, shape `shape`, int64
        −1 where a parameter lies outside its range.

    Notes
    -----
    Counting up where the smaller of successes and failures is expected below 10, transformed
    rejection above.

    References
    ----------
    Hörmann (1993), The generation of binomial random variates.
    """
    first, second = each_key(split(checked_key(key), 2), 2)
    if shape is None:
        shape = surface.broadcast_shape(np.shape(total_count), np.shape(probs))
    (n, shape), (p, _) = spread(total_count, shape), spread(probs, shape)
    n, p = surface.astype(n, _F64), surface.astype(p, _F64)
    valid = ew.bit_and(_inside(p, 1.0), _inside(n, sys.float_info.max))
    flip = ew.greater(p, 0.5)
    p = ew.where(flip, ew.sub(1.0, p), p)
    many = ew.greater_equal(ew.mul(n, p), _MANY)
    few = _few_successes(first, n, p, shape, ew.bit_not(many))
    lots = until_accepted(
        _propose_binomial,
        second,
        (ew.where(many, n, 40.0), ew.where(many, p, 0.5)),
        shape,
        _F64,
        -1.0,
        many,
    )
    k = ew.where(many, lots, few)
    return _counted(ew.where(flip, ew.sub(n, k), k), valid)


def _few_successes(key: Any, n: Any, p: Any, shape: Axes, wanted: Any) -> Any:
    none = ew.exp(ew.mul(n, ew.log1p(ew.neg(p))))
    odds = ew.div(p, ew.sub(1.0, p))
    k = count_up(_binomial_factor, uniform(key, shape, _F64), none, (n, odds), shape, wanted)
    return ew.minimum(k, n)


def _binomial_factor(k: Any, n: Any, odds: Any) -> Any:
    return ew.mul(ew.div(ew.sub(n, k), ew.add(k, 1.0)), odds)


def _propose_binomial(words: tuple[Any, Any], n: Any, p: Any) -> tuple[Any, Any]:
    """Hörmann's algorithm BTRS."""
    q = ew.sub(1.0, p)
    spread_ = ew.sqrt(ew.mul(ew.mul(n, p), q))
    b = ew.add(ew.mul(spread_, 2.53), 1.15)
    a = ew.add(ew.add(ew.mul(b, 0.0248), ew.mul(p, 0.01)), -0.0873)
    k, us, v = _hat(words, a, b, ew.add(ew.mul(n, p), 0.5))
    fit = ew.mul(ew.add(ew.div(5.1, b), 2.83), spread_)
    quick = ew.sub(0.92, ew.div(4.2, b))
    mode = ew.floor(ew.mul(ew.add(n, 1.0), p))
    bound = ew.log(ew.div(ew.mul(v, fit), ew.add(ew.div(a, ew.square(us)), b)))
    ratio = ew.mul(ew.sub(k, mode), ew.log(ew.div(p, q)))
    log_pmf = ew.add(ew.sub(_log_ways(n, mode), _log_ways(n, k)), ratio)
    under = ew.less_equal(bound, log_pmf)
    return k, ew.bit_and(ew.less_equal(k, n), _accepted(k, us, v, quick, under))


def _log_ways(n: Any, k: Any) -> Any:
    """log k! (n − k)!."""
    return ew.add(lgamma(ew.add(k, 1.0)), lgamma(ew.add(ew.sub(n, k), 1.0)))
