"""A block of steps as one Program: warm-up and draws are the same native function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Protocol

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.tree import Tree, flatten, unflatten
from bayesdl.ir.program import Program
from bayesdl.ir.types import ArrayType
from bayesdl.ops import control, random
from bayesdl.ops import numpy as bnp
from bayesdl.ops._programs import listed
from bayesdl.tracing import Traced, trace
from bayesdl.tracing.flow import cond, shared, while_loop
from bayesdl.transform.derived import value_and_grad

from .kernel import DensityOn, Kernel, Phase
from .rows import row, with_row

KEY = ArrayType((2,), np.dtype(np.uint32))
BOOL, INT = ArrayType((), np.dtype(np.bool_)), ArrayType((), np.dtype(np.int64))
FRACTION = ArrayType((), np.dtype(np.float64))
PHASE = Phase(BOOL, BOOL, BOOL, INT, FRACTION)


class Target(Protocol):
    """What a kernel is run on: a log density on R^dim, with the data that it takes.

    ``function(position, *extra, *data)`` is the log density; a kernel whose density is random hands
    it `extra`, a key.
    """

    @property
    def dim(self) -> int:
        """Length of a position."""
        ...

    @property
    def dtype(self) -> Any:
        """Of a position."""
        ...

    @property
    def data(self) -> Sequence[Any]:
        """Arrays that the log density takes."""
        ...

    def function(self, position: Any, *rest: Any) -> Any:
        """Log density, nats."""
        ...


@dataclass(frozen=True)
class Block:
    """A Program that advances one chain by up to `capacity` steps.

    Its inputs are: fresh (bool), count (int), keeps (bool), start position, first key, step key,
    the leaves of the state, the five fields of `Phase` with shape (capacity,), the data. Its
    outputs are the leaves of the state, the positions (room, dim), and one array (capacity,) for
    each field of the Info. Positions are written where the block keeps them: a long optimisation
    has many that nobody wants.

    Parameters
    ----------
    program : Program
    state : list of ArrayType
        Types of the state's leaves.
    info : tuple of str
        Names of the Info's fields.
    capacity, room : int
        Most steps of a block, and of one that keeps its positions.
    tree : Tree
        Of the state.
    """

    program: Program
    state: list[ArrayType]
    info: tuple[str, ...]
    capacity: int
    room: int
    tree: Tree

    @property
    def position_type(self) -> ArrayType:
        """Type of a position."""
        many = self.program.output_types[len(self.state)]
        return ArrayType(many.shape[1:], many.dtype)

    @property
    def info_types(self) -> dict[str, ArrayType]:
        """Types of what one step reports, by name."""
        types = self.program.output_types[len(self.state) + 1 :]
        return {n: ArrayType(t.shape[1:], t.dtype) for n, t in zip(self.info, types, strict=True)}


def build_block(kernel: Kernel, target: Target, capacity: int, room: int | None = None) -> Block:
    """Trace a kernel on a target.

    Parameters
    ----------
    kernel : Kernel
    target : Target
    capacity : int
        Steps that one call can take at most. How many it takes is an input.
    room : int, optional
        Positions that one call can keep at most; one for each step if not given.

    Returns
    -------
    Block

    Notes
    -----
    The key of iteration i is ``fold_in(key, i)``, and steps beyond `count` leave the state alone,
    so draws depend neither on the capacity nor on where one block ends and the next begins.
    """
    room = room or capacity
    with bnp.using_dtype(target.dtype):
        first, step = _traced_parts(kernel, target)
        state_types = list(first.program.output_types)
        names = _info_names(step)
        many = [ArrayType((capacity, *t.shape), t.dtype) for t in flatten(PHASE)[0]]

        def block(
            fresh: Any,
            count: Any,
            keeps: Any,
            start: Any,
            first_key: Any,
            key: Any,
            state: Any,
            phases: Any,
            *data: Any,
        ) -> Any:
            state = cond(
                fresh,
                lambda s: _call(first.program, first_key, start, *data),
                lambda s: s,
                state,
            )

            def turn(carry: Any) -> Any:
                index, state, places, columns = carry
                phase = [row(column, index) for column in phases]
                keyed = random.fold_in(key, phase[3])
                found = _call(step.program, keyed, *phase, *state, *data)
                state, info = found[: len(state)], found[len(state) :]
                place = unflatten(first.tree, state).position
                places = cond(keeps, with_row, lambda *c: c[0], places, place, index)
                columns = [with_row(c, x, index) for c, x in zip(columns, info, strict=True)]
                return index + 1, state, places, columns

            places = bnp.zeros((room, target.dim), target.dtype)
            reported = step.program.output_types[len(state_types) :]
            columns = [bnp.zeros((capacity, *t.shape), t.dtype) for t in reported]
            carry = np.int64(0), state, places, columns
            _, state, places, columns = while_loop(lambda c: c[0] < count, turn, carry)
            return [*state, places, *columns]

        program = trace(
            block,
            BOOL,
            INT,
            BOOL,
            _place(target),
            KEY,
            KEY,
            state_types,
            many,
            *target.data,
            name="block",
        ).program
    return Block(program, state_types, names, capacity, room, first.tree)


def _traced_parts(kernel: Kernel, target: Target) -> tuple[Traced, Traced]:
    # One `shared` for both, so that the backend emits the gradient once.
    both = shared(value_and_grad(target.function))

    def density_of(data: Sequence[Any]) -> Any:
        return DensityOn(both, data)

    def init(key: Any, position: Any, *data: Any) -> Any:
        return kernel.init(key, position, density_of(data))

    first = trace(init, KEY, _place(target), *target.data, name="init")
    types = list(first.program.output_types)

    def move(key: Any, phase: Any, leaves: Any, *data: Any) -> Any:
        return kernel.step(key, unflatten(first.tree, leaves), density_of(data), phase)

    return first, trace(move, KEY, PHASE, types, *target.data, name="step")


def _call(program: Program, *args: Any) -> list[Any]:
    return listed(control.call(*args, program=program))


def _place(target: Target) -> ArrayType:
    return ArrayType((target.dim,), np.dtype(target.dtype))


def _info_names(step: Traced) -> tuple[str, ...]:
    return tuple(f.name for f in fields(step.tree.children[1].kind))  # type: ignore[arg-type]
