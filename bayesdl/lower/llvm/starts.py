"""Products that begin from a row instead of zeros: adding a bias costs no loop of its own."""

from __future__ import annotations

from collections import Counter
from math import prod

from bayesdl.ir.program import Atom, Equation, Program, Var

from .spaces import free_axes, in_nest


def with_starts(program: Program, equations: list[Equation]) -> list[Equation]:
    """The equations, where a product to whose rows one vector is added has it as a third operand.

    The sums of such a product start from the vector. What reads the result then goes over it as one
    axis, for no broadcast row keeps two apart.

    Parameters
    ----------
    program : Program
        Whose outputs stay what they are.
    equations : list of Equation
        The Program's, in an order in which they can be run.
    """
    made = {v: e for e in equations for v in e.outputs}
    uses = Counter(a for e in equations for a in e.inputs if isinstance(a, Var))
    uses.update(a for a in program.outputs if isinstance(a, Var))
    begun: dict[Equation, Equation] = {}
    gone: set[Equation] = set()
    for equation in equations:
        if equation.primitive.name != "add":
            continue
        for product, row in (equation.inputs, equation.inputs[::-1]):
            made_by, start = _made(product, made), _row(row, made)
            if made_by and start and uses[made_by.outputs[0]] == 1 and _starts(made_by, start):
                inputs = (*made_by.inputs, start)
                begun[equation] = Equation(
                    made_by.primitive, inputs, made_by.params, equation.outputs, equation.source
                )
                gone.add(made_by)
                break
    return [begun.get(e, e) for e in equations if e not in gone]


def _made(atom: Atom, made: dict[Var, Equation]) -> Equation | None:
    return made.get(atom) if isinstance(atom, Var) else None


def _row(atom: Atom, made: dict[Var, Equation]) -> Var | None:
    """The vector of which an array's rows are copies."""
    equation = _made(atom, made)
    if equation is None or equation.primitive.name != "broadcast":
        return None
    (source,) = equation.inputs
    leading = tuple(range(atom.type.ndim - 1))
    return source if isinstance(source, Var) and equation.params["axes"] == leading else None


def _starts(product: Equation, row: Var) -> bool:
    """Whether an equation is a product of matrices of floats with rows as long as a vector."""
    if product.primitive.name != "dot_general" or len(product.inputs) > 2 or in_nest(product):
        return False
    right = product.inputs[1].type.shape
    columns = prod(right[a] for a in free_axes(product)[1])
    return row.type.dtype.kind == "f" and columns == row.type.size
