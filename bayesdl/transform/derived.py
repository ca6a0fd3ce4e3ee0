"""What users call: grad, jacobian, hessian, vmap and friends, in terms of the three transforms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from bayesdl._base.errors import ArgumentError, DtypeError, ShapeError
from bayesdl._base.source import user_source
from bayesdl._base.tree import flatten, unflatten
from bayesdl.ir.program import Program
from bayesdl.ir.builder import Handle
from bayesdl.ir.types import ArrayType
from bayesdl.ops import control
from bayesdl.ops import numpy as bnp
from bayesdl.ops._bind import bind
from bayesdl.ops.structural import to_front
from bayesdl.tracing import Traced, trace

from .jvp import push
from .vjp import sweep
from .vmap import spread_out

Function = Callable[..., Any]


def vjp(function: Function, *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """Value of a function, and the map from cotangents of the result to cotangents of the arguments.

    Parameters
    ----------
    function : callable
    *primals
        Arguments: arrays, or containers of float arrays.

    Returns
    -------
    value
        ``function(*primals)``.
    pullback : callable
        Takes a cotangent shaped like the value; gives a tuple shaped like `primals`.

    Examples
    --------
    >>> value, pullback = vjp(lambda x: x * x, 3.0)
    >>> float(value), float(pullback(1.0)[0])
    (9.0, 6.0)
    """
    leaves, tree = _leaves(primals)
    traced = _traced(function, leaves, tree)
    active = [x.dtype.kind == "f" for x in leaves] + [False] * len(traced.captures)
    outputs, backward = sweep(traced.program, active, [*leaves, *traced.captures])

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        cts = [bnp.asarray(c) for c in flatten(cotangent)[0]]
        found = backward([bnp.astype(c, o.dtype) for c, o in zip(cts, outputs, strict=True)])
        solid = [_solid(f, x) for f, x in zip(found[: len(leaves)], leaves, strict=True)]
        result: tuple[Any, ...] = unflatten(tree, solid)
        return result

    return unflatten(traced.tree, outputs), pullback


def jvp(function: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """Value of a function and its derivative along a direction.

    Parameters
    ----------
    function : callable
    primals, tangents : sequence
        Arguments, and a direction of the same shapes.

    Examples
    --------
    >>> [float(v) for v in jvp(lambda x: x * x, (3.0,), (2.0,))]
    [9.0, 12.0]
    """
    leaves, tree = _leaves(tuple(primals))
    moves, move_tree = _leaves(tuple(tangents))
    if tree != move_tree or any(np.shape(a) != np.shape(b) for a, b in zip(leaves, moves, strict=False)):
        raise ShapeError(
            "`jvp` needs tangents of the shapes of the primals.",
            facts=[("primals", [np.shape(x) for x in leaves]), ("tangents", [np.shape(x) for x in moves])],
            where=user_source(),
            code="T101",
        )
    traced = _traced(function, leaves, tree)
    dots = [bnp.astype(m, x.dtype) if x.dtype.kind == "f" else None for x, m in zip(leaves, moves, strict=True)]
    outputs, found = push(
        traced.program, [*leaves, *traced.captures], [*dots, *[None] * len(traced.captures)]
    )
    solid = [_solid(f, o) for f, o in zip(found, outputs, strict=True)]
    return unflatten(traced.tree, outputs), unflatten(traced.tree, solid)


def value_and_grad(function: Function, argnums: int | Sequence[int] = 0) -> Function:
    """A function that returns the value of a scalar function and its gradient.

    Parameters
    ----------
    function : callable
        Returns one float scalar.
    argnums : int or sequence of int, default 0
        Arguments to differentiate by; a sequence gives a tuple of gradients.

    Raises
    ------
    ShapeError
        If the function's result is not a scalar.

    Examples
    --------
    >>> value_and_grad(lambda x: (x * x).sum())(np.array([1.0, 2.0]))[1].tolist()
    [2.0, 4.0]
    """
    chosen = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        def of_chosen(*values: Any) -> Any:
            merged = list(args)
            for place, value in zip(chosen, values, strict=True):
                merged[place] = value
            return function(*merged, **kwargs)

        picked = tuple(args[i] for i in chosen)
        _floats_only(picked)
        value, pullback = vjp(of_chosen, *picked)
        if np.shape(value) != () or not isinstance(getattr(value, "dtype", None), np.dtype):
            raise ShapeError(
                "`grad` needs a function that returns one number.",
                facts=[("returned", getattr(value, "shape", type(value).__name__))],
                fix="sum the result, or use jacobian for functions with many outputs.",
                where=user_source(),
                code="T109",
            )
        gradients = pullback(np.ones((), value.dtype)[()])
        return value, gradients[0] if isinstance(argnums, int) else gradients

    return wrapped


def grad(function: Function, argnums: int | Sequence[int] = 0) -> Function:
    """A function that returns the gradient of a scalar function; see `value_and_grad`.

    Examples
    --------
    >>> float(grad(grad(lambda x: x**3))(2.0))
    12.0
    """
    both = value_and_grad(function, argnums)

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return both(*args, **kwargs)[1]

    return wrapped


def hvp(function: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """Hessian of a scalar function times a vector: forward over reverse, without the matrix.

    Examples
    --------
    >>> hvp(lambda x: (x**3).sum(), (np.array([1.0, 2.0]),), (np.array([1.0, 0.0]),)).tolist()
    [6.0, 0.0]
    """
    return jvp(grad(function), primals, tangents)[1]


def jacobian(function: Function, argnums: int = 0, mode: str | None = None) -> Function:
    """A function that returns ∂ output / ∂ input, of shape (*output, *input).

    Parameters
    ----------
    function : callable, array -> array
    argnums : int, default 0
        Argument to differentiate by.
    mode : {"forward", "reverse"}, optional
        The cheaper one for the shapes, if not given.

    Examples
    --------
    >>> jacobian(lambda x: x * x)(np.array([1.0, 2.0])).tolist()
    [[2.0, 0.0], [0.0, 4.0]]
    """
    if mode not in (None, "forward", "reverse"):
        raise ArgumentError(
            f"`jacobian` has no mode {mode!r}.",
            fix="use mode='forward' or mode='reverse'.",
            where=user_source(),
            code="A101",
        )

    @wraps(function)
    def wrapped(*args: Any) -> Any:
        x = bnp.asarray(args[argnums])
        _floats_only((x,))

        def of_one(value: Any) -> Any:
            return bnp.asarray(function(*args[:argnums], value, *args[argnums + 1 :]))

        n = int(np.prod(np.shape(x)))
        if mode == "forward":
            return _forward_jacobian(of_one, x, n)
        value, pullback = vjp(of_one, x)
        m = int(np.prod(np.shape(value)))
        if mode is None and n < m:
            return _forward_jacobian(of_one, x, n)
        basis = bnp.reshape(bnp.eye(m, dtype=value.dtype), (m, *np.shape(value)))
        rows = vmap(lambda ct: pullback(ct)[0])(basis)
        return bnp.reshape(rows, (*np.shape(value), *np.shape(x)))

    return wrapped


def _forward_jacobian(function: Function, x: Any, n: int) -> Any:
    basis = bnp.reshape(bnp.eye(n, dtype=x.dtype), (n, *np.shape(x)))
    columns = vmap(lambda t: jvp(function, (x,), (t,))[1])(basis)
    moved = bnp.moveaxis(bnp.reshape(columns, (n, *np.shape(columns)[1:])), 0, -1)
    return bnp.reshape(moved, (*np.shape(columns)[1:], *np.shape(x)))


def hessian(function: Function, argnums: int = 0) -> Function:
    """A function that returns the second derivatives of a scalar function, forward over reverse.

    Examples
    --------
    >>> hessian(lambda x: x[0] * x[1])(np.array([1.0, 2.0])).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    return jacobian(grad(function, argnums), argnums, mode="forward")


def vmap(function: Function, in_axes: Any = 0, out_axes: int = 0) -> Function:
    """A function for one example becomes one for many.

    Parameters
    ----------
    function : callable
    in_axes : int, None or tuple of them, default 0
        The axis of each argument that counts examples; None for an argument shared by all.
    out_axes : int, default 0
        Where the axis goes in each result.

    Examples
    --------
    >>> vmap(lambda x, y: x * y, in_axes=(0, None))(np.arange(3.0), 2.0).tolist()
    [0.0, 2.0, 4.0]
    """

    @wraps(function)
    def wrapped(*args: Any) -> Any:
        axes = in_axes if isinstance(in_axes, (tuple, list)) else (in_axes,) * len(args)
        if len(axes) != len(args):
            raise ShapeError(
                f"`vmap` has {len(axes)} in_axes for {len(args)} arguments.",
                where=user_source(),
                code="T101",
            )
        leaves, tree = _leaves(args)
        marks = [a for arg, a in zip(args, axes, strict=True) for _ in flatten(arg)[0]]
        front = [x if a in (None, 0) else bnp.moveaxis(x, a, 0) for x, a in zip(leaves, marks, strict=True)]
        batched = [a is not None for a in marks]
        size = _batch_size(front, batched)
        examples = [
            ArrayType(np.shape(x)[1:] if b else np.shape(x), np.dtype(x.dtype))
            for x, b in zip(front, batched, strict=True)
        ]
        traced = trace(lambda *v: function(*unflatten(tree, v)), *examples, name=_name(function))
        flags = [*batched, *[False] * len(traced.captures)]
        outputs, out_flags = spread_out(traced.program, flags, size, [*front, *traced.captures])
        placed = [to_front(o, f, size) for o, f in zip(outputs, out_flags, strict=True)]
        return unflatten(traced.tree, [bnp.moveaxis(o, 0, out_axes) if out_axes else o for o in placed])

    return wrapped


def custom_vjp(function: Function, forward: Function, backward: Function) -> Function:
    """A function with a reverse-mode derivative of your own.

    Parameters
    ----------
    function : callable, (*arrays) -> array or tuple of arrays
    forward : callable, (*arrays) -> (result, residuals)
        Computes the same result, and a tuple of arrays for the way back.
    backward : callable, (residuals, cotangent) -> tuple of cotangents
        One per (float) argument.

    Examples
    --------
    >>> f = custom_vjp(lambda x: x * x, lambda x: (x * x, (x,)), lambda r, ct: (ct * 3.0 * r[0],))
    >>> float(grad(f)(2.0))
    6.0
    """

    @wraps(function)
    def wrapped(*args: Any) -> Any:
        leaves, tree = _leaves(args)
        plain = _closed(_traced(function, leaves, tree))
        ahead = trace(lambda *v: _flat_pair(forward(*unflatten(tree, v))), *leaves, name="forward")
        n = len(plain.program.outputs)
        kinds = ahead.program.output_types
        residual_types, cts = kinds[n:], [t for t in kinds[:n] if t.is_float]
        residual_tree = flatten(ahead_residuals(forward, leaves, tree))[1]

        def back(*v: Any) -> list[Any]:
            residuals = unflatten(residual_tree, v[: len(residual_types)])
            given = v[len(residual_types) :]
            found = backward(residuals, given[0] if len(given) == 1 else tuple(given))
            return [bnp.asarray(f) for f in flatten(found)[0]]

        behind = trace(back, *residual_types, *cts, name="backward")
        outputs = control.custom_call(
            *leaves, program=plain.program, forward=_closed(ahead).program, backward=_closed(behind).program
        )
        return unflatten(plain.tree, control.listed(outputs))

    return wrapped


def ahead_residuals(forward: Function, leaves: list[Any], tree: Any) -> Any:
    """Shape of the residuals: what `forward` returns beside the result."""
    found: list[Any] = []

    def keep(*v: Any) -> Any:
        _, residuals = forward(*unflatten(tree, v))
        found.append(unflatten(flatten(residuals)[1], [0.0] * len(flatten(residuals)[0])))
        return 0.0

    trace(keep, *leaves, name="residuals")
    return found[0]


def check_grads(function: Function, args: Sequence[Any], order: int = 2, rtol: float = 1e-5) -> None:
    """Compare both derivative modes with central differences, and name the operation that is wrong.

    Parameters
    ----------
    function : callable
        Of float64 arrays.
    args : sequence of arrays
        Where to check.
    order : {1, 2}, default 2
        Whether second derivatives are checked too.
    rtol : float, default 1e-5
        Largest deviation, relative to the size of the derivatives.

    Raises
    ------
    AssertionError
        With the mode, the two numbers, and the first primitive whose own derivative is off.

    Examples
    --------
    >>> check_grads(lambda x: bnp.sin(x).sum(), (np.array([0.3, 1.0]),))
    """
    args = [np.asarray(a, dtype=np.float64) for a in args]
    _check_first(function, args, rtol)
    if order >= 2:
        rng = np.random.default_rng(1)
        weights = rng.standard_normal(np.shape(bnp.asarray(function(*args))))

        def gradient(*v: Any) -> Any:
            _, pullback = vjp(function, *v)
            return bnp.concatenate([bnp.ravel(g) for g in pullback(weights)])

        _check_first(gradient, args, rtol * 10)


def _check_first(function: Function, args: list[Any], rtol: float) -> None:
    rng = np.random.default_rng(0)
    moves = [rng.standard_normal(np.shape(a)) for a in args]
    value, forward = jvp(lambda *v: bnp.asarray(function(*v)), args, moves)
    step = 1e-6

    def at(sign: int) -> Any:
        return np.asarray(function(*(a + sign * step * m for a, m in zip(args, moves, strict=True))))

    numeric = (at(1) - at(-1)) / (2 * step)
    weights = rng.standard_normal(np.shape(value))
    _, pullback = vjp(lambda *v: bnp.asarray(function(*v)), *args)
    reverse = sum(float(np.vdot(g, m)) for g, m in zip(pullback(weights), moves, strict=True))
    scale = 1.0 + float(np.abs(numeric).max(initial=0.0))
    if not np.allclose(forward, numeric, rtol=rtol, atol=rtol * scale):
        raise AssertionError(_blame(function, args, "forward mode", forward, numeric))
    expected = float(np.vdot(weights, forward))
    if not np.isclose(reverse, expected, rtol=rtol, atol=rtol * scale):
        raise AssertionError(_blame(function, args, "reverse mode", reverse, expected))


def _blame(function: Function, args: list[Any], mode: str, found: Any, expected: Any) -> str:
    program = trace(function, *args).program
    culprit = _first_wrong(program, args)
    return (
        f"{mode} gives {np.ravel(found)[:4]}, expected {np.ravel(expected)[:4]}; "
        f"the first operation whose own derivative is off: {culprit or 'none alone'}"
    )


def _first_wrong(program: Program, args: list[Any]) -> str | None:
    """Check each equation alone, at the values that reach it."""
    values: dict[Any, Any] = dict(zip(program.inputs, args, strict=True))
    for equation in program.equations:
        inputs = [values[a] if a in values else a.value for a in equation.inputs]
        outputs = control.listed(bind(equation.primitive, *inputs, **equation.params))
        values.update(zip(equation.outputs, outputs, strict=True))
        if not _equation_is_right(equation, inputs):
            return f"`{equation.primitive.name}` at {equation.source}"
    return None


def _equation_is_right(equation: Any, inputs: list[Any]) -> bool:
    places = [i for i, x in enumerate(inputs) if np.asarray(x).dtype == np.float64]
    if not places or not equation.outputs[0].type.is_float:
        return True

    def alone(*moving: Any) -> Any:
        full = list(inputs)
        for place, value in zip(places, moving, strict=True):
            full[place] = value
        outputs = control.listed(bind(equation.primitive, *full, **equation.params))
        return outputs[0]

    rng = np.random.default_rng(2)
    base = [np.asarray(inputs[i]) for i in places]
    moves = [rng.standard_normal(b.shape) for b in base]
    _, forward = jvp(alone, base, moves)
    step = 1e-6
    plus, minus = (np.asarray(alone(*(b + s * step * m for b, m in zip(base, moves, strict=True)))) for s in (1, -1))
    weights = rng.standard_normal(np.shape(plus))
    _, pullback = vjp(alone, *base)
    reverse = sum(float(np.vdot(g, m)) for g, m in zip(pullback(weights), moves, strict=True))
    agree = np.allclose(forward, (plus - minus) / (2 * step), rtol=1e-4, atol=1e-4)
    return bool(agree and np.isclose(reverse, float(np.vdot(weights, forward)), rtol=1e-6, atol=1e-8))


def _flat_pair(pair: Any) -> list[Any]:
    value, residuals = pair
    return [*flatten(value)[0], *flatten(residuals)[0]]


def _closed(traced: Traced) -> Traced:
    if traced.captures:
        raise ShapeError(
            "a function with a custom derivative may not use arrays of the surrounding function.",
            facts=[("captured", h.type) for h in traced.captures],
            fix="pass them as arguments.",
            where=user_source(),
            code="T110",
        )
    return traced


def _leaves(container: Any) -> tuple[list[Any], Any]:
    leaves, tree = flatten(container)
    return [bnp.asarray(leaf) for leaf in leaves], tree


def _traced(function: Function, leaves: list[Any], tree: Any) -> Traced:
    concrete = all(not isinstance(x, Handle) or x.value is not None for x in leaves)
    return trace(lambda *v: function(*unflatten(tree, v)), *leaves, name=_name(function), concrete=concrete)


def _name(function: Function) -> str:
    return getattr(function, "__name__", "f").strip("<>")


def _solid(found: Any, like: Any) -> Any:
    return bnp.zeros_like(like) if found is None else found


def _batch_size(leaves: list[Any], batched: list[bool]) -> int:
    sizes = {np.shape(x)[0] if np.ndim(x) else 0 for x, b in zip(leaves, batched, strict=True) if b}
    if len(sizes) != 1:
        raise ShapeError(
            "`vmap` needs mapped arguments with one common number of examples.",
            facts=[("shapes", [np.shape(x) for x in leaves])],
            fix="use in_axes=None for an argument shared by all examples.",
            where=user_source(),
            code="T101",
        )
    return int(sizes.pop())


def _floats_only(values: Any) -> None:
    for leaf in flatten(values)[0]:
        x = bnp.asarray(leaf)
        if x.dtype.kind != "f":
            raise DtypeError(
                "derivatives need float arguments.",
                facts=[("argument", f"dtype {x.dtype}")],
                fix="pass floats, for example x.astype(float).",
                where=user_source(),
                code="T102",
            )
