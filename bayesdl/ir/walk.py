"""Questions about Programs: who uses what, what is needed, which Programs lie inside."""

from __future__ import annotations

from collections.abc import Iterator

from .program import Atom, Equation, Program, Var


def programs_in(equation: Equation) -> list[Program]:
    """The Programs among an equation's parameters, in order of the parameters' names."""
    found: list[Program] = []
    if not equation.primitive.has_programs:
        return found
    for _, value in sorted(equation.params.items()):
        if isinstance(value, Program):
            found.append(value)
        elif isinstance(value, tuple):
            found.extend(v for v in value if isinstance(v, Program))
    return found


def subprograms(program: Program) -> Iterator[Program]:
    """A Program and all that lie inside it, each once, inner ones first."""
    seen: set[int] = set()

    def visit(p: Program) -> Iterator[Program]:
        if id(p) in seen:
            return
        seen.add(id(p))
        for equation in p.equations:
            for inner in programs_in(equation):
                yield from visit(inner)
        yield p

    return visit(program)


def variables(program: Program) -> Iterator[Var]:
    """The inputs of a Program and what its equations put out, inner Programs apart."""
    yield from program.inputs
    for equation in program.equations:
        yield from equation.outputs


def last_uses(program: Program) -> dict[Var, int]:
    """The index of the last equation that reads each Var; the number of equations for outputs."""
    last: dict[Var, int] = {}
    for i, equation in enumerate(program.equations):
        for atom in equation.inputs:
            if isinstance(atom, Var):
                last[atom] = i
    for atom in program.outputs:
        if isinstance(atom, Var):
            last[atom] = len(program.equations)
    return last


def live_equations(program: Program) -> list[Equation]:
    """The equations on which the outputs depend, in order."""
    # Literals in the set do no harm: no equation puts one out.
    needed: set[int] = {id(a) for a in program.outputs}
    kept = []
    for equation in reversed(program.equations):
        for v in equation.outputs:
            if id(v) in needed:
                kept.append(equation)
                needed.update(map(id, equation.inputs))
                break
    return kept[::-1]


def substitute(atoms: tuple[Atom, ...], mapping: dict[Var, Atom]) -> tuple[Atom, ...]:
    """Atoms with Vars replaced where the mapping says so."""
    return tuple([mapping.get(a, a) if type(a) is Var else a for a in atoms])


def count_equations(program: Program) -> int:
    """Number of equations, those of inner Programs included once each."""
    return sum(len(p.equations) for p in subprograms(program))
