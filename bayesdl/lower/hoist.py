"""Move what a loop would compute alike in every turn in front of the loop.

A sampler calls the gradient in loops within loops, and much of a density depends on the data alone:
log σ of known errors, log Γ(y + 1) of counts, an index that is moved into its range. LLVM moves
numbers out of loops, but neither arrays nor what lies behind a call.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from bayesdl._base.dataclass import dataclass
from bayesdl.ir.primitive import PRIMITIVES
from bayesdl.ir.program import Atom, Equation, Program, Var
from bayesdl.ir.walk import live_equations, programs_in, subprograms, substitute

# Weights of one element, in units of an addition, and the bytes up to which an array is kept: what
# is cheap is computed again once reading it costs more than that.
LIGHT, HEAVY = 2, 12
SMALL, LARGE = 1 << 18, 1 << 22
# What only moves numbers is done where it is read.
MOVES = {"broadcast", "reshape", "slice", "transpose", "reverse", "iota", "constant", "pad"}
_CHEAP = ("add", "sub", "mul", "neg", "abs", "square", "max", "min", "where", "convert")
_WEIGHTS = dict.fromkeys(_CHEAP, 1) | {"div": 4, "sqrt": 4}


def hoist(program: Program) -> Program:
    """A Program with the same meaning whose loops compute nothing twice that never changes.

    Values are moved out of loops, and out of calls and branches in loops, in front of the outermost
    loop in which they stay the same. A branch that is never taken then costs what it holds once.

    Parameters
    ----------
    program : Program

    Returns
    -------
    Program
    """
    return _Hoist(program).split(program).rest


@dataclass(frozen=True, eq=False)
class _Split:
    """A Program in two parts.

    Parameters
    ----------
    before : tuple of Equation
        What depends on the fixed inputs alone, in terms of the Program's own inputs.
    values : tuple of Var
        What the rest reads of it; further inputs of the rest, after the others.
    rest : Program
    """

    before: tuple[Equation, ...]
    values: tuple[Var, ...]
    rest: Program


class _Hoist:
    """Splits the Programs inside one Program, each once, so that what is shared stays shared.

    Parameters
    ----------
    program : Program
        The outermost one.
    """

    def __init__(self, program: Program) -> None:
        # A Program of which nothing is fixed, or that no loop repeats, is not in here.
        self.fixed: dict[int, set[int]] = {}
        self.done: dict[int, _Split] = {}
        for outer in reversed(list(subprograms(program))):
            self._look(outer)

    def _look(self, outer: Program) -> None:
        """Find which inputs of the Programs inside one are the same in all turns of all loops."""
        known = self._known(outer)
        for equation in outer.equations:
            name = equation.primitive.name
            if name in ("while_loop", "scan"):
                for inner in _rolled(equation):
                    self._meet(inner, set(_staying(equation)))
            elif id(outer) in self.fixed:
                skip = 1 if name == "cond" else 0
                operands = equation.inputs[skip:]
                same = {i for i, a in enumerate(operands) if _is_known(a, known)}
                for inner in programs_in(equation):
                    self._meet(inner, same)

    def _meet(self, inner: Program, same: set[int]) -> None:
        self.fixed[id(inner)] = same & self.fixed.get(id(inner), same)

    def _known(self, program: Program) -> set[Atom]:
        """What in a Program follows from its fixed inputs."""
        known: set[Atom] = {program.inputs[i] for i in self.fixed.get(id(program), ())}
        for equation in program.equations if known else ():
            if _is_fixed(equation, known):
                known.update(equation.outputs)
        return known

    def split(self, program: Program) -> _Split:
        """What of a Program can be computed before the loops around it, and the rest."""
        if id(program) not in self.done:
            self.done[id(program)] = self._split(program)
        return self.done[id(program)]

    def _split(self, program: Program) -> _Split:
        known: set[Atom] = {program.inputs[i] for i in self.fixed.get(id(program), ())}
        equations: list[Equation] = []
        shared: dict[Any, tuple[Var, ...]] = {}
        for equation in live_equations(program):
            for part in self._opened(equation, shared):
                equations.append(part)
                if _is_fixed(part, known):
                    known.update(part.outputs)
        before, values, kept = _frontier(program, equations, known)
        if list(program.equations) == kept:
            return _Split((), (), program)
        inputs = (*program.inputs, *values)
        rest = Program(program.name, inputs, tuple(kept), program.outputs)
        return _Split(tuple(before), tuple(values), rest)

    def _opened(self, equation: Equation, shared: dict[Any, tuple[Var, ...]]) -> list[Equation]:
        """An equation after what is taken out of the Programs that it holds."""
        name = equation.primitive.name
        if name in ("call", "custom_call"):
            return self._from_call(equation, shared)
        if name == "cond":
            splits = {k: self.split(equation.params[k]) for k in ("true", "false")}
            equations, extra = _written(splits, equation.inputs[1:], shared)
            programs = {k: _widened(s, splits) for k, s in splits.items()}
            return [*equations, _with(equation, (*equation.inputs, *extra), programs)]
        if name in ("while_loop", "scan"):
            return self._from_loop(equation, shared)
        return [equation]

    def _from_call(self, equation: Equation, shared: dict[Any, tuple[Var, ...]]) -> list[Equation]:
        """From a call; of a custom one the derivatives have been taken by now."""
        splits = {"program": self.split(equation.params["program"])}
        equations, extra = _written(splits, equation.inputs, shared)
        inputs, params = (*equation.inputs, *extra), {"program": splits["program"].rest}
        if equation.primitive.name == "call":
            return [*equations, _with(equation, inputs, params)]
        call = Equation(PRIMITIVES["call"], inputs, params, equation.outputs, equation.source)
        return [*equations, call]

    def _from_loop(self, equation: Equation, shared: dict[Any, tuple[Var, ...]]) -> list[Equation]:
        """From a loop: what depends on its constants, and on parts of the carry that stay."""
        constants = equation.params["constants"]
        keys = [k for k in ("body", "test") if k in equation.params]
        splits = {k: self.split(equation.params[k]) for k in keys}
        equations, extra = _written(splits, equation.inputs, shared)
        programs: dict[str, Any] = {
            k: _rotated(_widened(s, splits), constants, len(extra)) for k, s in splits.items()
        }
        inputs = (*equation.inputs[:constants], *extra, *equation.inputs[constants:])
        programs["constants"] = constants + len(extra)
        return [*equations, _with(equation, inputs, programs)]


def _rolled(equation: Equation) -> list[Program]:
    """The Programs that a loop repeats."""
    return [equation.params[k] for k in ("body", "test") if k in equation.params]


def _staying(equation: Equation) -> list[int]:
    """The inputs of a loop's Programs that are the same in every turn."""
    body, constants = equation.params["body"], equation.params["constants"]
    count = equation.params.get("carry", len(body.outputs))
    kept = (constants + k for k in range(count))
    return [
        *range(constants),
        *(i for i in kept if body.outputs[i - constants] is body.inputs[i]),
    ]


def _is_known(atom: Atom, known: set[Atom]) -> bool:
    return not isinstance(atom, Var) or atom in known


def _is_fixed(equation: Equation, known: set[Atom]) -> bool:
    """Whether an equation gives the same in every turn, and may run before the loop."""
    if equation.primitive.name == "constant" or programs_in(equation):
        return equation.primitive.name == "constant" and bool(known)
    return bool(known) and all(_is_known(a, known) for a in equation.inputs)


def _frontier(
    program: Program, equations: list[Equation], known: set[Atom]
) -> tuple[list[Equation], list[Var], list[Equation]]:
    """Equations that go before, what is read of them, and those that stay; cheap ones stay."""
    cost: dict[Var, int] = {}
    for equation in equations:
        if equation.outputs[0] in known:
            own = _weight(equation) + sum(
                cost.get(a, 0) for a in equation.inputs if isinstance(a, Var)
            )
            cost.update(dict.fromkeys(equation.outputs, own))
    wanted: set[Atom] = set(program.outputs)
    early: set[Atom] = set()
    before: list[Equation] = []
    values: list[Var] = []
    kept: list[Equation] = []
    for equation in reversed(equations):
        fixed = equation.outputs[0] in known
        read = [v for v in equation.outputs if v in wanted]
        goes = fixed and bool(read) and _is_worth(equation, cost)
        if goes:
            values.extend(read)
        elif read or not fixed:
            kept.append(equation)
            wanted.update(equation.inputs)
        if goes or any(v in early for v in equation.outputs):
            before.append(equation)
            early.update(equation.inputs)
    # What goes and stays needs a name of its own on each side.
    return before[::-1], values, kept[::-1]


def _weight(equation: Equation) -> int:
    name = equation.primitive.name
    if name in MOVES:
        return 0
    if equation.primitive.elementwise:
        return _WEIGHTS.get(name, HEAVY if _is_mathematical(equation) else 1)
    return HEAVY


def _is_mathematical(equation: Equation) -> bool:
    """Whether an elementwise primitive is a polynomial or worse, not an instruction."""
    return equation.outputs[0].type.dtype.kind == "f" and len(equation.inputs) == 1


def _is_worth(equation: Equation, cost: dict[Var, int]) -> bool:
    """Whether keeping a value pays: to read it must be cheaper than to compute it."""
    if equation.primitive.name in MOVES:
        return False
    spent = cost[equation.outputs[0]]
    size = sum(prod(v.type.shape) * v.type.dtype.itemsize for v in equation.outputs)
    return spent >= (LIGHT if size <= SMALL else HEAVY) and size <= LARGE


def _written(
    splits: dict[str, _Split], operands: Sequence[Atom], shared: dict[Any, tuple[Var, ...]]
) -> tuple[list[Equation], list[Atom]]:
    """What goes before, in terms of the operands, and the values that the Programs then take."""
    equations: list[Equation] = []
    values: list[Atom] = []
    for part in splits.values():
        mapping: dict[Var, Atom] = dict(zip(part.rest.inputs, operands, strict=False))
        for equation in part.before:
            inputs = substitute(equation.inputs, mapping)
            names = tuple(id(a) if isinstance(a, Var) else a.key for a in inputs)
            key = equation.primitive.name, id(equation.params), names
            if key not in shared:
                shared[key] = tuple(Var(v.type) for v in equation.outputs)
                equations.append(
                    Equation(
                        equation.primitive, inputs, equation.params, shared[key], equation.source
                    )
                )
            mapping.update(zip(equation.outputs, shared[key], strict=True))
        values.extend(mapping[v] for v in part.values)
    return equations, values


def _widened(part: _Split, splits: dict[str, _Split]) -> Program:
    """The rest of a Program, with inputs for the values of its siblings too."""
    own = len(part.rest.inputs) - len(part.values)
    inputs = list(part.rest.inputs[:own])
    for other in splits.values():
        inputs.extend(part.values if other is part else (Var(v.type) for v in other.values))
    if len(inputs) == len(part.rest.inputs):
        return part.rest
    return Program(part.rest.name, tuple(inputs), part.rest.equations, part.rest.outputs)


def _rotated(program: Program, constants: int, extra: int) -> Program:
    """A loop's Program with its last inputs among the constants, where they belong."""
    if not extra:
        return program
    first, last = program.inputs[:-extra], program.inputs[-extra:]
    inputs = (*first[:constants], *last, *first[constants:])
    return Program(program.name, inputs, program.equations, program.outputs)


def _with(equation: Equation, inputs: tuple[Atom, ...], changed: dict[str, Any]) -> Equation:
    if inputs == equation.inputs and all(equation.params[k] is v for k, v in changed.items()):
        return equation
    params = {**equation.params, **changed}
    return Equation(equation.primitive, inputs, params, equation.outputs, equation.source)
