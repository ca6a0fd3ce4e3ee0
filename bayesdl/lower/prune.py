"""Take out of inner Programs what nobody reads: results, operands, parts of a carry.

A derivative asks for more than its caller uses. Of a scan that is a row of memory for every step,
and a stacked result that is read nowhere; dead code that looks at whole equations leaves it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from bayesdl.ir.primitive import PRIMITIVES
from bayesdl.ir.program import Equation, Program, Var

Places = frozenset[int]


def prune(program: Program) -> Program:
    """A Program with the same meaning whose inner Programs take and give only what is read.

    One that is used in several places keeps what any of them reads, so that it stays shared. The
    inputs and outputs of the outermost Program are kept.

    Parameters
    ----------
    program : Program

    Returns
    -------
    Program
    """
    return _Prune(program).program()


class _Prune:
    """What is read of each inner Program, over all places where it is used.

    Parameters
    ----------
    outermost : Program

    Attributes
    ----------
    given, taken : dict of int to set of int
        By the identity of a Program, which of its outputs and inputs are kept.
    """

    def __init__(self, outermost: Program) -> None:
        self.outermost = outermost
        self.given: defaultdict[int, set[int]] = defaultdict(set)
        self.taken: defaultdict[int, set[int]] = defaultdict(set)
        self.known: dict[tuple[int, Places], Places] = {}
        # Of Programs that hold no others the answer does not change from round to round.
        self.settled: dict[tuple[int, Places], Places] = {}
        self.done: dict[int, Program] = {}
        self.grown = True

    def program(self) -> Program:
        """The outermost Program over pruned ones."""
        # What one place reads of a shared Program, others must provide for: again until none grows.
        while self.grown:
            self.grown = False
            self.known.clear()
            self._reads(self.outermost, frozenset(range(len(self.outermost.outputs))))
        program = self.outermost
        self.taken[id(program)].update(range(len(program.inputs)))
        return self._pruned(program)

    def _keep(self, kept: set[int], places: Iterable[int]) -> None:
        before = len(kept)
        kept.update(places)
        self.grown |= len(kept) > before

    def _reads(self, program: Program, outputs: Places) -> Places:
        """The inputs of a Program on which these outputs depend."""
        key = id(program), outputs
        if key in self.known or key in self.settled:
            return self.settled[key] if key in self.settled else self.known[key]
        self._keep(self.given[id(program)], outputs)
        wanted = {id(program.outputs[i]) for i in outputs}
        flat = True
        for equation in reversed(program.equations):
            if not equation.primitive.has_programs:
                for v in equation.outputs:
                    if id(v) in wanted:
                        wanted.update(map(id, equation.inputs))
                        break
                continue
            flat, read = False, _found(equation.outputs, wanted)
            if read:
                wanted.update(id(equation.inputs[i]) for i in self._operands(equation, read))
        found = _found(program.inputs, wanted)
        (self.settled if flat else self.known)[key] = found
        return found

    def _operands(self, equation: Equation, read: Places) -> Places:
        """The operands that an equation needs for some of its outputs."""
        return OPERANDS[equation.primitive.name](self, equation, read)

    def of_call(self, equation: Equation, read: Places) -> Places:
        """Those of a call, and those that other calls of the same Program need."""
        return self._settled(_inner(equation), read)

    def of_cond(self, equation: Equation, read: Places) -> Places:
        """Both branches take and give the same; the predicate comes first."""
        return frozenset({0, *(i + 1 for i in self._settled(_inner(equation), read))})

    def of_loop(self, equation: Equation, read: Places) -> Places:
        """A part of the carry that is read, outside or by what is kept, is made in every turn."""
        body, *test = _inner(equation)
        constants, count = equation.params["constants"], _carried(equation)
        given = read | self.given[id(body)]
        taken = frozenset(self.taken[id(body)].union(*(self.taken[id(p)] for p in test)))
        taken = taken.union(*(self._reads(p, frozenset({0})) for p in test))
        while True:
            taken |= self._reads(body, given)
            parts = {i - constants for i in taken if 0 <= i - constants < count}
            if parts <= given:
                break
            given |= parts
        return self._agreed([body, *test], taken | {constants + i for i in given if i < count})

    def _settled(self, programs: list[Program], read: Places) -> Places:
        """What Programs with one signature must all take, to give what any place reads of them."""
        given = read.union(*(self.given[id(p)] for p in programs))
        before = (self.taken[id(p)] for p in programs)
        return self._agreed(
            programs, frozenset().union(*before, *(self._reads(p, given) for p in programs))
        )

    def _agreed(self, programs: list[Program], taken: Places) -> Places:
        for program in programs:
            self._keep(self.taken[id(program)], taken)
        return taken

    def _pruned(self, program: Program) -> Program:
        key = id(program)
        if key not in self.done:
            given, taken = sorted(self.given[key]), sorted(self.taken[key])
            inputs = tuple(program.inputs[i] for i in taken)
            outputs = tuple(program.outputs[i] for i in given)
            wanted = set(map(id, outputs))
            kept: list[Equation] = []
            for equation in reversed(program.equations):
                for v in equation.outputs:
                    if id(v) in wanted:
                        kept.append(self._narrowed(equation))
                        wanted.update(map(id, kept[-1].inputs))
                        break
            equations = tuple(kept[::-1])
            short = Program(program.name, inputs, equations, outputs)
            same = (inputs, equations, outputs) == (
                program.inputs,
                program.equations,
                program.outputs,
            )
            self.done[key] = program if same else short
        return self.done[key]

    def _narrowed(self, equation: Equation) -> Equation:
        """An equation around pruned Programs, with the operands and results that these have."""
        if not equation.primitive.has_programs:
            return equation
        programs = _inner(equation)
        given, taken = sorted(self.given[id(programs[0])]), sorted(self.taken[id(programs[0])])
        outputs, first = tuple(equation.outputs[i] for i in given), 0
        params: dict[str, Any] = dict(equation.params)
        for name, program in _named(equation):
            params[name] = self._pruned(program)
        if equation.primitive.name == "cond":
            first = 1
        elif "constants" in params:
            count, constants = _carried(equation), params["constants"]
            params["constants"] = sum(i < constants for i in taken)
            if "carry" in params:
                params["carry"] = sum(i < count for i in given)
        inputs = (*equation.inputs[:first], *(equation.inputs[i + first] for i in taken))
        primitive = equation.primitive
        if primitive.name == "custom_call" and params["program"] is not equation.params["program"]:
            # The derivatives that come with it have been taken by now.
            primitive, params = PRIMITIVES["call"], {"program": params["program"]}
        same = all(equation.params[k] is v or equation.params[k] == v for k, v in params.items())
        if same and (inputs, outputs) == (equation.inputs, equation.outputs):
            return equation
        return Equation(primitive, inputs, params, outputs, equation.source)


def _found(values: tuple[Var, ...], wanted: set[int]) -> Places:
    return frozenset(i for i, v in enumerate(values) if id(v) in wanted)


def _named(equation: Equation) -> list[tuple[str, Program]]:
    """The Programs that an equation runs, by the name of their parameter, a loop's body first."""
    names = ("program", "true", "false", "body", "test")
    return [(k, equation.params[k]) for k in names if k in equation.params]


def _inner(equation: Equation) -> list[Program]:
    return [program for _, program in _named(equation)]


def _carried(equation: Equation) -> int:
    """The length of a loop's carry."""
    count: int = equation.params.get("carry", len(equation.outputs))
    return count


# A primitive that holds Programs says here which operands it needs.
OPERANDS = {
    "call": _Prune.of_call,
    "custom_call": _Prune.of_call,
    "cond": _Prune.of_cond,
    "while_loop": _Prune.of_loop,
    "scan": _Prune.of_loop,
}
