"""grad, jacobian, hessian, vmap and friends: what users call, in terms of the three transforms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from bayesdl._base.errors import ArgumentError, DtypeError, ShapeError
from bayesdl._base.source import user_source
from bayesdl._base.tree import Tree, flatten, unflatten
from bayesdl.ir.builder import Handle
from bayesdl.ir.types import ArrayType
from bayesdl.ops import numpy as bnp
from bayesdl.ops.structural import to_front
from bayesdl.tracing import Traced, trace

from .jvp import push
from .vjp import sweep
from .vmap import spread_out

Function = Callable[..., Any]


def vjp(function: Function, *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """Value of a function, and the map from cotangents of the result to those of the arguments.

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
    leaves, tree = array_leaves(primals)
    traced = traced_with(function, leaves, tree)
    active = [x.dtype.kind == "f" for x in leaves] + [False] * len(traced.captures)
    outputs, backward = sweep(traced.program, active, [*leaves, *traced.captures])

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        found = backward(_fitting(cotangent, traced.tree, outputs))
        solid = [_solid(f, x) for f, x in zip(found[: len(leaves)], leaves, strict=True)]
        result: tuple[Any, ...] = unflatten(tree, solid)
        return result

    return unflatten(traced.tree, outputs), pullback


def _fitting(cotangent: Any, tree: Tree, outputs: list[Any]) -> list[Any]:
    cts, ct_tree = array_leaves(cotangent)
    if ct_tree != tree or any(
        np.shape(c) != np.shape(o) for c, o in zip(cts, outputs, strict=True)
    ):
        raise ShapeError(
            "a pullback needs a cotangent of the shape of the value.",
            facts=[
                ("value", *(np.shape(o) for o in outputs)),
                ("cotangent", *(np.shape(c) for c in cts)),
            ],
            fix="use grad for a function that returns one number, jacobian for all rows.",
            where=user_source(),
            code="T101",
        )
    return [bnp.astype(c, o.dtype) for c, o in zip(cts, outputs, strict=True)]


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
    leaves, tree = array_leaves(tuple(primals))
    moves, move_tree = array_leaves(tuple(tangents))
    if tree != move_tree or any(
        np.shape(a) != np.shape(b) for a, b in zip(leaves, moves, strict=False)
    ):
        raise ShapeError(
            "`jvp` needs tangents of the shapes of the primals.",
            facts=[
                ("primals", *(np.shape(x) for x in leaves)),
                ("tangents", *(np.shape(x) for x in moves)),
            ],
            fix="give one tangent per primal, of its shape.",
            where=user_source(),
            code="T101",
        )
    traced = traced_with(function, leaves, tree)
    dots = [
        bnp.astype(m, x.dtype) if x.dtype.kind == "f" else None
        for x, m in zip(leaves, moves, strict=True)
    ]
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
        returned = "nothing" if value is None else type(value).__name__
        if isinstance(value, (Handle, np.ndarray, np.generic)):
            returned = repr(bnp.type_of(value))
            _floats_only((value,), "result")
        if not returned.endswith("[]"):
            raise ShapeError(
                "`grad` needs a function that returns one number.",
                facts=[("returned", returned)],
                fix="sum the result, or use jacobian for functions with many outputs.",
                where=user_source(),
                code="T112",
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

    Parameters
    ----------
    function : callable
        Returns one float scalar.
    primals, tangents : sequence
        Arguments, and a direction of the same shapes.

    Returns
    -------
    array, or tuple of arrays where there are several primals
        The derivative of the gradient along the direction.

    Examples
    --------
    >>> hvp(lambda x: (x**3).sum(), (np.array([1.0, 2.0]),), (np.array([1.0, 0.0]),)).tolist()
    [6.0, 0.0]
    """
    argnums = 0 if len(primals) == 1 else tuple(range(len(primals)))
    return jvp(grad(function, argnums), primals, tangents)[1]


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
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        place = argnums % len(args)
        x = bnp.asarray(args[place])
        _floats_only((x,))

        def of_one(value: Any) -> Any:
            return bnp.asarray(function(*args[:place], value, *args[place + 1 :], **kwargs))

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
        leaves, tree = array_leaves(args)
        marks = [a for arg, a in zip(args, axes, strict=True) for _ in flatten(arg)[0]]
        front = [
            x if a in (None, 0) else bnp.moveaxis(x, a, 0)
            for x, a in zip(leaves, marks, strict=True)
        ]
        batched = [a is not None for a in marks]
        size = _batch_size(front, batched)
        examples = [
            ArrayType(np.shape(x)[1:] if b else np.shape(x), np.dtype(x.dtype))
            for x, b in zip(front, batched, strict=True)
        ]
        traced = trace(lambda *v: function(*unflatten(tree, v)), *examples, name=name_of(function))
        flags = [*batched, *[False] * len(traced.captures)]
        outputs, out_flags = spread_out(traced.program, flags, size, [*front, *traced.captures])
        placed = [to_front(o, f, size) for o, f in zip(outputs, out_flags, strict=True)]
        return unflatten(
            traced.tree, [bnp.moveaxis(o, 0, out_axes) if out_axes else o for o in placed]
        )

    return wrapped


def array_leaves(container: Any) -> tuple[list[Any], Tree]:
    """The arrays of a nested container, and its shape."""
    leaves, tree = flatten(container)
    return [bnp.asarray(leaf) for leaf in leaves], tree


def traced_with(function: Function, leaves: list[Any], tree: Tree) -> Traced:
    """Trace a function of containers; on values, if they are known, so that Python may branch."""
    concrete = all(not isinstance(x, Handle) or x.value is not None for x in leaves)
    return trace(
        lambda *v: function(*unflatten(tree, v)), *leaves, name=name_of(function), concrete=concrete
    )


def name_of(function: Function) -> str:
    """A name for the function's Program."""
    return getattr(function, "__name__", "f").strip("<>")


def _solid(found: Any, like: Any) -> Any:
    return bnp.zeros_like(like) if found is None else found


def _batch_size(leaves: list[Any], batched: list[bool]) -> int:
    sizes = {np.shape(x)[:1] for x, b in zip(leaves, batched, strict=True) if b}
    if len(sizes) != 1 or () in sizes:
        raise ShapeError(
            "`vmap` needs mapped arguments with one common number of examples.",
            facts=[("shapes", [np.shape(x) for x in leaves])],
            fix="use in_axes=None for an argument shared by all examples.",
            where=user_source(),
            code="T101",
        )
    return int(sizes.pop()[0])


def _floats_only(values: Any, what: str = "argument") -> None:
    for leaf in flatten(values)[0]:
        x = bnp.asarray(leaf)
        if x.dtype.kind != "f":
            raise DtypeError(
                f"derivatives need a float {what}.",
                facts=[(what, bnp.type_of(x))],
                fix="use floats, for example x.astype(float).",
                where=user_source(),
                code="T102",
            )
