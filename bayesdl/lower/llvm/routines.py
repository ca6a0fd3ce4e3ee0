"""Loops of their own: cumulative sums, positions of extrema, sorting, random bits."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from bayesdl.ir.program import Equation
from bayesdl.ir.types import ArrayType

from .code import Code, value_type
from .emit import Scope, emits
from .expression import I64
from .scalars import arithmetic, compare

MULTIPLIERS, WEYL = (0xD2511F53, 0xCD9E8D57), (0x9E3779B9, 0xBB67AE85)
# From so many words on, random bits are written into their loop, which LLVM then widens.
MANY_WORDS = 64
DType = np.dtype[Any]
U64, U32 = np.dtype(np.uint64), np.dtype(np.uint32)


def lanes(kind: ArrayType, axis: int) -> tuple[int, int, int]:
    """Sizes before, along and after an axis."""
    return prod(kind.shape[:axis]), kind.shape[axis], prod(kind.shape[axis + 1 :])


@emits("cumulative_sum")
def _cumulative_sum(scope: Scope, equation: Equation) -> None:
    code, (x,), (out,) = scope.code, equation.inputs, equation.outputs
    outer, n, inner = lanes(x.type, equation.params["axis"])
    if not x.type.size:
        return
    source, target, dtype = scope.pointer(x), scope.pointer(out), x.type.dtype
    zero = "0" if dtype.kind != "f" else "0.0"
    with code.loop(outer) as block, code.loop(inner) as lane:
        start = code.add(code.scale(block.index, n * inner), lane.index)
        with code.loop(n, [(value_type(dtype), zero)]) as step:
            at = step.index
            if equation.params["reverse"]:
                at = code.let(f"sub nsw i64 {n - 1}, {at}")
            offset = code.add(start, code.scale(at, inner))
            total = arithmetic(code, "add", dtype, step.state[0], code.load(source, offset, dtype))
            code.store(total, target, offset, dtype)
            step.next = [total]


@emits("argmax", "argmin")
def _arg_extremum(scope: Scope, equation: Equation) -> None:
    """The first extremum; the first NaN where there is one, as in NumPy."""
    code, (x,), (out,) = scope.code, equation.inputs, equation.outputs
    word = "greater" if equation.primitive.name == "argmax" else "less"
    outer, n, inner = lanes(x.type, equation.params["axis"])
    if not outer * inner:
        return
    source, dtype, kind = scope.pointer(x), x.type.dtype, value_type(x.type.dtype)
    with code.loop(outer) as block, code.loop(inner) as lane:
        start = code.add(code.scale(block.index, n * inner), lane.index)
        first = code.load(source, start, dtype)
        with code.loop(n, [(kind, first), ("i64", "0")]) as step:
            best, where = step.state
            value = code.load(source, code.add(start, code.scale(step.index, inner)), dtype)
            better = compare(code, word, dtype, value, best)
            if dtype.kind == "f":
                is_nan, was_number = (
                    code.let(f"fcmp {t} {kind} {v}, {v}")
                    for t, v in (("uno", value), ("ord", best))
                )
                better = code.let(f"or i1 {better}, {code.let(f'and i1 {is_nan}, {was_number}')}")
            step.next = [
                code.let(f"select i1 {better}, {kind} {value}, {kind} {best}"),
                code.let(f"select i1 {better}, i64 {step.index}, i64 {where}"),
            ]
        if out.type.shape:
            code.store(
                step.next[1],
                scope.pointer(out),
                code.add(code.scale(block.index, inner), lane.index),
                I64,
            )
        else:
            scope.define(out, step.next[1])


@emits("argsort")
def _argsort(scope: Scope, equation: Equation) -> None:
    code, (x,), (out,) = scope.code, equation.inputs, equation.outputs
    outer, n, inner = lanes(x.type, equation.params["axis"])
    if not x.type.size:
        return
    name = _sort_function(scope, x.type.dtype)
    source, target = scope.pointer(x), scope.pointer(out)
    here, there = scope.scratch(8 * n, 8 * n)
    with code.loop(outer) as block, code.loop(inner) as lane:
        start = code.add(code.scale(block.index, n * inner), lane.index)
        a, b = code.at(source, start, x.type.dtype), code.at(target, start, I64)
        sizes = f"i64 {inner}, i64 {n}, i64 {(n - 1).bit_length()}"
        code.do(f"call void @{name}(ptr {a}, ptr {b}, {sizes}, ptr {here}, ptr {there})")


def _sort_function(scope: Scope, dtype: np.dtype[Any]) -> str:
    """A stable merge sort of positions, from runs of one upwards; NaN goes last."""
    name = f"bdl.argsort.{dtype.kind}{dtype.itemsize}"
    code = Code(scope.code.module)
    with code.loop("%n") as fill:
        code.store(fill.index, "%here", fill.index, I64)
    with code.loop("%rounds", [("i64", "1"), ("ptr", "%here"), ("ptr", "%there")]) as turn:
        width, read, write = turn.state
        pair = code.let(f"shl i64 {width}, 1")
        above = code.let(f"add i64 %n, {code.let(f'sub i64 {pair}, 1')}")
        with code.loop(code.let(f"udiv i64 {above}, {pair}")) as run:
            _merge(code, dtype, code.let(f"mul i64 {run.index}, {pair}"), width, read, write)
        turn.next = [pair, write, read]
    with code.loop("%n") as give:
        position = code.load(turn.next[1], give.index, I64)
        code.store(position, "%out", code.let(f"mul i64 {give.index}, %stride"), I64)
    code.do("ret void")
    arguments = "ptr %x, ptr %out, i64 %stride, i64 %n, i64 %rounds, ptr %here, ptr %there"
    head = f"define internal void @{name}({arguments})"
    scope.code.module.define(name, "\n".join([head + " nounwind {", "entry:", *code.lines, "}"]))
    return name


def _merge(code: Code, dtype: np.dtype[Any], low: str, width: str, read: str, write: str) -> None:
    """Merge two neighbouring runs of positions."""
    middle = code.intrinsic("umin", U64, code.let(f"add i64 {low}, {width}"), "%n")
    high = code.intrinsic("umin", U64, code.let(f"add i64 {middle}, {width}"), "%n")
    with code.loop(code.let(f"sub i64 {high}, {low}"), [("i64", low), ("i64", middle)]) as step:
        i, j = step.state
        left, right = code.let(f"icmp ult i64 {i}, {middle}"), code.let(f"icmp ult i64 {j}, {high}")
        positions, keys = [], []
        for present, at in ((left, i), (right, j)):
            safe = code.let(f"select i1 {present}, i64 {at}, i64 {low}")
            positions.append(code.load(read, safe, I64))
            keys.append(code.load("%x", code.let(f"mul i64 {positions[-1]}, %stride"), dtype))
        smaller = compare(code, "less", dtype, keys[1], keys[0])
        if dtype.kind == "f":
            kind = value_type(dtype)
            number = code.let(f"fcmp ord {kind} {keys[1]}, {keys[1]}")
            nan = code.let(f"fcmp uno {kind} {keys[0]}, {keys[0]}")
            smaller = code.let(f"or i1 {smaller}, {code.let(f'and i1 {number}, {nan}')}")
        spent = code.let(f"xor i1 {left}, true")
        take = code.let(f"and i1 {right}, {code.let(f'or i1 {spent}, {smaller}')}")
        chosen = code.let(f"select i1 {take}, i64 {positions[1]}, i64 {positions[0]}")
        code.store(chosen, write, code.let(f"add i64 {low}, {step.index}"), I64)
        one = code.let(f"zext i1 {take} to i64")
        step.next = [
            code.let(f"add i64 {i}, {code.let(f'xor i64 {one}, 1')}"),
            code.let(f"add i64 {j}, {one}"),
        ]


@emits("random_bits")
def _random_bits(scope: Scope, equation: Equation) -> None:
    code, (key, *number), (out,) = scope.code, equation.inputs, equation.outputs
    domain, keys, dtype = str(equation.params["domain"]), scope.pointer(key), out.type.dtype

    def block(pair: str, index: str) -> str:
        """The number of a block, of those that a key gives."""
        for first in number:
            many = bool(first.type.shape)
            before = code.load(scope.pointer(first), pair, U64) if many else scope.scalar(first)
            index = code.add(before, index)
        return index

    if not out.type.shape:
        words = _called_philox(code, _key(code, keys, "0"), block("0", "0"), domain, dtype)
        scope.define(out, words[0])
        return
    count = key.type.size // 2
    size, group = out.type.size // max(count, 1), code.module.group()
    tag, target = f", !llvm.access.group {group}", scope.pointer(out)
    if not out.type.size:
        return
    many, each = size >= MANY_WORDS, 16 // dtype.itemsize
    with code.loop(count) as lead:
        pair, start = _key(code, keys, lead.index), code.scale(lead.index, size)
        if size >= each:
            with code.loop(size // each, group=group, rolled=not many) as loop:
                at = code.add(start, code.scale(loop.index, each))
                write = _philox if many else _called_philox
                here = block(lead.index, loop.index)
                for i, word in enumerate(write(code, pair, here, domain, dtype)):
                    code.store(word, target, code.add(at, str(i)), dtype, tag)
        if size % each:
            last = block(lead.index, str(size // each))
            words = _called_philox(code, pair, last, domain, dtype)[: size % each]
            for i, word in enumerate(words):
                at = code.add(start, str(size - size % each + i))
                code.store(word, target, at, dtype)


def _key(code: Code, keys: str, at: str) -> list[str]:
    start = code.scale(at, 2)
    return [code.load(keys, code.add(start, str(i)), U32) for i in range(2)]


def _called_philox(code: Code, key: list[str], block: str, domain: str, dtype: DType) -> list[str]:
    """The words of one block, from a function: two hundred instructions that stand once."""
    name, pair = "bdl.philox", "{ i64, i64 }"
    if name not in code.module.definitions:
        inner = Code(code.module)
        words = _philox(inner, ["%k0", "%k1"], "%block", "%domain", U64)
        first = inner.let(f"insertvalue {pair} undef, i64 {words[0]}, 0")
        inner.do(f"ret {pair} {inner.let(f'insertvalue {pair} {first}, i64 {words[1]}, 1')}")
        head = f"define internal {pair} @{name}(i32 %k0, i32 %k1, i64 %block, i32 %domain)"
        tail = "noinline nounwind willreturn memory(none) {"
        code.module.define(name, "\n".join([f"{head} {tail}", "entry:", *inner.lines, "}"]))
    arguments = f"i32 {key[0]}, i32 {key[1]}, i64 {block}, i32 {domain}"
    found = code.let(f"call {pair} @{name}({arguments})")
    pairs = [code.let(f"extractvalue {pair} {found}, {i}") for i in range(2)]
    if dtype == U64:
        return pairs
    halves = ((p, code.let(f"lshr i64 {p}, 32")) for p in pairs)
    return [code.let(f"trunc i64 {half} to i32") for both in halves for half in both]


def _philox(code: Code, key: list[str], block: str, domain: str, dtype: DType) -> list[str]:
    """Philox4x32-10 (Salmon et al. 2011, section 3.3): the words of one block."""
    low32 = code.let(f"trunc i64 {block} to i32")
    high32 = code.let(f"trunc i64 {code.let(f'lshr i64 {block}, 32')} to i32")
    c, (k0, k1) = [low32, high32, "0", domain], key
    for turn in range(10):
        if turn:
            k0, k1 = (
                code.let(f"add i32 {k}, {w - 2**32}") for k, w in ((k0, WEYL[0]), (k1, WEYL[1]))
            )
        (high0, low0), (high1, low1) = (
            _wide_product(code, m, x) for m, x in zip(MULTIPLIERS, c[::2], strict=True)
        )
        mixed = (
            code.let(f"xor i32 {code.let(f'xor i32 {a}, {b}')}, {k}")
            for a, b, k in ((high1, c[1], k0), (high0, c[3], k1))
        )
        c = [next(mixed), low1, next(mixed), low0]
    if dtype == U32:
        return c
    words = [code.let(f"zext i32 {x} to i64") for x in c]
    pairs = [(words[0], words[1]), (words[2], words[3])]
    return [code.let(f"or i64 {a}, {code.let(f'shl i64 {b}, 32')}") for a, b in pairs]


def _wide_product(code: Code, factor: int, x: str) -> tuple[str, str]:
    """High and low half of a 32-bit product."""
    full = code.let(f"mul i64 {code.let(f'zext i32 {x} to i64')}, {factor}")
    high = code.let(f"trunc i64 {code.let(f'lshr i64 {full}, 32')} to i32")
    return high, code.let(f"trunc i64 {full} to i32")
