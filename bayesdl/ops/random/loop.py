"""The two loops of samplers: try again until accepted, and count up until a probability is reached.

Both are `while_loop` equations over whole arrays: native on every backend, and batched by the
ordinary rule.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from bayesdl.ir.program import Program
from bayesdl.ir.types import ArrayType

from .. import elementwise as ew
from .._trace import trace_flat
from ..control import while_loop
from ..structural import Axes, reduce_or
from .bits import BITS, filled, fold_in, halves, random_bits

KEY = ArrayType((2,), np.dtype(np.uint32))
COUNT = ArrayType((), np.dtype(np.int64))
# A proposal is accepted more often than not, so this many refusals mean a parameter outside its
# domain.
ROUNDS = 256


def until_accepted(
    propose: Callable[..., tuple[Any, Any]],
    key: Any,
    operands: tuple[Any, ...],
    shape: Axes,
    dtype: Any,
    start: float,
    wanted: Any = None,
) -> Any:
    """Propose for every element until its proposal is accepted.

    Parameters
    ----------
    propose : callable, ((words, words), *operands) -> (value, accepted)
        A module-level function; words are 64-bit and fresh in each round.
    key : Array, shape (2,)
    operands : tuple of Array, shape `shape`, of dtype `dtype`
    shape, dtype
        Of the value.
    start : float
        What an element keeps that is never accepted.
    wanted : bool Array, optional
        The elements to work for; all by default.
    """
    value = filled(np.dtype(dtype).type(start), shape)
    open_ = filled(np.bool_(True), shape) if wanted is None else wanted
    test, body = _rejection(propose, len(operands), shape, np.dtype(dtype))
    loop = while_loop(
        key, *operands, np.int64(0), open_, value, test=test, body=body, constants=1 + len(operands)
    )
    return loop[2]


@cache
def _rejection(propose: Any, n: int, shape: Axes, dtype: np.dtype[Any]) -> tuple[Program, Program]:
    types = (
        KEY,
        *(ArrayType(shape, dtype),) * n,
        COUNT,
        ArrayType(shape, np.dtype(bool)),
        ArrayType(shape, dtype),
    )

    def body(key: Any, *v: Any) -> list[Any]:
        operands, (count, open_, value) = v[:n], v[n:]
        words = random_bits(fold_in(key, count), shape=(2, *shape), domain=BITS)
        proposed, accepted = propose(halves(words), *operands)
        taken = ew.bit_and(open_, accepted)
        return [
            ew.add(count, 1),
            ew.bit_and(open_, ew.bit_not(accepted)),
            ew.where(taken, proposed, value),
        ]

    return trace_flat(_test_of(n + 1, shape), types, "open"), trace_flat(body, types, "try")


def _test_of(constants: int, shape: Axes) -> Callable[..., list[Any]]:
    """Whether any element is still open and the rounds are not used up."""

    def test(*v: Any) -> list[Any]:
        count, open_ = v[constants], v[constants + 1]
        some = reduce_or(open_, axes=tuple(range(len(shape)))) if shape else open_
        return [ew.bit_and(some, ew.less(count, ROUNDS))]

    return test


def count_up(
    factor: Callable[..., Any],
    u: Any,
    first: Any,
    operands: tuple[Any, ...],
    shape: Axes,
    wanted: Any,
) -> Any:
    """The smallest k with P(0) + … + P(k) ≥ u, by the recurrence P(k + 1) = P(k) factor(k).

    Parameters
    ----------
    factor : callable, (k, *operands) -> Array
        A module-level function.
    u, first : float64 Array, shape `shape`
        The probability to reach, and P(0).
    operands : tuple of float64 Array, shape `shape`
    shape : tuple of int
    wanted : bool Array, shape `shape`
        The elements to work for; others get 0.

    Returns
    -------
    float64 Array, shape `shape`
    """
    open_ = ew.bit_and(wanted, ew.greater(u, first))
    test, body = _counting(factor, len(operands), shape)
    loop = while_loop(
        *operands,
        np.int64(0),
        open_,
        filled(np.float64(0.0), shape),
        first,
        ew.sub(u, first),
        test=test,
        body=body,
        constants=len(operands),
    )
    return loop[2]


@cache
def _counting(factor: Any, n: int, shape: Axes) -> tuple[Program, Program]:
    number = ArrayType(shape, np.dtype(np.float64))
    types = (*(number,) * n, COUNT, ArrayType(shape, np.dtype(bool)), number, number, number)

    def body(*v: Any) -> list[Any]:
        operands, (count, open_, k, p, rest) = v[:n], v[n:]
        p = ew.mul(p, factor(k, *operands))
        k = ew.where(open_, ew.add(k, 1.0), k)
        return [ew.add(count, 1), ew.bit_and(open_, ew.greater(rest, p)), k, p, ew.sub(rest, p)]

    return trace_flat(_test_of(n, shape), types, "open"), trace_flat(body, types, "count")
