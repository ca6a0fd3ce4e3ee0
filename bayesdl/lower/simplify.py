"""Fold, identities, common subexpressions, dead code: the meaning is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesdl.ir.program import Atom, Equation, Literal, Program, Var
from bayesdl.ir.walk import live_equations, substitute
from bayesdl.ops._bind import compute

Rewrite = Callable[[Equation, dict[Var, Equation]], Atom | None]


def simplify(program: Program) -> Program:
    """A Program with the same meaning and fewer equations.

    Inner Programs are simplified once each, however often they are used. Floating-point arithmetic
    is not reordered; ``x · 0`` is not folded, because x may be infinite.
    """
    done: dict[int, Program] = {}
    return _simplify(program, done)


def _simplify(program: Program, done: dict[int, Program]) -> Program:
    if id(program) in done:
        return done[id(program)]
    mapping: dict[Var, Atom] = {}
    defined: dict[Var, Equation] = {}
    known: dict[Any, tuple[Var, ...]] = {}
    kept: list[Equation] = []
    for equation in live_equations(program):
        inputs = substitute(equation.inputs, mapping)
        params = {k: _inner(v, done) for k, v in equation.params.items()}
        equation = Equation(equation.primitive, inputs, params, equation.outputs, equation.source)
        replacement = _replacement(equation, defined)
        if replacement is not None:
            mapping[equation.outputs[0]] = replacement
            continue
        key = _key(equation)
        if key in known:
            mapping.update(zip(equation.outputs, known[key], strict=True))
            continue
        known[key] = equation.outputs
        defined.update((v, equation) for v in equation.outputs)
        kept.append(equation)
    outputs = substitute(program.outputs, mapping)
    short = Program(program.name, program.inputs, tuple(kept), outputs)
    result = Program(program.name, program.inputs, tuple(live_equations(short)), outputs)
    done[id(program)] = result
    return result


def _inner(value: Any, done: dict[int, Program]) -> Any:
    return _simplify(value, done) if isinstance(value, Program) else value


def _replacement(equation: Equation, defined: dict[Var, Equation]) -> Atom | None:
    """What the (single) output equals without this equation, if anything."""
    if len(equation.outputs) != 1:
        return None
    if equation.primitive.elementwise and all(isinstance(a, Literal) for a in equation.inputs):
        return _folded(equation)
    rewrite = REWRITES.get(equation.primitive.name)
    found = rewrite(equation, defined) if rewrite else None
    # A literal may not stand in for an array: its type is a scalar's.
    return found if found is not None and found.type == equation.outputs[0].type else None


def _folded(equation: Equation) -> Atom:
    values = [a.value for a in equation.inputs if isinstance(a, Literal)]
    (result,) = compute(equation.primitive, values, dict(equation.params))
    return Literal.of(np.asarray(result))


def _is(atom: Atom, value: float) -> bool:
    return isinstance(atom, Literal) and bool(atom.value == value)


def _neutral(value: float, both: bool) -> Rewrite:
    def rewrite(equation: Equation, _: dict[Var, Equation]) -> Atom | None:
        x, y = equation.inputs
        if _is(y, value):
            return x
        return y if both and _is(x, value) else None

    return rewrite


def _undoes(name: str) -> Rewrite:
    """f(f(x)) = x."""

    def rewrite(equation: Equation, defined: dict[Var, Equation]) -> Atom | None:
        x = equation.inputs[0]
        inner = defined.get(x) if isinstance(x, Var) else None
        if inner is not None and inner.primitive.name == name and inner.params == equation.params:
            return inner.inputs[0]
        return None

    return rewrite


def _same_type(equation: Equation, _: dict[Var, Equation]) -> Atom | None:
    """Reshapes and casts that change nothing (the types are compared by the caller)."""
    return equation.inputs[0]


def _identity_permutation(equation: Equation, _: dict[Var, Equation]) -> Atom | None:
    order = equation.params["permutation"]
    return equation.inputs[0] if order == tuple(range(len(order))) else None


def _no_padding(equation: Equation, _: dict[Var, Equation]) -> Atom | None:
    flat = [*equation.params["low"], *equation.params["high"], *equation.params["interior"]]
    return equation.inputs[0] if not any(flat) else None


def _where(equation: Equation, _: dict[Var, Equation]) -> Atom | None:
    condition, x, y = equation.inputs
    if isinstance(condition, Literal):
        return x if condition.value else y
    return x if x is y else None


REWRITES: dict[str, Rewrite] = {
    # x − 0 is x for every x; x + 0 is not (−0 + 0 = 0), so `add` is left alone.
    "sub": _neutral(0.0, both=False),
    "mul": _neutral(1.0, both=True),
    "div": _neutral(1.0, both=False),
    "neg": _undoes("neg"),
    "not": _undoes("not"),
    "reshape": _same_type,
    "convert": _same_type,
    "stop_gradient": _same_type,
    "transpose": _identity_permutation,
    "pad": _no_padding,
    "where": _where,
}


def _key(equation: Equation) -> Any:
    return (
        equation.primitive.name,
        tuple(a.key if isinstance(a, Literal) else id(a) for a in equation.inputs),
        tuple((k, _param_key(v)) for k, v in sorted(equation.params.items())),
    )


def _param_key(value: Any) -> Any:
    if isinstance(value, Program):
        return id(value)
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    return value
