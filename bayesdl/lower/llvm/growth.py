"""Sums of softplus as logarithms of products: one logarithm for hundreds of terms.

Σ log(1 + eˣ) = Σ max(x, 0) + log Π (1 + z) with z = e^-|x|, which a sigmoid of the same x, the
slope, needs as well. No factor exceeds 2, so that as many as the exponent has room for are
multiplied. The product is kept as its growth g = Π (1 + z) - 1, and one more factor makes it
g (1 + z) + z: all is positive, so that sums of tiny terms keep their relative accuracy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass

from .code import Code, constant, value_type
from .expression import F64, Node, element, number
from .lanes import Lanes

DType = np.dtype[Any]

FACTORS = 1000  # at most so many in a product: 2^1000 is a float64, and so are all parts of it
FEWEST = 32  # terms for which it pays
SIDES = 4  # products side by side, for each multiplication waits for the one before


@dataclass(frozen=True, slots=True, eq=False)
class Factors:
    """What stands for the softplus of a sum's terms.

    Parameters
    ----------
    node : Node
        z, and 0 where the softplus does not count.
    sign : int
        1, or -1 where it is subtracted.
    """

    node: Node
    sign: int


def split(node: Node, fits: Callable[[Node], bool]) -> tuple[Node, list[tuple[Node, Factors]]]:
    """The terms of a sum without logarithms, and each softplus with its factors.

    Parameters
    ----------
    node : Node
        One term.
    fits : callable, (Node) -> bool
        Which softplus is to be taken out.
    """
    found: list[tuple[Node, Factors]] = []
    return _rest(node, 1, (), fits, found), found


def _rest(
    node: Node,
    sign: int,
    cases: tuple[tuple[Node, bool], ...],
    fits: Callable[[Node], bool],
    found: list[tuple[Node, Factors]],
) -> Node:
    """A part of a term without its softplus; `cases` are the conditions under which it counts."""
    if node.kind != "element":
        return node
    (name, params), args = node.data, node.args
    zero = number(0, node.dtype)
    if name == "softplus" and fits(node):
        (x,) = args
        z = element("decay", node.dtype, x)
        for condition, wanted in cases:
            pair = (z, zero) if wanted else (zero, z)
            z = element("where", node.dtype, condition, *pair)
        found.append((node, Factors(z, sign)))
        return element("where", node.dtype, element("less", np.bool_, x, zero), zero, x)
    if name in ("add", "sub", "neg"):
        signs = (-sign,) if name == "neg" else (sign, sign if name == "add" else -sign)
        rest = [_rest(a, s, cases, fits, found) for a, s in zip(args, signs, strict=True)]
    elif name == "where":
        condition, yes, no = args
        rest = [
            condition,
            _rest(yes, sign, (*cases, (condition, True)), fits, found),
            _rest(no, sign, (*cases, (condition, False)), fits, found),
        ]
    else:
        return node
    if all(a is b for a, b in zip(args, rest, strict=True)):
        return node
    return element(name, node.dtype, *rest, params=params)


def nodes_below(roots: Sequence[Node], parts: Callable[[Node], Sequence[Node]]) -> Iterator[Node]:
    """All that roots are computed from, themselves included."""
    found, waiting = set[Node](), list(roots)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting.extend(parts(node))
            yield node


def logarithm(code: Code, pointer: str, count: int, dtype: DType) -> str:
    """Σ log(1 + z) over numbers in memory, at most FACTORS of them, as a float64.

    Parameters
    ----------
    code : Code
    pointer : str
        Address of z, each in [0, 1].
    count : int
    dtype : dtype
        float32 or float64.
    """
    lanes = Lanes(code, dtype)
    full, rest = divmod(count, lanes.count)
    sides = min(SIDES, full)
    sums = ["zeroinitializer"] * sides
    if full:
        state = [(lanes.kind(), s) for s in sums]
        with code.loop(full // sides, state, rolled=True) as loop:
            first = code.scale(loop.index, sides * lanes.count)
            for side, g in enumerate(loop.state):
                at = code.add(first, str(side * lanes.count))
                loop.next.append(_grown(code, dtype, lanes.count, g, lanes.load(pointer, at)))
        sums = loop.next
        for side in range(full % sides):
            z = lanes.load(pointer, str((full - full % sides + side) * lanes.count))
            sums[side] = _grown(code, dtype, lanes.count, sums[side], z)
    if rest:
        z = lanes.load_padded(pointer, str(full * lanes.count), rest)
        sums = [_grown(code, dtype, lanes.count, sums[0], z), *sums[1:]] if sums else [z]
    return _logarithm_of(code, [_widened(code, dtype, lanes.count, g) for g in sums], lanes.count)


def _logarithm_of(code: Code, sums: list[str], width: int) -> str:
    """log(1 + g) of all lanes of registers of float64 together."""
    while len(sums) > 1:
        left, right = sums[::2], sums[1::2]
        pairs = [_grown(code, F64, width, a, b) for a, b in zip(left, right, strict=False)]
        sums = pairs + left[len(right) :]
    (total,) = sums
    while width > 1:
        kind, half = f"<{width} x double>", width // 2
        parts = []
        for start in (0, half):
            chosen = ", ".join(f"i32 {start + i}" for i in range(half))
            parts.append(
                code.let(f"shufflevector {kind} {total}, {kind} poison, <{half} x i32> <{chosen}>")
            )
        total, width = _grown(code, F64, half, *parts), half
    last = code.let(f"extractelement <1 x double> {total}, i64 0")
    return code.let(
        f"call double @{code.module.math('log1p', F64, 1, inline=False)}(double {last})"
    )


def _grown(code: Code, dtype: DType, width: int, g: str, z: str) -> str:
    """(1 + g) (1 + z) - 1."""
    lanes = Lanes(code, dtype)
    kind, one = lanes.kind(width), f"{value_type(dtype)} {constant(1, dtype)}"
    ones = ", ".join([one] * width)
    factor = code.let(f"fadd {kind} {z}, <{ones}>")
    return lanes.muladd(g, factor, z, width)


def _widened(code: Code, dtype: DType, width: int, value: str) -> str:
    """A register as one of float64."""
    if dtype == F64:
        return value
    return code.let(f"fpext <{width} x float> {value} to <{width} x double>")
