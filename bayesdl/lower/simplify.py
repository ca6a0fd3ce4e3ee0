"""Fold, identities, common subexpressions, dead code: the meaning is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from bayesdl.ir.primitive import PRIMITIVES
from bayesdl.ir.program import Atom, Equation, Literal, Program, Var
from bayesdl.ir.walk import live_equations, substitute
from bayesdl.ops._bind import compute

Defined = dict[Var, Equation]
Rewrite = Callable[[Equation, Defined], Atom | None]
Recast = Callable[[Equation, Defined], Equation]


def simplify(program: Program) -> Program:
    """A Program with the same meaning and fewer equations.

    Inner Programs are simplified once each, however often they are used. Floating-point arithmetic
    is not reordered, but for the sum of equal numbers, which becomes a product; ``x · 0`` is not
    folded, because x may be infinite. Derivatives are taken before: `stop_gradient` goes here.

    Parameters
    ----------
    program : Program

    Returns
    -------
    Program
    """
    done: dict[int, Program] = {}
    return _simplify(program, done)


def _simplify(program: Program, done: dict[int, Program]) -> Program:
    if id(program) in done:
        return done[id(program)]
    mapping: dict[Var, Atom] = {}
    defined: Defined = {}
    known: dict[Any, tuple[Var, ...]] = {}
    kept: list[Equation] = []
    for equation in live_equations(program):
        equation = _recast(_renewed(equation, mapping, done), defined)
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
    short = Program(program.name, program.inputs, _turned(kept, outputs), outputs)
    result = Program(program.name, program.inputs, tuple(live_equations(short)), outputs)
    done[id(program)] = result
    return result


def _turned(equations: list[Equation], outputs: tuple[Atom, ...]) -> tuple[Equation, ...]:
    """Products in the order in which their results are wanted: (x y)ᵀ = yᵀ xᵀ.

    A product of which only the transpose is read is made that way round, with the same sums.
    """
    made = {e.outputs[0]: e for e in equations if e.primitive.name == "dot_general"}
    turns = [e for e in equations if e.primitive.name == "transpose" and e.inputs[0] in made]
    if not turns:
        return tuple(equations)
    uses = Counter(a for e in equations for a in e.inputs if isinstance(a, Var))
    uses.update(a for a in outputs if isinstance(a, Var))
    found: dict[Equation, Equation] = {}
    for turn in turns:
        (source,) = turn.inputs
        if not isinstance(source, Var) or uses[source] > 1:
            continue
        product = made[source]
        if _swaps(product, turn.params["permutation"]):
            params = {k: (v[1], v[0]) for k, v in product.params.items()}
            found[turn] = _with(turn, product.inputs[::-1], "dot_general", params)
    return tuple(found.get(e, e) for e in equations)


def _swaps(product: Equation, permutation: tuple[int, ...]) -> bool:
    """Whether a permutation puts the axes of a product's second operand before the first's."""
    if product.params["batch"] != ((), ()):
        return False
    rank = len(permutation)
    left = product.inputs[0].type.ndim - len(product.params["contract"][0])
    return permutation == (*range(left, rank), *range(left))


def _renewed(equation: Equation, mapping: dict[Var, Atom], done: dict[int, Program]) -> Equation:
    """The equation over what its operands have become; itself where nothing has changed."""
    inputs, params = substitute(equation.inputs, mapping), equation.params
    if equation.primitive.has_programs:
        params = {k: _inner(v, done) for k, v in params.items()}
    elif inputs == equation.inputs:
        return equation
    return Equation(equation.primitive, inputs, params, equation.outputs, equation.source)


def _inner(value: Any, done: dict[int, Program]) -> Any:
    if isinstance(value, tuple) and any(isinstance(v, Program) for v in value):
        return tuple(_inner(v, done) for v in value)
    return _simplify(value, done) if isinstance(value, Program) else value


def _replacement(equation: Equation, defined: Defined) -> Atom | None:
    """What the (single) output equals without this equation, if anything."""
    if len(equation.outputs) != 1:
        return None
    if equation.primitive.elementwise and _all_literal(equation.inputs):
        return _folded(equation)
    rewrite = REWRITES.get(equation.primitive.name)
    found = rewrite(equation, defined) if rewrite else None
    # A literal may not stand in for an array: its type is a scalar's.
    return found if found is not None and found.type == equation.outputs[0].type else None


def _folded(equation: Equation) -> Atom:
    values = [a.value for a in equation.inputs if isinstance(a, Literal)]
    (result,) = compute(equation.primitive, values, equation.params)
    return Literal.of(np.asarray(result))


def _recast(equation: Equation, defined: Defined) -> Equation:
    """The same outputs from an equation that reads less."""
    if equation.primitive.elementwise:
        equation = _literal_operands(equation, defined)
    recast = RECASTS.get(equation.primitive.name)
    return recast(equation, defined) if recast else equation


def _made_by(atom: Atom, name: str, defined: Defined) -> Equation | None:
    found = defined.get(atom) if isinstance(atom, Var) else None
    return found if found is not None and found.primitive.name == name else None


def _spread_literal(atom: Atom, defined: Defined) -> Literal | None:
    """The literal of which an array is the broadcast."""
    source = _made_by(atom, "broadcast", defined)
    inner = source.inputs[0] if source is not None else atom
    return inner if isinstance(inner, Literal) else None


def _literal_operands(equation: Equation, defined: Defined) -> Equation:
    """Broadcast literals become literals where another operand still has the shape."""
    inputs = tuple([_spread_literal(a, defined) or a for a in equation.inputs])
    if _all_literal(inputs):
        return _spread_late(equation, inputs)
    return equation if inputs == equation.inputs else _with(equation, inputs)


def _spread_late(equation: Equation, literals: tuple[Atom, ...]) -> Equation:
    """An elementwise equation of broadcast literals alone is done on one number, then broadcast."""
    shape = equation.outputs[0].type.shape
    if not shape:
        return equation
    params = {"shape": shape, "axes": tuple(range(len(shape)))}
    return _with(equation, (_folded(_with(equation, literals)),), "broadcast", params)


def _all_literal(atoms: tuple[Atom, ...]) -> bool:
    for atom in atoms:  # noqa: SIM110  (asked of every equation; a generator takes twice as long)
        if type(atom) is not Literal:
            return False
    return True


def _sum_of_equals(equation: Equation, defined: Defined) -> Equation:
    """The sum of a broadcast literal is the literal times the count."""
    literal, axes = _spread_literal(equation.inputs[0], defined), equation.params["axes"]
    if literal is None or literal.type.dtype.kind == "b":
        return equation
    before, after = equation.inputs[0].type, equation.outputs[0].type
    count = before.size // max(after.size, 1) if after.size else 0
    with np.errstate(all="ignore"):
        total = Literal.of(np.multiply(literal.value, np.asarray(count).astype(before.dtype)))
    if not axes or not np.isfinite(literal.value):
        return equation
    params = {"shape": after.shape, "axes": tuple(range(after.ndim))}
    return _with(equation, (total,), "broadcast", params)


def _broadcast_once(equation: Equation, defined: Defined) -> Equation:
    """A broadcast of a broadcast."""
    inner = _made_by(equation.inputs[0], "broadcast", defined)
    if inner is None:
        return equation
    shape, new = equation.params["shape"], equation.params["axes"]
    kept = [i for i in range(len(shape)) if i not in new]
    axes = tuple(sorted((*new, *(kept[i] for i in inner.params["axes"]))))
    return _with(equation, inner.inputs, "broadcast", {"shape": shape, "axes": axes})


def _reshape_once(equation: Equation, defined: Defined) -> Equation:
    """A reshape of a reshape."""
    inner = _made_by(equation.inputs[0], "reshape", defined)
    return equation if inner is None else _with(equation, inner.inputs)


def _with(
    equation: Equation,
    inputs: tuple[Atom, ...],
    name: str | None = None,
    params: dict[str, Any] | None = None,
) -> Equation:
    primitive = PRIMITIVES[name] if name is not None else equation.primitive
    kept = equation.params if params is None else params
    return Equation(primitive, inputs, kept, equation.outputs, equation.source)


def _plain_product(equation: Equation, defined: Defined) -> Equation:
    """A guarded product needs no guard where neither factor can make NaN of a zero."""
    c, p = equation.inputs
    finite = isinstance(p, Literal) and bool(np.isfinite(p.value))
    if finite or (isinstance(c, Literal) and c.value != 0):
        return _scaled_once(_with(equation, (p, c) if finite else (c, p), "mul"), defined)
    return equation


def _scaled_once(equation: Equation, defined: Defined) -> Equation:
    """The product with two powers of two is that with one; with -1 it is the negation."""
    a, x = equation.inputs
    if isinstance(x, Literal):
        a, x = x, a
    if not isinstance(a, Literal) or a.type.dtype.kind != "f":
        return equation
    inner = _made_by(x, "mul", defined)
    b = next((v for v in inner.inputs if isinstance(v, Literal)), None) if inner else None
    if inner is not None and b is not None and _is_power_of_two(a) and _is_power_of_two(b):
        (x,) = (v for v in inner.inputs if v is not b)
        with np.errstate(all="ignore"):
            both = Literal.of(a.value * b.value)
        if not _is_power_of_two(both):  # beyond the range of the dtype
            return equation
        a = both
        equation = _with(equation, (a, x))
    return _with(equation, (x,), "neg", {}) if a.value == -1.0 else equation


def _is_power_of_two(literal: Literal) -> bool:
    return abs(float(np.frexp(literal.value)[0])) == 0.5


def _compared_directly(equation: Equation, defined: Defined) -> Equation:
    """x = max(x, y) is x ≥ y, for NaN too; so the slope of a rectifier does not read its value."""
    for x, other in (equation.inputs, equation.inputs[::-1]):
        for name, comparison in (("max", "greater_equal"), ("min", "less_equal")):
            inner = _made_by(other, name, defined)
            if inner is not None and x in inner.inputs and x.type.dtype.kind in "fiu":
                a, b = inner.inputs
                return _with(equation, (x, b if a is x else a), comparison)
    return equation


def _untransposed(equation: Equation, defined: Defined) -> Equation:
    """A product reads its operands as they lie, by the axes that it names."""
    inputs = list(equation.inputs)
    contract, batch = list(equation.params["contract"]), list(equation.params["batch"])
    for side in (0, 1):
        turn = _made_by(inputs[side], "transpose", defined)
        if turn is None:
            continue
        order = turn.params["permutation"]
        named = {*contract[side], *batch[side]}
        free = [axis for i, axis in enumerate(order) if i not in named]
        if free == sorted(free):
            inputs[side] = turn.inputs[0]
            contract[side], batch[side] = (
                tuple(order[i] for i in axes) for axes in (contract[side], batch[side])
            )
    params = {"contract": tuple(contract), "batch": tuple(batch)}
    return equation if params == equation.params else _with(equation, tuple(inputs), None, params)


RECASTS: dict[str, Recast] = {
    "broadcast": _broadcast_once,
    "dot_general": _untransposed,
    "equal": _compared_directly,
    "guarded_mul": _plain_product,
    "mul": _scaled_once,
    "reduce_sum": _sum_of_equals,
    "reshape": _reshape_once,
}


def _is(atom: Atom, value: float) -> bool:
    """Whether an atom is that number, and not its negative zero."""
    if not isinstance(atom, Literal) or atom.value != value:
        return False
    return atom.type.dtype.kind != "f" or bool(np.signbit(atom.value) == np.signbit(value))


def _neutral(value: float, both: bool) -> Rewrite:
    def rewrite(equation: Equation, _: Defined) -> Atom | None:
        x, y = equation.inputs
        if _is(y, value):
            return x
        return y if both and _is(x, value) else None

    return rewrite


def _undoes(name: str) -> Rewrite:
    """f(f(x)) = x."""

    def rewrite(equation: Equation, defined: Defined) -> Atom | None:
        x = equation.inputs[0]
        inner = defined.get(x) if isinstance(x, Var) else None
        if inner is not None and inner.primitive.name == name and inner.params == equation.params:
            return inner.inputs[0]
        return None

    return rewrite


def _logarithm_of_exponential(equation: Equation, defined: Defined) -> Atom | None:
    """log(eˣ) = x, the one rewrite that may change a number: where eˣ is rounded to 0 or ∞.

    x is what was meant there, and log densities are full of scales that are exponentials.
    """
    inner = _made_by(equation.inputs[0], "exp", defined)
    return None if inner is None else inner.inputs[0]


def _same_type(equation: Equation, _: Defined) -> Atom | None:
    """Reshapes and casts that change nothing (the types are compared by the caller)."""
    return equation.inputs[0]


def _identity_permutation(equation: Equation, _: Defined) -> Atom | None:
    order = equation.params["permutation"]
    return equation.inputs[0] if order == tuple(range(len(order))) else None


def _no_padding(equation: Equation, _: Defined) -> Atom | None:
    flat = [*equation.params["low"], *equation.params["high"], *equation.params["interior"]]
    return equation.inputs[0] if not any(flat) else None


def _where(equation: Equation, _: Defined) -> Atom | None:
    condition, x, y = equation.inputs
    if isinstance(condition, Literal):
        return x if condition.value else y
    return x if x is y else None


REWRITES: dict[str, Rewrite] = {
    # x − 0 is x for every x; x + 0 is not (−0 + 0 = 0), so `add` is left alone.
    "sub": _neutral(0.0, both=False),
    "mul": _neutral(1.0, both=True),
    "div": _neutral(1.0, both=False),
    "log": _logarithm_of_exponential,
    "neg": _undoes("neg"),
    "not": _undoes("not"),
    "broadcast": _same_type,
    "reshape": _same_type,
    "convert": _same_type,
    "stop_gradient": _same_type,
    "transpose": _identity_permutation,
    "pad": _no_padding,
    "where": _where,
}


def _key(equation: Equation) -> Any:
    params = equation.params
    return (
        equation.primitive.name,
        tuple([a.key if type(a) is Literal else id(a) for a in equation.inputs]),
        tuple([(k, _param_key(params[k])) for k in sorted(params)]) if params else (),
    )


def _param_key(value: Any) -> Any:
    if isinstance(value, Program):
        return id(value)
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, tuple):
        return tuple(_param_key(v) for v in value)
    # 1 and 1.0 and True are one dictionary key, and so are 0.0 and −0.0.
    return (repr(value), type(value).__name__) if isinstance(value, (bool, int, float)) else value
