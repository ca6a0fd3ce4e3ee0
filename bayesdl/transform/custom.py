"""custom_vjp: a function whose reverse-mode derivative the user writes."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from bayesdl._base.errors import ShapeError
from bayesdl._base.source import Source, user_source
from bayesdl._base.tree import flatten, unflatten
from bayesdl.ir.program import Program
from bayesdl.ops import control
from bayesdl.ops import numpy as bnp
from bayesdl.ops._programs import floats, listed, pick, spread
from bayesdl.tracing import Traced, trace

from .derived import array_leaves, traced_with

Function = Callable[..., Any]


def custom_vjp(function: Function, forward: Function, backward: Function) -> Function:
    """A function with a reverse-mode derivative of your own.

    Parameters
    ----------
    function : callable, (*arrays) -> array or container of arrays
    forward : callable, (*arrays) -> (result, residuals)
        Computes the same result, and a container of arrays for the way back.
    backward : callable, (residuals, cotangent) -> tuple of cotangents
        The cotangent has the structure of the result (None in the place of an integer array). One
        cotangent per float argument, None for zero.

    Returns
    -------
    callable
        Computes what `function` does; reverse mode uses `backward`, forward mode refuses.

    Raises
    ------
    ShapeError
        If one of the three uses arrays of a surrounding trace, or if their results do not fit.

    Examples
    --------
    >>> from bayesdl.transform.derived import grad
    >>> f = custom_vjp(lambda x: x * x, lambda x: (x * x, (x,)), lambda r, ct: (ct * 3.0 * r[0],))
    >>> float(grad(f)(2.0))
    6.0
    """

    @wraps(function)
    def wrapped(*args: Any) -> Any:
        where = user_source()
        leaves, tree = array_leaves(args)
        plain = _closed(traced_with(function, leaves, tree), where)
        ahead = _closed(traced_with(forward, leaves, tree), where)
        _same_result(plain, ahead, where)
        floating = [x.dtype.kind == "f" for x in leaves]
        behind = _behind(backward, plain, ahead, pick(leaves, floating), where)
        outputs = control.custom_call(
            *leaves, program=plain.program, forward=ahead.program, backward=behind
        )
        return unflatten(plain.tree, listed(outputs))

    return wrapped


def _same_result(plain: Traced, ahead: Traced, where: Source | None) -> None:
    tree, count = ahead.tree, len(plain.program.outputs)
    pair = tree.kind is tuple and len(tree.children) == 2 and tree.children[0] == plain.tree
    if not pair or ahead.program.output_types[:count] != plain.program.output_types:
        raise ShapeError(
            "`custom_vjp` needs a forward function that returns (result, residuals).",
            facts=[
                ("function", *plain.program.output_types),
                ("forward", *ahead.program.output_types),
            ],
            fix="return the pair, and in it the same result as the function's.",
            where=where,
            code="T113",
        )


def _behind(
    backward: Function, plain: Traced, ahead: Traced, arguments: list[Any], where: Source | None
) -> Program:
    """The Program from residuals and float cotangents to one cotangent per float argument."""
    results = plain.program.output_types
    flags, residuals = floats(results), ahead.program.output_types[len(results) :]

    def back(*v: Any) -> list[Any]:
        kept = unflatten(ahead.tree.children[1], v[: len(residuals)])
        cotangent = unflatten(plain.tree, spread(v[len(residuals) :], flags))
        return _cotangents(backward(kept, cotangent), arguments, where)

    kinds = [*residuals, *pick(results, flags)]
    return _closed(trace(back, *kinds, name="backward"), where).program


def _cotangents(found: Any, arguments: list[Any], where: Source | None) -> list[Any]:
    given = found if isinstance(found, (tuple, list)) else [found]
    # A container argument has several leaves; None stands for one zero leaf.
    flat = [leaf for g in given for leaf in ([None] if g is None else flatten(g)[0])]
    shapes = [None if f is None else np.shape(bnp.asarray(f)) for f in flat]
    wanted = [np.shape(x) for x in arguments]
    if len(shapes) != len(wanted) or any(
        s not in (None, w) for s, w in zip(shapes, wanted, strict=True)
    ):
        raise ShapeError(
            "the backward function of `custom_vjp` must give one cotangent per float argument.",
            facts=[("arguments", *wanted), ("cotangents", *shapes)],
            fix="return a tuple of arrays with the arguments' shapes, None for a zero.",
            where=where,
            code="T113",
        )
    return [
        bnp.zeros(w, x.dtype) if f is None else bnp.astype(f, x.dtype)
        for f, w, x in zip(flat, wanted, arguments, strict=True)
    ]


def _closed(traced: Traced, where: Source | None) -> Traced:
    if traced.captures:
        raise ShapeError(
            "a function with a custom derivative may not use arrays of the surrounding function.",
            facts=[("captured", h.type) for h in traced.captures],
            fix="pass them as arguments.",
            where=where,
            code="T113",
        )
    return traced
