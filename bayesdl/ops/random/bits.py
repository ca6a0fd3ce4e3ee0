"""Keys and bits: Philox4x32-10 as a primitive, and how one key becomes many.

One key names 2¹²⁸ blocks of four 32-bit words; a block is found by its counter alone, so any
element of any array can be computed without the ones before it, in any order and on any thread. The
last counter word is the *domain*: what a key is used for. Blocks of different domains never have
the same counter, hence the numbers of `bits`, the keys of `split` and the keys of `fold_in` never
share a block.

References
----------
Salmon, Moraes, Dror, Shaw (2011), Parallel random numbers: as easy as 1, 2, 3.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from bayesdl._base.errors import ArgumentError
from bayesdl._base.memory import require_array
from bayesdl._base.source import user_source
from bayesdl.ir.primitive import Case
from bayesdl.ir.types import ArrayType

from .. import elementwise as ew
from .._declare import general
from ..structural import Axes, broadcast, concatenate, reshape, slice_

BITS, SPLIT, FOLD, FOLDED = range(4)  # domains

_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
# Bytes that the rounds hold at most, for each byte of the words that come out: measured.
_ROUNDS = 6.5
_WORD, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
_U32, _U64 = np.dtype(np.uint32), np.dtype(np.uint64)


def philox(
    counter: tuple[Any, Any, Any, Any], key: tuple[Any, Any], rounds: int = 10
) -> tuple[Any, ...]:
    """The block function Philox4x32 on words held in uint64 arrays, elementwise."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(rounds):
        first, second = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (
            (second >> _HALF) ^ c1 ^ k0,
            second & _WORD,
            (first >> _HALF) ^ c3 ^ k1,
            first & _WORD,
        )
        k0, k1 = (k0 + _WEYL[0]) & _WORD, (k1 + _WEYL[1]) & _WORD
    return c0, c1, c2, c3


def _bits_type(key: ArrayType, *first: ArrayType, shape: Axes, domain: int, width: int = 64) -> Any:
    if key.dtype != _U32 or key.shape[-1:] != (2,):
        raise _no_key(key)
    for number in first:
        if number.dtype != _U64 or number.shape not in ((), key.shape[:-1]):
            raise _no_number(key, number)
    return ArrayType((*key.shape[:-1], *shape), _U64 if width == 64 else _U32)


def _no_key(found: Any) -> ArgumentError:
    return ArgumentError(
        "random numbers need a key.",
        facts=[("given", found), ("needed", "u32[2]")],
        fix="make one with random.key(seed), and many from one with random.split(key, n).",
        where=user_source(),
        code="T301",
    )


def _no_number(key: Any, found: Any) -> ArgumentError:
    return ArgumentError(
        "the number of the first block does not fit the keys.",
        facts=[("keys", key), ("given", found), ("needed", "u64[], or one for each key")],
        fix="give one number of dtype uint64.",
        where=user_source(),
        code="T301",
    )


def _bits_numpy(key: Any, *first: Any, shape: Axes, domain: int, width: int = 64) -> Any:
    size, each = int(np.prod(shape, dtype=np.int64)), 128 // width
    require_array((*np.shape(key)[:-1], *shape), width // 8, _ROUNDS)
    words = np.asarray(key).astype(_U64)[..., None]
    block = np.arange(-(-size // each), dtype=_U64)
    for number in first:
        block = block + np.asarray(number, _U64)[..., None]
    zero = np.zeros_like(block)
    counter = (block & _WORD, block >> _HALF, zero, zero + np.uint64(domain))
    found = philox(counter, (words[..., 0, :], words[..., 1, :]))
    if width == 64:
        found = found[0] | (found[1] << _HALF), found[2] | (found[3] << _HALF)
    made = np.stack(found, axis=-1).astype(_U64 if width == 64 else _U32)
    lead = words.shape[:-2]
    return np.ascontiguousarray(made.reshape((*lead, -1))[..., :size]).reshape((*lead, *shape))


def _bits_batch(_: Any, size: int, args: Any, flags: Any, **params: Any) -> Any:
    if len(args) == 1 or not flags[1]:
        return (random_bits(*args, **params),), (True,)
    key, first = args
    key = key if flags[0] else broadcast(key, shape=(size, *np.shape(key)), axes=(0,))
    lead = np.shape(key)[:-1]
    if np.shape(first) != lead:
        first = broadcast(first, shape=lead, axes=tuple(range(1, len(lead))))
    return (random_bits(key, first, **params),), (True,)


_KEY = np.array([7, 0xFFFFFFFF], dtype=np.uint32)
# random_bits(key: u32[*batch, 2]; shape, domain, width=64) -> u64[*batch, *shape]. Element i
# (row-major) comes from the block with counter words (lo32(i // 2), hi32(i // 2), 0, domain) under
# the key's two words: w0 | w1 << 32 for even i, w2 | w3 << 32 for odd i. With a width of 32 it is
# u32, and element i is word i % 4 of block i // 4: half the work where 32 bits are enough. A second
# operand, u64[] or u64[*batch], is the number of the first block: part of a longer array.
random_bits = general(
    "random_bits",
    generates=True,
    type=_bits_type,
    numpy=_bits_numpy,
    batch=_bits_batch,
    cases=(
        Case(("u32[2]",), {"shape": (), "domain": 0}, values=(_KEY,)),
        Case(("u32[2]",), {"shape": (5,), "domain": 0}, values=(_KEY,)),
        Case(("u32[2]",), {"shape": (2, 3), "domain": 1}, values=(_KEY,)),
        Case(
            ("u32[3,2]",),
            {"shape": (3,), "domain": 2},
            values=(np.stack([_KEY, _KEY + np.uint32(1), _KEY * 0]),),
        ),
        Case(("u32[2]",), {"shape": (0,), "domain": 0}, values=(_KEY,)),
        Case(("u32[2]",), {"shape": (7,), "domain": 0, "width": 32}, values=(_KEY,)),
        Case(
            ("u32[2]", "u64[]"), {"shape": (5,), "domain": 0}, values=(_KEY, np.uint64(2**32 - 1))
        ),
    ),
)


def key(seed: int) -> Any:
    """A key from an integer.

    Parameters
    ----------
    seed : int
        0 ≤ seed < 2⁶⁴. Different seeds give different keys, and near seeds unrelated ones: the
        finaliser of SplitMix64 (Steele, Lea, Flood 2014), a bijection of 64 bits, stands between.

    Returns
    -------
    Array, shape (2,), uint32

    Raises
    ------
    ArgumentError
        If the seed is not an integer of that range.

    Examples
    --------
    >>> key(0).tolist()
    [2065550767, 3793791033]
    """
    try:
        number = operator.index(seed)
    except TypeError:
        number = -1
    if not 0 <= number < 2**64:
        raise ArgumentError(
            "a seed must be an integer from 0 to 2**64 - 1.",
            facts=[("given", repr(seed))],
            fix="random.key(0)",
            where=user_source(),
            code="T302",
        )
    mixed = (number + 0x9E3779B97F4A7C15) % 2**64
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB % 2**64
    mixed ^= mixed >> 31
    return np.array([mixed & 0xFFFFFFFF, mixed >> 32], dtype=np.uint32)


def checked_key(key: Any) -> Any:
    """The key, or the error that says what a key is."""
    if np.shape(key) != (2,) or getattr(key, "dtype", None) != _U32:
        raise _no_key(repr(key)[:60])
    return key


def bits(key: Any, shape: int | Axes = (), width: int = 64) -> Any:
    """Independent uniform words.

    Parameters
    ----------
    key : Array, shape (2,)
    shape : tuple of int
    width : {64, 32}
        Bits of a word.

    Returns
    -------
    Array, shape `shape`, uint64 or uint32
        The same words on every backend. A longer array starts with the words of a shorter one.
    """
    # A width of 64 is not written out, so that Programs read as they did without the choice.
    wide = {} if width == 64 else {"width": width}
    return random_bits(checked_key(key), shape=as_shape(shape), domain=BITS, **wide)


def split(key: Any, n: int = 2) -> Any:
    """n keys from one; use each of them, and the first no more.

    Parameters
    ----------
    key : Array, shape (2,)
    n : int

    Returns
    -------
    Array, shape (n, 2), uint32
    """
    return as_keys(random_bits(checked_key(key), shape=(n,), domain=SPLIT))


def fold_in(key: Any, number: Any) -> Any:
    """The key of one number out of many: of a step, a row, a chain.

    Parameters
    ----------
    key : Array, shape (2,)
    number : int or integer Array, shape ()
        May be known only when the Program runs. Negative numbers count as their 64-bit pattern.

    Returns
    -------
    Array, shape (2,), uint32

    Notes
    -----
    Two blocks: the key's block in a domain of its own is combined with the number, and the result
    is the key of a second block, whose first half is the new key.
    """
    number = ew.convert(number if not isinstance(number, int) else np.int64(number), dtype=_U64)
    mixed = ew.bit_xor(random_bits(checked_key(key), shape=(), domain=FOLD), number)
    return as_keys(random_bits(as_keys(mixed), shape=(), domain=FOLDED))


def as_shape(shape: int | Axes) -> Axes:
    """A shape given as an int or a tuple."""
    return (
        (operator.index(shape),)
        if not isinstance(shape, (tuple, list))
        else tuple(map(operator.index, shape))
    )


def as_keys(words: Any) -> Any:
    """64-bit words (...) as keys (..., 2), the low half first."""
    shape = np.shape(words)
    low = ew.convert(ew.bit_and(words, 0xFFFFFFFF), dtype=_U32)
    high = ew.convert(ew.shift_right(words, 32), dtype=_U32)
    return concatenate(*(reshape(w, shape=(*shape, 1)) for w in (low, high)), axis=len(shape))


def each_key(keys: Any, n: int) -> list[Any]:
    """The rows of `split`, one by one."""
    return [
        reshape(slice_(keys, start=(i, 0), limit=(i + 1, 2), stride=(1, 1)), shape=(2,))
        for i in range(n)
    ]


def halves(words: Any) -> tuple[Any, Any]:
    """The two rows of an array (2, ...)."""
    shape = np.shape(words)[1:]
    start, limit, stride = (0,) * len(shape), shape, (1,) * len(shape)
    first, second = (
        reshape(
            slice_(words, start=(i, *start), limit=(i + 1, *limit), stride=(1, *stride)),
            shape=shape,
        )
        for i in range(2)
    )
    return first, second


def filled(x: Any, shape: Axes) -> Any:
    """A scalar repeated to a shape."""
    return broadcast(x, shape=shape, axes=tuple(range(len(shape)))) if shape else x
