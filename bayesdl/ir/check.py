"""Well-formed or not, with the offending equation: run after every pass while checks are on."""

from __future__ import annotations

from bayesdl._base.errors import CompileError, TraceError

from .program import Atom, Equation, Program, Var
from .walk import subprograms


def check(program: Program) -> Program:
    """Return the Program if it is well formed.

    Raises
    ------
    CompileError
        If a value is used before it is computed or defined twice, if a type is not the one that the
        primitive's own rule gives, or if an elementwise equation mixes shapes.
    """
    for inner in subprograms(program):
        _check_one(inner)
    return program


def _check_one(program: Program) -> None:
    defined: set[Var] = set()

    def define(var: Var, where: str) -> None:
        if var in defined:
            raise _fault(program, f"{where} defines a value twice")
        defined.add(var)

    def use(atom: Atom, where: str) -> None:
        if isinstance(atom, Var) and atom not in defined:
            raise _fault(program, f"{where} uses a value that is not yet computed")

    for var in program.inputs:
        define(var, "the input list")
    for i, equation in enumerate(program.equations):
        where = f"equation {i}, `{equation.primitive.name}`,"
        for atom in equation.inputs:
            use(atom, where)
        _check_types(program, equation, where)
        for var in equation.outputs:
            define(var, where)
    for atom in program.outputs:
        use(atom, "the return")


def _check_types(program: Program, equation: Equation, where: str) -> None:
    try:
        expected = equation.primitive.type(*(a.type for a in equation.inputs), **equation.params)
    except TraceError as error:
        raise _fault(program, f"{where} is refused: {error.headline}") from error
    found = tuple(v.type for v in equation.outputs)
    if tuple(expected) != found:
        raise _fault(program, f"{where} has outputs {found} where the rule gives {tuple(expected)}")
    shapes = {a.type.shape for a in equation.inputs if isinstance(a, Var)}
    if equation.primitive.elementwise and len(shapes) > 1:
        raise _fault(program, f"{where} has operands of several shapes")


def _fault(program: Program, what: str) -> CompileError:
    return CompileError(
        f"the Program {program.name!r} is not well formed: {what}.",
        note=f"\n{program!r}",
        fix="please report this with the Program above.",
        code="C101",
    )
