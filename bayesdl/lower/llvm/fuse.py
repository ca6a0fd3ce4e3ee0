"""Equations → steps: which values live in registers only, and which loops become one nest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import field
from heapq import heapify, heappop, heappush
from math import prod

from bayesdl._base.dataclass import dataclass
from bayesdl.ir.program import Atom, Equation, Program, Var
from bayesdl.ir.walk import live_equations

from . import mathlib
from .expression import Reader, identity, linear
from .spaces import (
    HEAVY,
    NO_CUTS,
    REDUCTIONS,
    Cuts,
    Shape,
    contracted,
    crosses,
    cuts_of,
    free_axes,
    in_nest,
    is_pointwise,
    is_seamless,
    is_thin,
    is_unrolled,
    kept_carry,
    matrix_of,
    offset_of,
    repeats,
    space_of,
    squeezed,
    weight,
)
from .starts import with_starts

WINDOWS = {"pad": (), "fold": (), "dynamic_update_slice": (0,), "scatter_add": (0,)}
IN_MEMORY = {"gather": (0,), "dynamic_slice": (0,), "windows": (0,)} | WINDOWS

# Weights of one element, in units of an addition. A value worth up to CHEAP is computed again
# rather than stored. An expression deeper than DEEP or heavier than LARGE is cut, so that no nest
# grows without bound; a nest takes up to CROWDED equations, and its loops up to PARTS cuts.
CHEAP, DEEP, LARGE, CROWDED, PARTS = 4, 40, 300, 12, 8
# Sizes of products of a matrix and a vector from which a kernel is faster than a nest, and the
# number of terms from which float32 sums need float64.
NARROW, LONG_SUM = 8, 4096


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
    is_cut : bool
        Whether the space falls into parts, because operands are put together or padded on the way.
    """

    space: Shape
    roots: list[Equation] = field(default_factory=list)
    is_cut: bool = False


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
    views : dict of Var to (Var, int)
        Arrays that are a piece of another one, and the offset where it begins.
    """

    def __init__(
        self, program: Program, is_inline: Callable[[Program], bool] = lambda _: True
    ) -> None:
        self.program, self.is_inline = program, is_inline
        self.equations = with_starts(program, numbers_first(live_equations(program)))
        self.made = {v: e for e in self.equations for v in e.outputs}
        self.consumers: dict[Var, list[Equation]] = {}
        self.alias: dict[Var, Var] = {}
        self.views: dict[Var, tuple[Var, int]] = {}
        self.needed: set[Var] = set()
        self.apart: set[Var] = {a for a in program.outputs if isinstance(a, Var)}
        self.memory: set[Var] = set(program.inputs)
        self._cost: dict[Var, int] = {}
        self._cuts: dict[Var, Cuts] = {}
        self._own_cuts: dict[Equation, Cuts] = {}
        self._uses: dict[int, Counter[Var]] = {}
        self._depth: dict[Var, int] = {}
        self._leaves: dict[Var, dict[Var, bool]] = {}
        self.step_of: dict[Var, int] = {}
        self.steps: list[Step] = []
        self.kernels = dict.fromkeys(e for e in self.equations if self._is_kernel(e))
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

    def owner(self, var: Var) -> Var:
        """The Var whose buffer a Var is, or is a piece of."""
        return self.located(var)[0]

    def located(self, var: Var) -> tuple[Var, int]:
        """The Var whose buffer a Var is a piece of, and where in it the piece begins."""
        at = 0
        while (base := self.base(var)) in self.views:
            var, offset = self.views[base]
            at += offset
        return base, at

    def uses(self, equation: Equation) -> Counter[Var]:
        """How often an equation reads each buffer; a loop's is asked for once for each carry."""
        key = id(equation)
        if key not in self._uses:
            operands = (a for a in equation.inputs if isinstance(a, Var))
            self._uses[key] = Counter(map(self.owner, operands))
        return self._uses[key]

    def definition(self, var: Var) -> Equation:
        """The equation that computes a Var."""
        return self.made[var]

    def rows_of(self, atom: Atom) -> Equation | None:
        """The equation that takes an array out of another as whole rows, which kernels read there.

        The rows lie in memory already, from some address on.
        """
        equation = self.made.get(atom) if isinstance(atom, Var) else None
        if equation is None or equation.primitive.name != "dynamic_slice":
            return None
        source = equation.inputs[0].type.shape
        return equation if source[1:] == atom.type.shape[1:] else None

    def leaves(self, atom: Atom) -> dict[Var, bool]:
        """What computing an atom reads: scalars and buffers, and whether at the very same place."""
        if not isinstance(atom, Var):
            return {}
        base = self.stored(atom) if atom.type.shape else atom
        if base is not None:
            return {base: base is atom}
        if (name := self.base(atom)) is not atom:
            return dict.fromkeys(self.leaves(name), False)
        if atom not in self._leaves:
            self._leaves[atom] = self.reads(self.made[atom])
        return self._leaves[atom]

    def reads(self, equation: Equation) -> dict[Var, bool]:
        """The leaves of an equation's operands."""
        found: dict[Var, bool] = {}
        same = equation.primitive.elementwise or equation.primitive.name in REDUCTIONS
        aligned = is_unrolled(equation)
        for atom in equation.inputs:
            fits = same or (aligned and atom.type.shape == space_of(equation))
            for var, here in self.leaves(atom).items():
                found[var] = found.get(var, True) and here and fits
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
            self.needed.update(
                a
                for i in places
                if isinstance(a := equation.inputs[i], Var)
                and not (name == "dot_general" and self.rows_of(a))
            )
            if name in WINDOWS:
                self._guard_window(equation)
        for equation in reversed(self.equations):
            if equation.primitive.name == "reshape":
                self._alias(equation)
            elif equation.primitive.name == "slice":
                self._view(equation)
            elif equation.primitive.name in ("scan", "while_loop"):
                self._alias_kept(equation)

    def _guard_window(self, equation: Equation) -> None:
        """What is written into a window must not be computed from the buffer around it."""
        targets = {equation.inputs[i] for i in WINDOWS[equation.primitive.name]}
        for atom in equation.inputs[1:]:
            if isinstance(atom, Var) and atom.type.size > 1 and targets & self._ancestors(atom):
                self.needed.add(atom)
                self.apart.add(atom)

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
            if result in self.apart:
                self.apart.add(source)

    def _view(self, equation: Equation) -> None:
        """A slice that must be in memory is there already if it lies in one piece."""
        (source,), (result,) = equation.inputs, equation.outputs
        offset = offset_of(equation)
        if (
            isinstance(source, Var)
            and result in self.needed
            and result not in self.apart
            and offset is not None
        ):
            self.views[result] = source, offset
            self.needed.add(source)

    def _alias_kept(self, equation: Equation) -> None:
        """A part of a loop's carry that its body never changes."""
        body, constants = equation.params["body"], equation.params["constants"]
        for k in kept_carry(equation):
            operand = equation.inputs[constants + k]
            if isinstance(operand, Var) and body.inputs[constants + k].type.shape:
                self.alias[equation.outputs[k]] = operand
                if equation.outputs[k] in self.apart:
                    self.apart.add(operand)

    def _choose_memory(self) -> None:
        for equation in self.equations:
            for var in equation.outputs:
                named = var in self.alias or var in self.views
                if var.type.shape and not named and self._keep(equation, var):
                    self.memory.add(var)

    def _keep(self, equation: Equation, var: Var) -> bool:
        if not is_pointwise(equation):
            self._cost[var] = self._depth[var] = 0
            return True
        cost, depth = self._weigh(equation)
        cuts = self._own_cuts[equation] = cuts_of(equation, self._cuts)
        readers = self.consumers.get(var, ())
        dear = cost > CHEAP and (len(readers) > 1 or self._is_repeated(var))
        torn = bool(cuts) and (len(cuts) > PARTS or not all(map(is_seamless, readers)))
        keep = var in self.needed or dear or torn or cost > LARGE or depth > DEEP
        if not keep:
            self._cuts[var] = cuts
        self._cost[var], self._depth[var] = (0, 0) if keep else (cost, depth)
        return keep

    def _weigh(self, equation: Equation) -> tuple[int, int]:
        name = equation.primitive.name
        own = weight(name) if equation.primitive.elementwise or name in HEAVY else 0
        if name == "dot_general":
            own = 2 * contracted(equation) - 1
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
        if equation is None or not is_pointwise(equation) or self.rows_of(atom) is not None:
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
            if other is None or not crosses(other, kernel):
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
        space, cuts = space_of(equation), self._cuts_in(equation)
        if space and len(cuts) <= PARTS:
            for at in reversed(open_nests.get(space, ())):
                nest = self.steps[at]
                if (
                    isinstance(nest, Nest)
                    and len(nest.roots) < CROWDED
                    and self._joins(equation, at, nest)
                    and self._fits(equation, nest)
                ):
                    nest.roots.append(equation)
                    nest.is_cut = nest.is_cut or bool(cuts)
                    return at
        self.steps.append(Nest(space, [equation], bool(cuts)))
        if len(cuts) <= PARTS:
            open_nests.setdefault(space, []).append(len(self.steps) - 1)
        return len(self.steps) - 1

    def _place_kernel(self, equation: Equation, open_kernels: dict[Atom, int]) -> int:
        """The step of a kernel: together with one that goes the other way over the same matrix."""
        matrix = matrix_of(equation)
        at = open_kernels.pop(matrix, -1)
        if at >= 0:
            step = self.steps[at]
            assert isinstance(step, Products)
            if crosses(step.roots[0], equation) and self._joins(equation, at, step):
                step.roots.append(equation)
                return at
        self.steps.append(Products((), [equation]))
        open_kernels[matrix] = len(self.steps) - 1
        return len(self.steps) - 1

    def _cuts_in(self, equation: Equation) -> Cuts:
        """Where the loops of a root must be cut."""
        if equation in self._own_cuts:
            return self._own_cuts[equation]
        operands = (a for a in equation.inputs if isinstance(a, Var))
        return NO_CUTS.union(*(self._cuts.get(a, NO_CUTS) for a in operands))

    def _fits(self, equation: Equation, nest: Nest) -> bool:
        """Whether the parts of a nest's space stay few, and no sum over a part of it is torn."""
        roots = [*nest.roots, equation]
        cuts = NO_CUTS.union(*map(self._cuts_in, roots))
        return not cuts or (len(cuts) <= PARTS and all(map(is_seamless, roots)))

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
        if isinstance(step, Nest) and step.is_cut and not all(found.values()):
            elsewhere = self._read_elsewhere(step)
            found.update((v, True) for v, here in found.items() if not here and v not in elsewhere)
        return found

    def _read_elsewhere(self, nest: Nest) -> set[Var]:
        """What a nest reads at another place than the one being written.

        The padded gradient of a slice is read where it is written, though each of the two moves.
        """
        reader = Reader(self, nest.space, [set() for _ in nest.space])
        place = identity(nest.space)
        here = linear(place, nest.space)
        for equation in nest.roots:
            if is_pointwise(equation):
                node = reader.compute(equation, place)
                reader.memo[equation.outputs[0], place] = node
            else:
                reader.read(equation.inputs[0], place)
        loads = [n.data for n in reader.memo.values() if n.kind == "load"]
        return {var for var, index in loads if index != here}


def numbers_first(equations: list[Equation]) -> list[Equation]:
    """Equations in an order in which every number is computed as soon as it can be.

    A loop that needs a number is then not kept apart from the loops before it.
    """
    made = {v: i for i, e in enumerate(equations) for v in e.outputs}
    readers: list[list[int]] = [[] for _ in equations]
    missing = [0] * len(equations)
    for i, equation in enumerate(equations):
        sources = {made[a] for a in equation.inputs if isinstance(a, Var) and a in made}
        missing[i] = len(sources)
        for source in sources:
            readers[source].append(i)
    ready = [(_is_array(e), i) for i, e in enumerate(equations) if not missing[i]]
    heapify(ready)
    found = []
    while ready:
        _, at = heappop(ready)
        found.append(equations[at])
        for i in readers[at]:
            missing[i] -= 1
            if not missing[i]:
                heappush(ready, (_is_array(equations[i]), i))
    return found


def _is_array(equation: Equation) -> bool:
    return not is_pointwise(equation) or bool(equation.outputs[0].type.shape)
