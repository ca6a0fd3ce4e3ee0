"""What a scan keeps of each step for the way back, and what the way back computes again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod

from bayesdl._base.dataclass import dataclass
from bayesdl.ir.program import Atom, Equation, Program, Var
from bayesdl.ir.walk import live_equations, substitute

# A step may keep values of up to so many times the size of its carry and its own input.
MOST = 8
# What is cheaper to do again than to write down and read: arithmetic, and what only moves numbers.
_AGAIN = {
    *("add", "sub", "mul", "div", "neg", "abs", "sign", "max", "min", "square", "sqrt"),
    *("floor", "ceil", "rint", "guarded_mul", "integer_power", "floor_div", "remainder"),
    *("equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "isfinite", "isnan"),
    *("and", "or", "xor", "not", "shift_left", "shift_right", "where", "convert", "bitcast"),
    *("stop_gradient", "constant", "iota", "broadcast", "reshape", "transpose", "reverse"),
    *("slice", "pad", "concatenate", "dynamic_slice", "gather"),
}


@dataclass(frozen=True)
class Step:
    """A scan's body and its derivative, cut in two.

    Parameters
    ----------
    forward : Program
        Takes the body's inputs; gives its outputs, and then what else the backward step reads.
    backward : Program
        Takes some of the body's constants, what is kept, some of its other inputs, and some of the
        cotangents of its float outputs; gives cotangents of the active inputs.
    constants, kept, xs, cotangents : tuple of int
        Which of the body's constants, of the outputs of `forward`, of the body's inputs after the
        carry, and of the cotangents `backward` takes, in this order.
    """

    forward: Program
    backward: Program
    constants: tuple[int, ...]
    kept: tuple[int, ...]
    xs: tuple[int, ...]
    cotangents: tuple[int, ...]


def moving_carry(body: Program, active: Sequence[bool], constants: int, carry: int) -> list[bool]:
    """Which inputs of a scan's body may depend on active operands, in some turn."""
    live = list(active)
    while True:
        moving: set[Atom] = {v for v, a in zip(body.inputs, live, strict=True) if a}
        for equation in body.equations:
            if not moving.isdisjoint(equation.inputs):
                moving.update(v for v in equation.outputs if v.type.is_float)
        parts = [constants + k for k in range(carry) if body.outputs[k] in moving]
        if all(live[i] for i in parts):
            return live
        for i in parts:
            live[i] = True


def cut(derived: Program, results: int, inputs: int, constants: int, carry: int) -> Step:
    """Cut the derivative of a scan's body into a forward and a backward step.

    The backward step reads few things where it can: results of costly equations are kept by the
    forward step, unless they are larger than its carry and input; all else is computed again from
    the carry before the step and the step's input, as far as the way back needs it.

    Parameters
    ----------
    derived : Program
        Takes the body's inputs, then cotangents; gives its outputs, then cotangents of inputs.
    results, inputs, constants, carry : int
        Outputs, inputs, constants and parts of the carry of the body.
    """
    own, cotangents = derived.inputs[:inputs], derived.inputs[inputs:]
    back: list[Equation] = []
    behind: set[Atom] = set(cotangents)
    for equation in derived.equations:
        if not behind.isdisjoint(equation.inputs):
            back.append(equation)
            behind.update(equation.outputs)
    kept, again, wanted = _kept(derived, results, back, _nbytes(own[constants:]))
    kept += [v for v in own[constants : constants + carry] if v in wanted]
    fixed, xs = own[:constants], own[constants + carry :]
    # What a step stacks anyway is not stacked twice.
    stacked = {a: carry + j for j, a in enumerate(derived.outputs[carry:results])}
    added = [v for v in kept if v not in stacked]
    stacked.update((v, results + i) for i, v in enumerate(added))
    chosen = [
        tuple(i for i, v in enumerate(group) if v in wanted) for group in (fixed, xs, cotangents)
    ]
    inputs_back = [
        *(fixed[i] for i in chosen[0]),
        *kept,
        *(xs[i] for i in chosen[1]),
        *(cotangents[i] for i in chosen[2]),
    ]
    return Step(
        _apart("forward", own, derived.equations, (*derived.outputs[:results], *added)),
        _apart("backward", inputs_back, [*again, *back], derived.outputs[results:]),
        chosen[0],
        tuple(stacked[v] for v in kept),
        *chosen[1:],
    )


def _kept(
    derived: Program, results: int, back: list[Equation], size: int
) -> tuple[list[Var], list[Equation], set[Atom]]:
    """Values to keep, equations to do again, and all that the way back reads."""
    behind = set(map(id, back))
    ahead = [e for e in derived.equations if id(e) not in behind]
    # Part of what is costly and too large may be small enough, such as one of several gates.
    heavy: set[Atom] = set()
    for equation in ahead:
        large = _nbytes(equation.outputs) > size
        if not heavy.isdisjoint(equation.inputs) if _is_cheap(equation) else large:
            heavy.update(equation.outputs)
    wanted: set[Atom] = {a for e in back for a in e.inputs} | set(derived.outputs[results:])
    kept: list[Var] = []
    again: list[Equation] = []
    room = MOST * size
    for equation in reversed(ahead):
        read = [v for v in equation.outputs if v in wanted]
        if not read:
            continue
        costs = not _is_cheap(equation) or not heavy.isdisjoint(equation.outputs)
        if costs and _nbytes(read) <= min(size, room):
            room -= _nbytes(read)
            kept.extend(read)
        else:
            again.append(equation)
            wanted.update(equation.inputs)
    return kept, again[::-1], wanted


def _is_cheap(equation: Equation) -> bool:
    return equation.primitive.name in _AGAIN


def _nbytes(values: Iterable[Var]) -> int:
    return sum(prod(v.type.shape) * v.type.dtype.itemsize for v in values)


def _apart(
    name: str, inputs: Sequence[Var], equations: Sequence[Equation], outputs: Sequence[Atom]
) -> Program:
    """A Program of some equations of another, over values of its own."""
    fresh = tuple([Var(v.type) for v in inputs])
    mapping: dict[Var, Atom] = dict(zip(inputs, fresh, strict=True))
    lines = []
    for e in live_equations(Program(name, tuple(inputs), tuple(equations), tuple(outputs))):
        made = tuple([Var(v.type) for v in e.outputs])
        operands = substitute(e.inputs, mapping)
        lines.append(Equation(e.primitive, operands, e.params, made, e.source))
        mapping.update(zip(e.outputs, made, strict=True))
    return Program(name, fresh, tuple(lines), substitute(tuple(outputs), mapping))
