"""Equations → steps: which values live in registers only, and which loops become one nest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod

from bayesdl.ir.program import Atom, Equation, Program, Var
from bayesdl.ir.walk import live_equations

from . import mathlib
from .expression import READ

Shape = tuple[int, ...]

REDUCTIONS = {
    "reduce_sum": "add",
    "reduce_max": "max",
    "reduce_min": "min",
    "reduce_and": "and",
    "reduce_or": "or",
}
WINDOWS = {"concatenate": (), "pad": (), "dynamic_update_slice": (0,), "scatter_add": (0,)}
IN_MEMORY = {"gather": (0,), "dynamic_slice": (0,)} | WINDOWS

# Weights of one element, in units of an addition. A value worth up to CHEAP is computed again
# rather than stored. An expression deeper than DEEP or heavier than LARGE is cut, so that no nest
# grows without bound; a nest takes up to CROWDED equations.
CHEAP, DEEP, LARGE, CROWDED = 4, 40, 300, 12
# Sizes of products of a matrix and a vector from which a kernel is faster than a nest, and the
# number of terms from which float32 sums need float64.
NARROW, LONG_SUM = 8, 4096
_HEAVY = {"div": 4, "sqrt": 4, "floor_div": 8, "remainder": 8, "gather": 4, "dynamic_slice": 1}


@dataclass(eq=False)
class Nest:
    """Loops over one space that make several values at once.

    Parameters
    ----------
    space : tuple of int
        Sizes of the loops, the outermost first.
    roots : list of Equation
        What is computed: a value per place, or a reduction over places. A value that lies in memory
        nowhere is one that only later roots read.
    """

    space: Shape
    roots: list[Equation] = field(default_factory=list)


@dataclass(eq=False)
class Products(Nest):
    """Products of one matrix and vectors, written as kernels that read the matrix once."""


@dataclass(eq=False)
class Single:
    """One equation that writes its own loops, calls a library, or holds Programs."""

    equation: Equation


Step = Nest | Single


class Fusion:
    """What lies in memory, and the steps that put it there.

    Parameters
    ----------
    program : Program
    is_inline : callable, (Program) -> bool
        Whether a Program inside is written out where it is used, rather than called.

    Attributes
    ----------
    steps : list of Step
        In the order in which they run.
    step_of : dict of Var to int
        The step that makes a value.
    step_reads : list of dict
        Per step, the buffers and scalars it reads, and whether only at the place being written.
    memory : set of Var
        The arrays that have a buffer.
    alias : dict of Var to Var
        Arrays that are another name of a buffer.
    """

    def __init__(
        self, program: Program, is_inline: Callable[[Program], bool] = lambda _: True
    ) -> None:
        self.program, self.is_inline = program, is_inline
        self.equations = live_equations(program)
        self.made = {v: e for e in self.equations for v in e.outputs}
        self.consumers: dict[Var, list[Equation]] = {}
        self.alias: dict[Var, Var] = {}
        self.needed: set[Var] = set()
        self.memory: set[Var] = set(program.inputs)
        self._cost: dict[Var, int] = {}
        self._depth: dict[Var, int] = {}
        self._leaves: dict[Var, dict[Var, bool]] = {}
        self.step_of: dict[Var, int] = {}
        self.steps: list[Step] = []
        self.kernels = [e for e in self.equations if self._is_kernel(e)]
        self._bring_together()
        self._note_needs()
        self._choose_memory()
        self._group()
        self._drop_private()
        self.step_reads = [self._step_reads(step) for step in self.steps]

    # --- questions -------------------------------------------------------------------------------

    def stored(self, var: Var) -> Var | None:
        """The Var whose buffer holds this one, or None where it is computed when read."""
        base = self.base(var)
        return base if base in self.memory else None

    def base(self, var: Var) -> Var:
        """The Var that this one is another name of."""
        while var in self.alias:
            var = self.alias[var]
        return var

    def definition(self, var: Var) -> Equation:
        """The equation that computes a Var."""
        return self.made[var]

    def leaves(self, atom: Atom) -> dict[Var, bool]:
        """What computing an atom reads: scalars and buffers, and whether at the very same place."""
        if not isinstance(atom, Var):
            return {}
        base = self.stored(atom) if atom.type.shape else atom
        if base is not None:
            return {base: base is atom}
        if atom not in self._leaves:
            self._leaves[atom] = self.reads(self.made[atom])
        return self._leaves[atom]

    def reads(self, equation: Equation) -> dict[Var, bool]:
        """The leaves of an equation's operands."""
        found: dict[Var, bool] = {}
        same = equation.primitive.elementwise or equation.primitive.name in REDUCTIONS
        for atom in equation.inputs:
            for var, here in self.leaves(atom).items():
                found[var] = found.get(var, True) and here and same
        return found

    # --- decisions -------------------------------------------------------------------------------

    def _note_needs(self) -> None:
        for equation in self.equations:
            for atom in equation.inputs:
                if isinstance(atom, Var):
                    self.consumers.setdefault(atom, []).append(equation)
        self.needed.update(a for a in self.program.outputs if isinstance(a, Var))
        for equation in self.equations:
            name = equation.primitive.name
            if not in_nest(equation) or equation in self.kernels:
                places = IN_MEMORY.get(name, range(len(equation.inputs)))
            else:
                places = IN_MEMORY.get(name, ())
            self.needed.update(a for i in places if isinstance(a := equation.inputs[i], Var))
            if name in WINDOWS:
                self._guard_window(equation)
        for equation in reversed(self.equations):
            if equation.primitive.name == "reshape":
                self._alias(equation)
            elif equation.primitive.name in ("scan", "while_loop"):
                self._alias_kept(equation)

    def _guard_window(self, equation: Equation) -> None:
        """What is written into a window must not be computed from the buffer around it."""
        targets = {equation.inputs[i] for i in WINDOWS[equation.primitive.name]}
        for atom in equation.inputs[1:]:
            if isinstance(atom, Var) and atom.type.size > 1 and targets & self._ancestors(atom):
                self.needed.add(atom)

    def _ancestors(self, var: Var) -> set[Atom]:
        """What a Var may be computed from inside a nest; names of one buffer count as one."""
        found: set[Atom] = set()
        waiting: list[Atom] = [var]
        while waiting:
            atom = waiting.pop()
            if atom in found:
                continue
            found.add(atom)
            equation = self.made.get(atom) if isinstance(atom, Var) else None
            if equation is not None and (
                is_pointwise(equation) or equation.primitive.name == "reshape"
            ):
                waiting.extend(equation.inputs)
        return found

    def _alias(self, equation: Equation) -> None:
        """A reshape that moves no element: another name of a buffer, or of an index."""
        (source,), (result,) = equation.inputs, equation.outputs
        if not isinstance(source, Var) or not source.type.shape or not result.type.shape:
            return
        if result in self.needed or squeezed(source.type.shape) != squeezed(result.type.shape):
            self.alias[result] = source
            self.needed.add(source)

    def _alias_kept(self, equation: Equation) -> None:
        """A part of a loop's carry that its body never changes."""
        body, constants = equation.params["body"], equation.params["constants"]
        for k in kept_carry(equation):
            operand = equation.inputs[constants + k]
            if isinstance(operand, Var) and body.inputs[constants + k].type.shape:
                self.alias[equation.outputs[k]] = operand

    def _choose_memory(self) -> None:
        for equation in self.equations:
            for var in equation.outputs:
                if var.type.shape and var not in self.alias and self._keep(equation, var):
                    self.memory.add(var)

    def _keep(self, equation: Equation, var: Var) -> bool:
        if not is_pointwise(equation):
            self._cost[var] = self._depth[var] = 0
            return True
        cost, depth = self._weigh(equation)
        dear = cost > CHEAP and (len(self.consumers.get(var, ())) > 1 or self._is_repeated(var))
        if var in self.needed or dear or cost > LARGE or depth > DEEP:
            cost, depth, keep = 0, 0, True
        else:
            keep = False
        self._cost[var], self._depth[var] = cost, depth
        return keep

    def _weigh(self, equation: Equation) -> tuple[int, int]:
        name = equation.primitive.name
        own = _HEAVY.get(
            name,
            12 if name in mathlib.NAMES else 1 if equation.primitive.elementwise else 0,
        )
        arrays = [a for a in equation.inputs if isinstance(a, Var) and a.type.shape]
        cost = own + sum(self._cost.get(a, 0) for a in arrays)
        return cost, 1 + max((self._depth.get(a, 0) for a in arrays), default=0)

    def _is_repeated(self, var: Var) -> bool:
        """Whether a consumer goes over the places of a Var again and again in its inner loops."""
        return any(
            repeats(e) if e.primitive.name == "broadcast" else var.type.size < prod(space_of(e))
            for e in self.consumers.get(var, ())
            if e.primitive.name in ("broadcast", "dot_general")
        )

    def _is_kernel(self, equation: Equation) -> bool:
        """Whether a product of a matrix and a vector is written by a kernel, not by a nest.

        A nest reads a matrix that is computed on the way; a kernel needs it in memory, with rows
        that fill registers. Long float32 sums are left to nests, which add in float64.
        """
        if equation.primitive.name != "dot_general" or is_pointwise(equation):
            return False
        left, right = free_axes(equation)
        matrix = matrix_of(equation)
        return (
            is_thin(equation)
            and bool(left or right)
            and matrix.type.dtype.kind == "f"
            and next((n for n in reversed(matrix.type.shape) if n != 1), 1) >= NARROW
            and equation.outputs[0].type.size >= NARROW
            and (matrix.type.dtype.itemsize == 8 or contracted(equation) <= LONG_SUM)
            and self._is_settled(matrix)
        )

    def _is_settled(self, atom: Atom) -> bool:
        """Whether an array lies in memory for other reasons than to be an operand of a kernel."""
        equation = self.made.get(atom) if isinstance(atom, Var) else None
        if equation is None or not is_pointwise(equation):
            return True
        if equation.primitive.name == "reshape":
            return self._is_settled(equation.inputs[0])
        return equation.primitive.name in mathlib.NAMES

    def _bring_together(self) -> None:
        """Put two kernels next to each other that can read their matrix at the same time."""
        first: dict[Atom, Equation] = {}
        for kernel in self.kernels:
            matrix = matrix_of(kernel)
            other = first.pop(matrix, None)
            if other is None or not _crosses(other, kernel):
                first[matrix] = kernel
                continue
            at, end = self.equations.index(other), self.equations.index(kernel)
            wanted, earlier = set(kernel.inputs), []
            for equation in reversed(self.equations[at:end]):
                if not wanted.isdisjoint(equation.outputs):
                    wanted.update(equation.inputs)
                    earlier.append(equation)
            if other not in earlier:
                moved = [*earlier[::-1], other, kernel]
                rest = [e for e in self.equations[at:] if e not in moved]
                self.equations[at:] = [*moved, *rest]

    # --- steps -----------------------------------------------------------------------------------

    def _group(self) -> None:
        open_nests: dict[Shape, list[int]] = {}
        open_kernels: dict[Atom, int] = {}
        for equation in self.equations:
            if not any(v in self.memory or not v.type.shape for v in equation.outputs):
                continue
            if equation in self.kernels:
                at = self._place_kernel(equation, open_kernels)
            elif in_nest(equation):
                at = self._place(equation, open_nests)
            else:
                self.steps.append(Single(equation))
                at = len(self.steps) - 1
            self.step_of.update(dict.fromkeys(equation.outputs, at))

    def _place(self, equation: Equation, open_nests: dict[Shape, list[int]]) -> int:
        """The nest that takes an equation: an earlier one over the same space where possible."""
        space = space_of(equation)
        if space:
            for at in reversed(open_nests.get(space, ())):
                nest = self.steps[at]
                if (
                    isinstance(nest, Nest)
                    and len(nest.roots) < CROWDED
                    and self._joins(equation, at, nest)
                ):
                    nest.roots.append(equation)
                    return at
        self.steps.append(Nest(space, [equation]))
        open_nests.setdefault(space, []).append(len(self.steps) - 1)
        return len(self.steps) - 1

    def _place_kernel(self, equation: Equation, open_kernels: dict[Atom, int]) -> int:
        """The step of a kernel: together with one that goes the other way over the same matrix."""
        matrix = matrix_of(equation)
        at = open_kernels.pop(matrix, -1)
        if at >= 0:
            step = self.steps[at]
            assert isinstance(step, Products)
            if _crosses(step.roots[0], equation) and self._joins(equation, at, step):
                step.roots.append(equation)
                return at
        self.steps.append(Products((), [equation]))
        open_kernels[matrix] = len(self.steps) - 1
        return len(self.steps) - 1

    def _joins(self, equation: Equation, at: int, nest: Nest) -> bool:
        made_here = {e.outputs[0] for e in nest.roots if is_pointwise(e)}
        for var, here in self.reads(equation).items():
            made = self.step_of.get(var, -1)
            if made > at or (made == at and not (here and var in made_here)):
                return False
        return True

    def _drop_private(self) -> None:
        """A value that only its own nest reads stays in a register."""
        read: set[Var] = {self.base(v) for v in self.needed}
        for i, step in enumerate(self.steps):
            read.update(v for v in self._step_reads(step) if self.step_of.get(v) != i)
        for step in self.steps:
            if isinstance(step, Nest):
                for equation in step.roots:
                    var = equation.outputs[0]
                    if is_pointwise(equation) and var.type.shape and var not in read:
                        self.memory.discard(var)
        self._leaves.clear()

    def _step_reads(self, step: Step) -> dict[Var, bool]:
        found: dict[Var, bool] = {}
        for equation in step.roots if isinstance(step, Nest) else [step.equation]:
            for var, here in self.reads(equation).items():
                found[var] = found.get(var, True) and here
        return found


def kept_carry(equation: Equation) -> list[int]:
    """The parts of a loop's carry that its body hands on as they are."""
    body, constants = equation.params["body"], equation.params["constants"]
    count = equation.params.get("carry", len(body.outputs))
    return [k for k in range(count) if body.outputs[k] is body.inputs[constants + k]]


def is_pointwise(equation: Equation) -> bool:
    """Whether any element of the result can be computed by itself."""
    name = equation.primitive.name
    if name == "dot_general":
        return contracted(equation) == 1
    return equation.primitive.elementwise or name in READ


def in_nest(equation: Equation) -> bool:
    """Whether loop nests make the result, by themselves or as part of another."""
    name = equation.primitive.name
    return (
        is_pointwise(equation)
        or name in REDUCTIONS
        or (name == "dot_general" and is_thin(equation))
    )


def contracted(equation: Equation) -> int:
    """Number of terms of a product's sums."""
    return prod(equation.inputs[0].type.shape[a] for a in equation.params["contract"][0])


def free_axes(equation: Equation) -> tuple[list[int], list[int]]:
    """The axes of a product's operands that are neither summed nor common."""
    contract, batch = equation.params["contract"], equation.params["batch"]
    left, right = (
        [i for i in range(a.type.ndim) if i not in contract[side] and i not in batch[side]]
        for side, a in enumerate(equation.inputs[:2])
    )
    return left, right


def is_thin(equation: Equation) -> bool:
    """Whether a product is of vectors, or of a matrix and a vector: bound by memory."""
    left, right = free_axes(equation)
    x, y = equation.inputs[0].type.shape, equation.inputs[1].type.shape
    return prod(x[i] for i in left) == 1 or prod(y[i] for i in right) == 1


def matrix_of(equation: Equation) -> Atom:
    """The larger operand of a thin product."""
    x, y = equation.inputs
    return x if x.type.size >= y.type.size else y


def _crosses(first: Equation, second: Equation) -> bool:
    """Whether two thin products go over one plain matrix along its rows and across them."""
    matrix = matrix_of(first)
    axes = {
        axis
        for e in (first, second)
        for axis in e.params["contract"][0 if e.inputs[0] is matrix else 1]
    }
    return matrix.type.ndim == 2 and axes == {0, 1} and not first.params["batch"][0]


def product_order(equation: Equation) -> tuple[Shape, tuple[int, ...], tuple[int, ...]]:
    """The loops of a thin product: their sizes, which are of the result, which of the sum.

    The larger operand is read along its rows: where its summed axes come first, so do their loops.
    """
    contract = equation.params["contract"]
    sums = tuple(equation.inputs[0].type.shape[a] for a in contract[0])
    out = equation.outputs[0].type.shape
    common, free = len(equation.params["batch"][0]), free_axes(equation)
    side = 0 if equation.inputs[0].type.size >= equation.inputs[1].type.size else 1
    last_free = max(free[side], default=-1)
    if last_free > max(contract[side], default=-1) and prod(out[common:]) > 1:
        space = (*out[:common], *sums, *out[common:])
        kept = (*range(common), *range(common + len(sums), len(space)))
        return space, kept, tuple(range(common, common + len(sums)))
    space = (*out, *sums)
    return space, tuple(range(len(out))), tuple(range(len(out), len(space)))


def space_of(equation: Equation) -> Shape:
    """The loops that an equation of a nest needs."""
    name = equation.primitive.name
    if name in REDUCTIONS:
        return equation.inputs[0].type.shape
    if name == "dot_general" and not is_pointwise(equation):
        return product_order(equation)[0]
    return equation.outputs[0].type.shape


def squeezed(shape: Shape) -> Shape:
    """A shape without its axes of size 1."""
    return tuple(n for n in shape if n != 1)


def repeats(equation: Equation) -> bool:
    """Whether a broadcast puts a new axis before one of the operand's."""
    axes, shape = equation.params["axes"], equation.params["shape"]
    kept = [i for i, n in enumerate(shape) if i not in axes and n > 1]
    return bool(kept) and any(a < kept[-1] and shape[a] > 1 for a in axes)
