"""Random well-typed Programs: what no one would think of writing, to try laws and backends on.

A Program grows one equation at a time over a pool of values. Elementwise primitives are read off
the registry, and their operands are squeezed into the domain that their own cases name; the other
families have a rule each. Bodies of loops and branches are Programs grown in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesdl.ir.primitive import PRIMITIVES, Primitive
from bayesdl.ir.program import Program
from bayesdl.ir.types import NAMES, ArrayType, parse_type
from bayesdl.ops import control, linalg, random, special  # noqa: F401  (declared on import)
from bayesdl.ops import elementwise as ew
from bayesdl.ops import structural as st
from bayesdl.ops._bind import bind
from bayesdl.tracing import trace_flat

from .laws import Arrays, draw

# Not differentiable somewhere inside their domain, or constant between jumps.
KINKED = frozenset(
    [
        "abs",
        "max",
        "min",
        "sign",
        "floor",
        "ceil",
        "rint",
        "stop_gradient",
        "convert",
        "bitcast",
        "equal",
        "not_equal",
        "less",
        "less_equal",
        "greater",
        "greater_equal",
        "isfinite",
        "isnan",
    ]
)
SHAPES = ((), (3,), (4,), (2, 3), (3, 3), (2, 1, 3))
I64 = np.dtype(np.int64)


@dataclass(frozen=True)
class Style:
    """Which Programs are grown.

    Parameters
    ----------
    smooth : bool
        Only operations that are differentiable everywhere, so that difference quotients can be
        trusted.
    dtypes : tuple of str
        Dtypes of the inputs.
    loops : bool
        Whether `while_loop` may occur, through which reverse mode does not go.
    depth : int
        How deep bodies may lie inside bodies.
    """

    smooth: bool = False
    dtypes: tuple[str, ...] = ("f64", "f64", "f64", "i64", "bool", "f32")
    loops: bool = True
    depth: int = 2


SMOOTH = Style(smooth=True, dtypes=("f64", "f64", "f64", "bool"), loops=False)
SMOOTH_LOOPS = Style(smooth=True, dtypes=("f64", "f64", "f64", "bool"), loops=True)


def random_program(seed: int, size: int, style: Style = Style()) -> tuple[Program, list[Arrays]]:
    """A Program of about `size` operations, and three sets of inputs for it.

    Parameters
    ----------
    seed, size : int
        The same two give the same Program.
    style : Style
    """
    rng = np.random.default_rng([seed, size])
    count = int(rng.integers(1, 5))
    types = [ArrayType(_pick(rng, SHAPES), NAMES[_pick(rng, style.dtypes)]) for _ in range(count)]
    types[0] = types[0].with_dtype(np.float64)
    program = _grown(rng, types, size, style, lambda w: w.last(int(rng.integers(1, 4))))
    return program, [[draw(rng, t) for t in types] for _ in range(3)]


def _grown(
    rng: np.random.Generator,
    types: Sequence[ArrayType],
    size: int,
    style: Style,
    results: Callable[..., Any],
) -> Program:
    def body(*inputs: Any) -> Any:
        writer = _Writer(rng, list(inputs), style)
        for _ in range(size):
            writer.grow()
        return results(writer)

    return trace_flat(body, types, "generated")


def _pick(rng: np.random.Generator, options: Sequence[Any]) -> Any:
    return options[int(rng.integers(len(options)))]


def _kind(x: Any) -> ArrayType:
    return ArrayType(x.shape, x.dtype)


class _Writer:
    """The pool of values of a Program under way, and the rules by which it grows."""

    def __init__(self, rng: np.random.Generator, pool: list[Any], style: Style) -> None:
        self.rng, self.pool, self.style = rng, pool, style
        self.rules: list[Callable[[], Any]] = [
            *(self.elementwise,) * 6,
            *(self.reduction, self.shape, self.window, self.join, self.index, self.product) * 2,
            *(self.choice, self.linear_algebra, self.constant, self.order),
        ]
        if style.depth:
            self.rules += [
                self.branch,
                self.scan,
                self.call,
                *((self.while_loop,) if style.loops else ()),
            ]

    # --- the pool -----------------------------------------------------------------------------

    def grow(self) -> None:
        """Apply a rule that finds operands; most recent values are the likeliest operands."""
        for _ in range(20):
            found = _pick(self.rng, self.rules)()
            if found is not None:
                values = found if isinstance(found, (list, tuple)) else [found]
                self.pool += [v for v in values if np.prod(v.shape, dtype=int) <= 200]
                return

    def some(self, accept: Callable[[Any], bool]) -> Any:
        """A value of the pool, or None."""
        fitting = [x for x in self.pool if accept(x)]
        if not fitting:
            return None
        return fitting[-1 - min(int(self.rng.geometric(0.25)) - 1, len(fitting) - 1)]

    def last(self, count: int) -> list[Any]:
        """The newest values, a float among them."""
        newest = self.pool[-count:]
        return newest if any(x.dtype.kind == "f" for x in newest) else [*newest, self.some(_is_f64)]

    def fitting(self, kind: ArrayType) -> Any:
        """A value of a type, made from one of the pool; floats stay bounded, so that loops do."""
        x = self.of_type(kind)
        return ew.tanh(x) if kind.is_float else x

    def of_type(self, kind: ArrayType) -> Any:
        """A value of a type, or None."""
        return self.some(lambda v: _kind(v) == kind)

    # --- rules: each gives a value, several, or None where nothing fits -------------------------

    def elementwise(self) -> Any:
        primitive = _pick(self.rng, _elementwise_primitives(self.style.smooth))
        case = _pick(self.rng, primitive.cases)
        dtypes = [parse_type(t).dtype for t in case.types]
        first = self.some(lambda x: x.dtype in dtypes)
        if first is None:
            return None
        operands = [self.of_type(_kind(first).with_dtype(d)) for d in dtypes]
        if any(o is None for o in operands):
            return None
        domains = (
            case.domain if isinstance(case.domain[0], tuple) else (case.domain,) * len(operands)
        )
        squeezed = [_squeezed(x, d) for x, d in zip(operands, domains, strict=True)]
        if len(squeezed) > 1 and primitive.name != "where" and self.rng.random() < 0.2:
            squeezed[1] = draw(self.rng, ArrayType((), dtypes[1]), domains[1])[()]
        return bind(primitive, *squeezed, **case.params)

    def reduction(self) -> Any:
        x = self.some(lambda v: v.shape)
        if x is None:
            return None
        axes = tuple(i for i in range(x.ndim) if self.rng.random() < 0.5) or (0,)
        if x.dtype.kind == "b":
            return _pick(self.rng, [st.reduce_and, st.reduce_or])(x, axes=axes)
        smooth = [st.reduce_sum]
        return _pick(
            self.rng, smooth if self.style.smooth else [*smooth, st.reduce_max, st.reduce_min]
        )(x, axes=axes)

    def shape(self) -> Any:
        x = self.some(lambda v: True)
        rank = x.ndim
        at = int(self.rng.integers(rank + 1))
        wide = (*x.shape[:at], int(self.rng.integers(1, 4)), *x.shape[at:])
        rules: list[Callable[[], Any]] = [lambda: st.broadcast(x, shape=wide, axes=(at,))]
        if rank:
            order = tuple(int(i) for i in self.rng.permutation(rank))
            rules += [
                lambda: st.reshape(x, shape=(x.size,)),
                lambda: st.transpose(x, permutation=order),
                lambda: st.reverse(x, axes=(at % rank,)),
            ]
            if x.dtype.kind != "b":
                rules.append(
                    lambda: st.cumulative_sum(
                        x, axis=at % rank, reverse=bool(self.rng.random() < 0.5)
                    )
                )
        return _pick(self.rng, rules)()

    def window(self) -> Any:
        x = self.some(lambda v: v.shape and all(v.shape))
        if x is None:
            return None
        start = tuple(int(self.rng.integers(n)) for n in x.shape)
        limit = tuple(
            int(self.rng.integers(a + 1, n + 1)) for a, n in zip(start, x.shape, strict=True)
        )
        stride = tuple(int(s) for s in self.rng.integers(1, 3, x.ndim))
        low, high, gaps = (tuple(int(i) for i in self.rng.integers(0, 2, x.ndim)) for _ in range(3))
        sizes = tuple(int(self.rng.integers(1, n + 1)) for n in x.shape)
        starts = [self.position() for _ in x.shape]
        small = ew.convert(ew.equal(x, x), dtype=x.dtype) if x.dtype.kind != "b" else x
        update = st.slice_(small, start=(0,) * x.ndim, limit=sizes, stride=(1,) * x.ndim)
        return _pick(
            self.rng,
            [
                lambda: st.slice_(x, start=start, limit=limit, stride=stride),
                lambda: st.pad(x, low=low, high=high, interior=gaps),
                lambda: st.dynamic_slice(x, *starts, sizes=sizes),
                lambda: st.dynamic_update_slice(x, update, *starts),
            ],
        )()

    def position(self) -> Any:
        """An int64 scalar: of the pool, or a number."""
        x = self.some(lambda v: v.dtype == I64 and v.shape == ())
        return np.int64(self.rng.integers(4)) if x is None or self.rng.random() < 0.5 else x

    def join(self) -> Any:
        x = self.some(lambda v: v.shape)
        if x is None:
            return None
        axis = int(self.rng.integers(x.ndim))
        same = _kind(x).drop((axis,))
        y = self.some(lambda v: v.ndim == x.ndim and _kind(v).drop((axis,)) == same)
        return st.concatenate(x, y, axis=axis)

    def index(self) -> Any:
        x = self.some(lambda v: v.shape and all(v.shape) and v.dtype.kind != "b")
        if x is None:
            return None
        depth = int(self.rng.integers(1, x.ndim + 1))
        indices = self.rng.integers(0, 4, (*_pick(self.rng, SHAPES[:3]), depth))
        found = st.gather(x, indices)
        return found if self.rng.random() < 0.5 else st.scatter_add(x, indices, found)

    def product(self) -> Any:
        x = self.some(lambda v: _is_f64(v) and v.shape)
        if x is None:
            return None
        y = self.some(lambda v: _is_f64(v) and not set(v.shape).isdisjoint(x.shape))
        pairs = [(i, j) for i, n in enumerate(x.shape) for j, m in enumerate(y.shape) if n == m]
        i, j = _pick(self.rng, pairs)
        rest = [(k, m) for k, m in pairs if k != i and m != j]
        batch = [_pick(self.rng, rest)] if rest and self.rng.random() < 0.4 else []
        return linalg.dot_general(
            ew.tanh(x),
            ew.tanh(y),
            contract=((i,), (j,)),
            batch=(tuple(k for k, _ in batch), tuple(m for _, m in batch)),
        )

    def choice(self) -> Any:
        condition = self.some(lambda v: v.dtype.kind == "b")
        if condition is None:
            return None
        x = self.some(lambda v: v.shape == condition.shape and v.dtype.kind != "b")
        y = self.some(lambda v: x is not None and _kind(v) == _kind(x))
        return None if x is None else ew.where(condition, x, y)

    def linear_algebra(self) -> Any:
        x = self.some(lambda v: _is_f64(v) and v.ndim >= 2)
        if x is None:
            return None
        x = ew.tanh(x)
        square = linalg.matrix_product(x, x, transpose_y=True)
        definite = ew.add(square, linalg.identity_like(square))
        factor = linalg.cholesky(definite)
        return _pick(
            self.rng,
            [
                lambda: factor,
                lambda: linalg.triangular_solve(factor, x, transpose=bool(self.rng.random() < 0.5)),
                lambda: linalg.solve(definite, x),
                lambda: linalg.slogdet(definite)[1],
            ],
        )()

    def constant(self) -> Any:
        shape = _pick(self.rng, SHAPES[1:])
        if self.rng.random() < 0.5:
            return st.iota(
                shape=shape, axis=int(self.rng.integers(len(shape))), dtype=np.dtype(np.float64)
            )
        table = self.rng.normal(size=shape)
        like = self.some(_is_f64)
        total = st.reduce_sum(like, axes=tuple(range(like.ndim))) if like.ndim else like
        return ew.add(st.broadcast(total, shape=shape, axes=tuple(range(len(shape)))), table)

    def order(self) -> Any:
        x = self.some(lambda v: v.shape and all(v.shape) and v.dtype.kind != "b")
        if x is None or self.style.smooth:
            return None
        axis = int(self.rng.integers(x.ndim))
        return _pick(self.rng, [st.argsort, st.argmax, st.argmin])(x, axis=axis)

    # --- rules that grow Programs of their own --------------------------------------------------

    def inner(self, types: Sequence[ArrayType], results: Callable[..., Any]) -> Program:
        size = int(self.rng.integers(1, 6))
        style = Style(self.style.smooth, self.style.dtypes, self.style.loops, self.style.depth - 1)
        return _grown(self.rng, types, size, style, results)

    def operands(self) -> list[Any]:
        count = min(int(self.rng.integers(1, 4)), len(self.pool))
        found = [self.some(_is_f64), *(self.some(lambda v: True) for _ in range(count - 1))]
        return [x for x in found if x is not None]

    def call(self) -> Any:
        args = self.operands()
        return control.call(
            *args, program=self.inner([_kind(x) for x in args], lambda w: w.last(2))
        )

    def branch(self) -> Any:
        args = self.operands()
        p = self.some(lambda v: v.dtype.kind == "b" and v.shape == ())
        p = bool(self.rng.random() < 0.5) if p is None else p
        types = [_kind(x) for x in args]
        true, false = (self.inner(types, lambda w: [w.fitting(t) for t in types]) for _ in range(2))
        return control.cond(
            np.bool_(p) if isinstance(p, bool) else p, *args, true=true, false=false
        )

    def scan(self) -> Any:
        fixed, state = self.operands()[:1], self.operands()
        stacked = self.some(lambda v: v.shape and 0 < v.shape[0] <= 4)
        if stacked is None:
            return None
        length, constants = stacked.shape[0], len(fixed)
        kinds = [_kind(x) for x in state]
        body = self.inner(
            [*(_kind(x) for x in fixed), *kinds, _kind(stacked).with_shape(stacked.shape[1:])],
            lambda w: [*(w.fitting(t) for t in kinds), w.last(1)[0]],
        )
        return control.scan(
            *fixed,
            *state,
            stacked,
            body=body,
            constants=constants,
            carry=len(state),
            length=length,
            reverse=bool(self.rng.random() < 0.5),
        )

    def while_loop(self) -> Any:
        state = self.operands()
        kinds = [_kind(x) for x in state]
        number = ArrayType((), I64)
        rounds = int(self.rng.integers(4))
        test = trace_flat(lambda i, *_: [ew.less(i, rounds)], [number, *kinds], "test")
        body = self.inner(
            [number, *kinds], lambda w: [ew.add(w.pool[0], 1), *(w.fitting(t) for t in kinds)]
        )
        return control.while_loop(np.int64(0), *state, test=test, body=body, constants=0)


def _is_f64(x: Any) -> bool:
    return bool(x.dtype == np.float64)


def _elementwise_primitives(smooth: bool) -> list[Primitive]:
    return [p for p in PRIMITIVES.values() if p.elementwise and not (smooth and p.name in KINKED)]


def _squeezed(x: Any, domain: Sequence[float]) -> Any:
    """A value mapped into an open interval, smoothly; integers by their remainder."""
    low, high = domain
    if x.dtype.kind == "f":
        return ew.add(ew.mul(ew.sigmoid(x), float(high - low)), float(low))
    if x.dtype.kind in "iu" and low >= 0:
        return ew.add(ew.remainder(x, int(high - low) + 1), int(low))
    return x
