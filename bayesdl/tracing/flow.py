"""Control flow over Python functions: branches and loops that become one equation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesdl._base.errors import ShapeError
from bayesdl._base.source import user_source
from bayesdl._base.tree import Tree, flatten, unflatten
from bayesdl.ir.builder import Handle, active_builders
from bayesdl.ir.program import Program, Var
from bayesdl.ir.types import ArrayType
from bayesdl.ops import control
from bayesdl.ops import numpy as bnp
from bayesdl.ops._programs import listed

from . import Traced, trace


def cond(
    predicate: Any, true: Callable[..., Any], false: Callable[..., Any], *operands: Any
) -> Any:
    """One of two functions, chosen when the Program runs.

    Parameters
    ----------
    predicate : bool array, shape ()
        Chooses `true` or `false`; only the chosen one runs.
    true, false : callable, (*operands) -> container of arrays
        Must give the same types.
    *operands
        Arrays or containers of arrays. Arrays of the surrounding function may be used too.

    Raises
    ------
    ShapeError
        If the two results differ in structure, shape or dtype.

    Examples
    --------
    >>> float(cond(True, lambda x: x + 1.0, lambda x: -x, 2.0))
    3.0
    """
    leaves, tree = _arrays(operands)
    first, second = _traced(true, leaves, tree), _traced(false, leaves, tree)
    if first.tree != second.tree:
        raise ShapeError(
            "the branches of `cond` return containers of different structure.",
            facts=[
                ("if true", len(first.program.outputs)),
                ("if false", len(second.program.outputs)),
            ],
            fix="return the same dict keys, or tuples of one length.",
            where=user_source(),
            code="T101",
        )
    union, programs = _one_signature([first, second], len(leaves))
    outputs = control.cond(
        bnp.asarray(predicate), *leaves, *union, true=programs[0], false=programs[1]
    )
    return unflatten(first.tree, listed(outputs))


def while_loop(test: Callable[[Any], Any], body: Callable[[Any], Any], init: Any) -> Any:
    """Repeat `body` while `test` holds. Forward mode goes through it; reverse mode cannot.

    Parameters
    ----------
    test : callable, carry -> bool array of shape ()
    body : callable, carry -> carry of the same types
    init : container of arrays
        The first carry.

    Examples
    --------
    >>> float(while_loop(lambda x: x < 100.0, lambda x: 2.0 * x, 3.0))
    192.0
    """
    leaves, tree = _arrays(init)
    first, second = (
        _traced(test, leaves, tree, single=True),
        _traced(body, leaves, tree, single=True),
    )
    _same_structure("while_loop", tree, second.tree)
    union, (p_test, p_body) = _one_signature([first, second], len(leaves), front=True)
    outputs = control.while_loop(*union, *leaves, test=p_test, body=p_body, constants=len(union))
    return unflatten(tree, listed(outputs))


def fori_loop(low: int, high: int, body: Callable[[Any, Any], Any], init: Any) -> Any:
    """``for i in range(low, high): carry = body(i, carry)`` as a scan, so reverse mode works.

    Examples
    --------
    >>> int(fori_loop(0, 5, lambda i, total: total + i, 0))
    10
    """
    steps = bnp.arange(low, high)
    return scan(lambda carry, i: (body(i, carry), None), init, steps)[0]


def scan(
    step: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
) -> tuple[Any, Any]:
    """Thread a carry through a fixed number of steps and stack what each step gives.

    Parameters
    ----------
    step : callable, (carry, x) -> (carry, y)
    init : container of arrays
        The first carry; `step` must return the same types.
    xs : container of arrays, each of shape (length, …), optional
        Step i sees ``x[i]``; None gives None.
    length : int, optional
        Needed only without `xs`.
    reverse : bool, default False
        From the last entry to the first; `y[i]` still belongs to `x[i]`.

    Returns
    -------
    carry, ys
        The last carry, and the stacked results.

    Examples
    --------
    >>> scan(lambda total, x: (total + x, total), 0.0, np.array([1.0, 2.0, 3.0]))[1].tolist()
    [0.0, 1.0, 3.0]
    """
    state, state_tree = _arrays(init)
    inputs, input_tree = _arrays(xs)
    count = _length(inputs, length)
    types = [_type(x) for x in state] + [_type(x).drop((0,)) for x in inputs]

    def flat(*v: Any) -> Any:
        carry = unflatten(state_tree, v[: len(state)])
        return step(carry, unflatten(input_tree, v[len(state) :]))

    traced = trace(flat, *types, name=getattr(step, "__name__", "step").strip("<>"))
    carry_tree, out_tree = _pair_trees(traced.tree)
    _same_structure("scan", state_tree, carry_tree)
    _, (program,) = _one_signature([traced], len(types), front=True)
    outputs = listed(
        control.scan(
            *traced.captures,
            *state,
            *inputs,
            body=program,
            constants=len(traced.captures),
            carry=len(state),
            length=count,
            reverse=reverse,
        )
    )
    return unflatten(state_tree, outputs[: len(state)]), unflatten(out_tree, outputs[len(state) :])


def shared(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose Program is traced and emitted once per types, called where it is used."""
    known: dict[Any, Traced] = {}

    def wrapped(*args: Any) -> Any:
        leaves, tree = _arrays(args)
        key = (tree, tuple(_type(x) for x in leaves), bnp.default_dtype())
        traced = known.get(key)
        # What it captured may belong to a trace that is over: then it is traced anew.
        if traced is None or any(h.builder not in active_builders() for h in traced.captures):
            traced = known[key] = _traced(function, leaves, tree)
        outputs = control.call(*leaves, *traced.captures, program=traced.program)
        return unflatten(traced.tree, listed(outputs))

    return wrapped


def _arrays(container: Any) -> tuple[list[Any], Tree]:
    leaves, tree = flatten(container)
    return [bnp.asarray(leaf) for leaf in leaves], tree


def _type(x: Any) -> ArrayType:
    return ArrayType(np.shape(x), np.dtype(x.dtype))


def _traced(
    function: Callable[..., Any], leaves: list[Any], tree: Tree, single: bool = False
) -> Traced:
    def flat(*v: Any) -> Any:
        args = unflatten(tree, v)
        return function(args) if single else function(*args)

    return trace(
        flat, *(_type(x) for x in leaves), name=getattr(function, "__name__", "f").strip("<>")
    )


def _one_signature(
    traced: list[Traced], count: int, front: bool = False
) -> tuple[list[Handle], list[Program]]:
    """Programs that take the same captures: behind their arguments, or in front of them."""
    union: dict[int, Handle] = {}
    for t in traced:
        for handle in t.captures:
            union.setdefault(id(handle.atom), handle)
    order = list(union)
    programs = []
    for t in traced:
        own = {id(h.atom): v for h, v in zip(t.captures, t.program.inputs[count:], strict=True)}
        extra = tuple(own[key] if key in own else _unused(union[key]) for key in order)
        plain = t.program.inputs[:count]
        inputs = (*extra, *plain) if front else (*plain, *extra)
        programs.append(Program(t.program.name, inputs, t.program.equations, t.program.outputs))
    return list(union.values()), programs


def _unused(handle: Handle) -> Any:
    return Var(handle.type)


def _pair_trees(tree: Tree) -> tuple[Tree, Tree]:
    if tree.kind is not tuple or len(tree.children) != 2:
        raise ShapeError(
            "the step of `scan` must return a pair (carry, y).",
            fix="return carry, None where nothing is to be stacked.",
            where=user_source(),
            code="T104",
        )
    return tree.children[0], tree.children[1]


def _same_structure(name: str, given: Tree, returned: Tree) -> None:
    if given != returned:
        raise ShapeError(
            f"the body of `{name}` returns a carry of another structure than it was given.",
            fix="return the carry in the container that it came in.",
            where=user_source(),
            code="T104",
        )


def _length(inputs: list[Any], length: int | None) -> int:
    sizes = {np.shape(x)[:1] for x in inputs} | ({(length,)} if length is not None else set())
    if len(sizes) != 1 or () in sizes:
        raise ShapeError(
            "`scan` needs one number of steps.",
            facts=[("shapes of xs", *(np.shape(x) for x in inputs)), ("length", length)],
            fix="give xs of one common length, or length= without xs.",
            where=user_source(),
            code="T101",
        )
    return int(sizes.pop()[0])
