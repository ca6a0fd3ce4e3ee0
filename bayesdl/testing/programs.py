"""Random well-typed Programs: what no one would think of writing, to try laws and backends on.

A Program grows one equation at a time over a pool of values. Elementwise primitives are read off
the registry, and their operands are squeezed into the domain that their own cases name; the other
families have a rule each. Bodies of loops and branches are Programs grown in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from bayesdl.ir.primitive import PRIMITIVES, Case, Primitive
from bayesdl.ir.program import Program
from bayesdl.ir.types import NAMES, ArrayType, parse_type
from bayesdl.ops import control, linalg, random, special  # noqa: F401  (special declares)
from bayesdl.ops import elementwise as ew
from bayesdl.ops import structural as st
from bayesdl.ops._bind import bind
from bayesdl.ops._programs import floats, listed
from bayesdl.ops._trace import trace_flat
from bayesdl.transform.vjp import vjp_program

from .laws import Arrays, draw
from .pool import I64, Pool, Rule, Style, grown, kind_of, pick

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
PLAIN = Style()
SMOOTH = Style(smooth=True, dtypes=("f64", "f64", "f64", "bool"), loops=False)
SMOOTH_LOOPS = Style(smooth=True, dtypes=("f64", "f64", "f64", "bool"), loops=True)
STYLES = (PLAIN, SMOOTH, SMOOTH_LOOPS)


def random_program(seed: int, size: int, style: Style = PLAIN) -> tuple[Program, list[Arrays]]:
    """A Program of about `size` operations, and three sets of inputs for it.

    Parameters
    ----------
    seed, size : int
        The same two give the same Program.
    style : Style
    """
    rng = np.random.default_rng([seed, size])
    count = int(rng.integers(1, 5))
    types = [ArrayType(pick(rng, SHAPES), NAMES[pick(rng, style.dtypes)]) for _ in range(count)]
    types[0] = types[0].with_dtype(NAMES[style.real])
    program = grown(
        rng, types, size, style, _rules, lambda pool: pool.last(int(rng.integers(1, 4)))
    )
    return program, [[draw(rng, t) for t in types] for _ in range(3)]


def _rules(style: Style) -> list[Rule]:
    """The rules of a style, repeated by how often they should be tried."""
    often = [_reduction, _shape, _window, _slide, _join, _index, _product]
    rules: list[Rule] = [
        *[_elementwise] * 6,
        *often,
        *often,
        _choice,
        _linear_algebra,
        _constant,
        _order,
        _random,
    ]
    if style.depth:
        rules += [_branch, _scan, _call, _custom_call, *[_while_loop] * style.loops]
    return rules


# --- rules: each gives a value, several, or None where nothing fits -----------------------------


def _elementwise(pool: Pool) -> Any:
    first = pool.some(lambda x: True)
    # One case of one of the primitives that take such a value: rare dtypes get their share.
    fitting = _elementwise_cases(pool.style.smooth, first.dtype)
    if not fitting:
        return None
    primitive, cases = pick(pool.rng, fitting)
    case = pick(pool.rng, cases)
    dtypes = [parse_type(t).dtype for t in case.types]
    operands = [pool.of_type(kind_of(first).with_dtype(d)) for d in dtypes]
    if any(o is None for o in operands):
        return None
    domains = case.domain if isinstance(case.domain[0], tuple) else (case.domain,) * len(operands)
    squeezed = [_squeezed(x, d) for x, d in zip(operands, domains, strict=True)]
    if len(squeezed) > 1 and primitive.name != "where" and pool.rng.random() < 0.2:
        squeezed[1] = draw(pool.rng, ArrayType((), dtypes[1]), domains[1])[()]
    return bind(primitive, *squeezed, **case.params)


def _reduction(pool: Pool) -> Any:
    x = pool.some(lambda v: v.shape)
    if x is None:
        return None
    axes = tuple(i for i in range(x.ndim) if pool.rng.random() < 0.5) or (0,)
    if x.dtype.kind == "b":
        return pick(pool.rng, [st.reduce_and, st.reduce_or])(x, axes=axes)
    smooth = [st.reduce_sum]
    return pick(pool.rng, smooth if pool.style.smooth else [*smooth, st.reduce_max, st.reduce_min])(
        x, axes=axes
    )


def _shape(pool: Pool) -> Any:
    x = pool.some(lambda v: True)
    rank = x.ndim
    at = int(pool.rng.integers(rank + 1))
    wide = (*x.shape[:at], int(pool.rng.integers(1, 4)), *x.shape[at:])
    rules: list[Callable[[], Any]] = [lambda: st.broadcast(x, shape=wide, axes=(at,))]
    if rank:
        order = tuple(int(i) for i in pool.rng.permutation(rank))
        rules += [
            lambda: st.reshape(x, shape=(x.size,)),
            lambda: st.transpose(x, permutation=order),
            lambda: st.reverse(x, axes=(at % rank,)),
        ]
        if x.dtype.kind != "b":
            rules.append(
                lambda: st.cumulative_sum(x, axis=at % rank, reverse=bool(pool.rng.random() < 0.5))
            )
    return pick(pool.rng, rules)()


def _window(pool: Pool) -> Any:
    x = pool.some(lambda v: v.shape and all(v.shape))
    if x is None:
        return None
    start = tuple(int(pool.rng.integers(n)) for n in x.shape)
    limit = tuple(int(pool.rng.integers(a + 1, n + 1)) for a, n in zip(start, x.shape, strict=True))
    stride = tuple(int(s) for s in pool.rng.integers(1, 3, x.ndim))
    low, high, gaps = (tuple(int(i) for i in pool.rng.integers(0, 2, x.ndim)) for _ in range(3))
    sizes = tuple(int(pool.rng.integers(1, n + 1)) for n in x.shape)
    starts = [_position(pool) for _ in x.shape]
    small = ew.convert(ew.equal(x, x), dtype=x.dtype) if x.dtype.kind != "b" else x
    update = st.slice_(small, start=(0,) * x.ndim, limit=sizes, stride=(1,) * x.ndim)
    return pick(
        pool.rng,
        [
            lambda: st.slice_(x, start=start, limit=limit, stride=stride),
            lambda: st.pad(x, low=low, high=high, interior=gaps),
            lambda: st.dynamic_slice(x, *starts, sizes=sizes),
            lambda: st.dynamic_update_slice(x, update, *starts),
        ],
    )()


def _slide(pool: Pool) -> Any:
    """Windows that slide over some axes, or folded back onto more room than they came from."""
    x = pool.some(lambda v: v.shape and all(v.shape))
    if x is None:
        return None
    first = int(pool.rng.integers(x.ndim))
    count = int(pool.rng.integers(1, x.ndim - first + 1))
    stride, dilation = (tuple(int(s) for s in pool.rng.integers(1, 3, count)) for _ in range(2))
    steps = {"first": first, "stride": stride, "dilation": dilation}
    window = tuple(
        int(pool.rng.integers(1, (n - 1) // d + 2))
        for n, d in zip(x.shape[first:], dilation, strict=False)
    )
    found = st.windows(x, window=window, **steps)
    if x.dtype.kind == "b" or pool.rng.random() < 0.5:
        return found
    room = tuple(int(n + pool.rng.integers(2)) for n in x.shape[first : first + count])
    return st.fold(found, shape=room, **steps)


def _position(pool: Pool) -> Any:
    """An int64 scalar: of the pool, or a number."""
    x = pool.some(lambda v: v.dtype == I64 and v.shape == ())
    return np.int64(pool.rng.integers(4)) if x is None or pool.rng.random() < 0.5 else x


def _join(pool: Pool) -> Any:
    x = pool.some(lambda v: v.shape)
    if x is None:
        return None
    axis = int(pool.rng.integers(x.ndim))
    same = kind_of(x).drop((axis,))
    y = pool.some(lambda v: v.ndim == x.ndim and kind_of(v).drop((axis,)) == same)
    return st.concatenate(x, y, axis=axis)


def _index(pool: Pool) -> Any:
    x = pool.some(lambda v: v.shape and all(v.shape) and v.dtype.kind != "b")
    if x is None:
        return None
    depth = int(pool.rng.integers(1, x.ndim + 1))
    indices = pool.some(lambda v: v.dtype == I64 and v.shape and v.shape[-1] in range(1, depth + 1))
    if indices is None or pool.rng.random() < 0.5:
        indices = pool.rng.integers(0, 4, (*pick(pool.rng, SHAPES[:3]), depth))
    found = st.gather(x, indices)
    return found if pool.rng.random() < 0.5 else st.scatter_add(x, indices, found)


def _product(pool: Pool) -> Any:
    x = pool.some(lambda v: pool.is_real(v) and v.shape)
    if x is None:
        return None
    y = pool.some(lambda v: pool.is_real(v) and not set(v.shape).isdisjoint(x.shape))
    pairs = [(i, j) for i, n in enumerate(x.shape) for j, m in enumerate(y.shape) if n == m]
    i, j = pick(pool.rng, pairs)
    rest = [(k, m) for k, m in pairs if k != i and m != j]
    batch = [pick(pool.rng, rest)] if rest and pool.rng.random() < 0.4 else []
    return linalg.dot_general(
        ew.tanh(x),
        ew.tanh(y),
        contract=((i,), (j,)),
        batch=(tuple(k for k, _ in batch), tuple(m for _, m in batch)),
    )


def _choice(pool: Pool) -> Any:
    condition = pool.some(lambda v: v.dtype.kind == "b")
    if condition is None:
        return None
    x = pool.some(lambda v: v.shape == condition.shape and v.dtype.kind != "b")
    y = pool.some(lambda v: x is not None and kind_of(v) == kind_of(x))
    return None if x is None else ew.where(condition, x, y)


def _linear_algebra(pool: Pool) -> Any:
    x = pool.some(lambda v: pool.is_real(v) and v.ndim >= 2)
    if x is None:
        return None
    x = ew.tanh(x)
    square = linalg.matrix_product(x, x, transpose_y=True)
    definite = ew.add(square, linalg.identity_like(square))
    factor = linalg.cholesky(definite)
    return pick(
        pool.rng,
        [
            lambda: factor,
            lambda: linalg.triangular_solve(factor, x, transpose=bool(pool.rng.random() < 0.5)),
            lambda: linalg.solve(definite, x),
            lambda: linalg.slogdet(definite)[1],
            lambda: _spectral(square),
        ],
    )()


def _spectral(square: Any) -> Any:
    """Eigenvalues well apart, and the logarithm of their matrix: signs of vectors do not matter."""
    shape = square.shape
    apart = np.broadcast_to(np.diag(np.arange(1.0, shape[-1] + 1)), shape).astype(square.dtype)
    values, vectors = linalg.eigh(ew.add(ew.mul(square, 0.02), np.array(apart)))
    stretched = ew.mul(vectors, st.broadcast(ew.log(values), shape=shape, axes=(len(shape) - 2,)))
    return values, linalg.matrix_product(stretched, vectors, transpose_y=True)


def _constant(pool: Pool) -> Any:
    shape = pick(pool.rng, SHAPES[1:])
    if pool.rng.random() < 0.5:
        return st.iota(shape=shape, axis=int(pool.rng.integers(len(shape))), dtype=pool.real)
    table = pool.rng.normal(size=shape).astype(pool.real)
    like = pool.some(pool.is_real)
    total = st.reduce_sum(like, axes=tuple(range(like.ndim))) if like.ndim else like
    return ew.add(st.broadcast(total, shape=shape, axes=tuple(range(len(shape)))), table)


def _order(pool: Pool) -> Any:
    x = pool.some(lambda v: v.shape and all(v.shape) and v.dtype.kind != "b")
    if x is None or pool.style.smooth:
        return None
    axis = int(pool.rng.integers(x.ndim))
    return pick(pool.rng, [st.argsort, st.argmax, st.argmin])(x, axis=axis)


def _random(pool: Pool) -> Any:
    """Random numbers from a key that depends on a number of the pool."""
    key = random.fold_in(random.key(int(pool.rng.integers(9))), _position(pool))
    shape = pick(pool.rng, SHAPES)
    rules: list[Callable[[], Any]] = [
        lambda: random.uniform(key, shape, pool.real),
        lambda: random.normal(key, shape, pool.real),
        lambda: random.exponential(key, shape, pool.real),
    ]
    if not pool.style.smooth:
        x = pool.some(pool.is_real)
        rules += [
            lambda: random.bits(key, shape),
            lambda: random.log_gamma(key, ew.add(ew.sigmoid(x), 0.5)),
            lambda: random.permutation(key, 5),
        ]
    return pick(pool.rng, rules)()


def _call(pool: Pool) -> Any:
    args = pool.operands()
    return control.call(
        *args, program=pool.inner([kind_of(x) for x in args], lambda body: body.last(2))
    )


def _custom_call(pool: Pool) -> Any:
    """A Program with its own derivative handed to it as if a user had written it."""
    args = pool.operands()
    types = [kind_of(x) for x in args]
    # A loop has no reverse derivative to hand over.
    program = pool.inner(types, lambda body: body.last(2), loops=False)
    outputs = len(program.outputs)
    derived = vjp_program(program, floats(types))
    forward = trace_flat(lambda *v: [*listed(control.call(*v, program=program)), *v], types, "fwd")
    backward = trace_flat(
        lambda *v: listed(control.call(*v, program=derived))[outputs:],
        derived.input_types,
        "bwd",
    )
    return control.custom_call(*args, program=program, forward=forward, backward=backward)


def _branch(pool: Pool) -> Any:
    args = pool.operands()
    p = pool.some(lambda v: v.dtype.kind == "b" and v.shape == ())
    p = bool(pool.rng.random() < 0.5) if p is None else p
    types = [kind_of(x) for x in args]
    true, false = (
        pool.inner(types, lambda body: [body.fitting(t) for t in types]) for _ in range(2)
    )
    return control.cond(np.bool_(p) if isinstance(p, bool) else p, *args, true=true, false=false)


def _scan(pool: Pool) -> Any:
    fixed, state = pool.operands()[:1], pool.operands()
    stacked = pool.some(lambda v: v.shape and 0 < v.shape[0] <= 4)
    if stacked is None:
        return None
    length, constants = stacked.shape[0], len(fixed)
    kinds = [kind_of(x) for x in state]
    body = pool.inner(
        [*(kind_of(x) for x in fixed), *kinds, kind_of(stacked).with_shape(stacked.shape[1:])],
        lambda step: [*(step.fitting(t) for t in kinds), step.last(1)[0]],
    )
    return control.scan(
        *fixed,
        *state,
        stacked,
        body=body,
        constants=constants,
        carry=len(state),
        length=length,
        reverse=bool(pool.rng.random() < 0.5),
    )


def _while_loop(pool: Pool) -> Any:
    state = pool.operands()
    kinds = [kind_of(x) for x in state]
    number = ArrayType((), I64)
    rounds = int(pool.rng.integers(4))
    test = trace_flat(lambda i, *_: [ew.less(i, rounds)], [number, *kinds], "test")
    body = pool.inner(
        [number, *kinds],
        lambda step: [ew.add(step.values[0], 1), *(step.fitting(t) for t in kinds)],
    )
    return control.while_loop(np.int64(0), *state, test=test, body=body, constants=0)


@cache
def _elementwise_cases(smooth: bool, dtype: np.dtype[Any]) -> list[tuple[Primitive, list[Case]]]:
    """The elementwise primitives with a case that has an input of a dtype, and those cases."""
    found = []
    for p in PRIMITIVES.values():
        if p.elementwise and not (smooth and p.name in KINKED):
            cases = [c for c in p.cases if dtype in [parse_type(t).dtype for t in c.types]]
            found += [(p, cases)] * bool(cases)
    return found


def _squeezed(x: Any, domain: Sequence[float]) -> Any:
    """A value mapped into an open interval, smoothly; integers by their remainder."""
    low, high = domain
    if x.dtype.kind == "f":
        return ew.add(ew.mul(ew.sigmoid(x), float(high - low)), float(low))
    if x.dtype.kind in "iu" and low >= 0:
        return ew.add(ew.remainder(x, int(high - low) + 1), int(low))
    return x
