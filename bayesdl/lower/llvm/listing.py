"""Loops and buffers as text: what was decided between a Program and its LLVM code."""

from __future__ import annotations

from collections.abc import Iterator

from bayesdl.ir.program import Atom, Equation, Var, label

from .buffers import Given, Plan, Seat, Slot, Storage
from .emit import Unit
from .fuse import Fusion, Nest, Products, Single, Step


def fused_text(unit: Unit) -> str:
    """The steps of every Program of a written unit, and what each reads from memory.

    Equations under no step are computed in registers, wherever a step reads them.
    """
    fusions = dict.fromkeys(plan.fusion for plan in unit.plans.values())
    return "\n".join(line for fusion in fusions for line in _steps(fusion))


def planned_text(unit: Unit) -> str:
    """Where the arrays of every Program of a written unit lie."""
    return "\n".join(line for plan in unit.plans.values() for line in _places(plan))


class _Names:
    """The names that the Program prints with, and more of their kind for values made on the way."""

    def __init__(self, fusion: Fusion) -> None:
        self.names: dict[Var, str] = {}
        program = fusion.program
        for var in (*program.inputs, *(v for e in program.equations for v in e.outputs)):
            self._of(var)

    def __call__(self, atom: Atom) -> str:
        return self._of(atom) if isinstance(atom, Var) else str(atom.value)

    def equation(self, equation: Equation) -> str:
        """Its outputs with their types, and its operands; parameters are in the Program."""
        outputs = ", ".join(f"{self(v)}: {v.type}" for v in equation.outputs)
        return " ".join([f"{outputs} = {equation.primitive.name}", *map(self, equation.inputs)])

    def _of(self, var: Var) -> str:
        return self.names.setdefault(var, f"%{label(len(self.names))}")


def _steps(fusion: Fusion) -> Iterator[str]:
    names, shown = _Names(fusion), set[Equation]()
    yield f"steps of {fusion.program.name}:"
    for step, reads in zip(fusion.steps, fusion.step_reads, strict=True):
        yield f"  {_title(step)}, reads {' '.join(map(names, reads)) or 'nothing'}"
        roots = [step.equation] if isinstance(step, Single) else step.roots
        shown.update(roots)
        for root in roots:
            kept = any(fusion.stored(v) is not None for v in root.outputs if v.type.shape)
            yield f"    {names.equation(root)}{'  to memory' if kept else ''}"
    inside = [e for e in fusion.equations if e not in shown]
    if inside:
        yield "  in registers, or another name of what lies in memory"
        yield from (f"    {names.equation(e)}" for e in inside)


def _title(step: Step) -> str:
    if not isinstance(step, Nest):
        return "loops of its own"
    kind = "products in loops over" if isinstance(step, Products) else "loops over"
    sizes = " × ".join(map(str, step.space)) or "nothing: numbers"
    return f"{kind} {sizes}{' in parts' if step.is_cut else ''}"


def _places(plan: Plan) -> Iterator[str]:
    names = _Names(plan.fusion)
    yield f"buffers of {plan.fusion.program.name}: {plan.size} bytes of workspace"
    for var, storage in plan.storage.items():
        yield f"  {names(var)}: {var.type}  {_place(storage)}"
    for var in plan.constants:
        yield f"  {names(var)}: {var.type}  constant"
    for index, var, aside in plan.moves:
        way = "" if aside is None else f", by way of workspace + {aside.offset}"
        yield f"  output {index} is copied from {names(var)}{way}"


def _place(storage: Storage) -> str:
    if isinstance(storage, Seat):
        return f"{_place(storage.whole)} + {storage.offset}"
    if isinstance(storage, Slot):
        return f"workspace + {storage.offset}"
    return f"{'input' if isinstance(storage, Given) else 'output'} {storage.index}"
