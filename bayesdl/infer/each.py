"""One function for every draw: a compiled scan over draws, in pieces that fit in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bayesdl._base.tree import flatten, unflatten
from bayesdl.ir.program import Equation, Program
from bayesdl.ir.types import ArrayType
from bayesdl.ir.walk import live_equations, programs_in
from bayesdl.lower.executable import Executable
from bayesdl.ops import numpy as bnp
from bayesdl.pipeline import compile
from bayesdl.tracing import inline, trace
from bayesdl.tracing.flow import scan

PIECE_BYTES = 64_000_000
PIECE_DRAWS = 256
# Numbers computed for all draws, up to which code made quickly takes less time in all.
BRIEF = 20_000_000


class EachDraw:
    """A function of one draw made into one of many.

    Parameters
    ----------
    function : callable, (draw, *data) -> container of arrays
        `draw` is a container of arrays.
    dtype : dtype
        Default float dtype while tracing.
    total : int, optional
        Draws of all calls together; those of the first one if not given.

    Notes
    -----
    It is traced and compiled when it is first called, once for all data of the same types.
    """

    def __init__(self, function: Callable[..., Any], dtype: Any, total: int = 0) -> None:
        self.function, self.dtype, self.total = function, dtype, total
        self._known: dict[Any, tuple[Executable, Any, int]] = {}

    def __call__(self, draws: Any, data: Sequence[Any]) -> Any:
        """Results for all draws.

        Parameters
        ----------
        draws : container of arrays, shape (n, …)
        data : sequence of arrays
            The same for all draws.

        Returns
        -------
        container of arrays, shape (n, …)
        """
        leaves, tree = flatten(draws)
        n = len(leaves[0])
        kinds = [ArrayType(x.shape[1:], x.dtype) for x in leaves]
        given = [ArrayType(np.shape(d), np.dtype(d.dtype)) for d in data]
        key = (tree, tuple(kinds), tuple(given))
        if key not in self._known:
            self._known[key] = self._compiled(tree, kinds, given, n)
        executable, out_tree, size = self._known[key]
        pieces: list[list[Any]] = []
        for start in range(0, n, size):
            index = np.minimum(np.arange(start, start + size), n - 1)
            found = executable(*(x[index] for x in leaves), *data)
            pieces.append([x[: n - start] for x in found])
        return unflatten(out_tree, [np.concatenate(parts) for parts in zip(*pieces, strict=True)])

    def _compiled(self, tree: Any, kinds: Any, given: Any, n: int) -> tuple[Executable, Any, int]:
        with bnp.using_dtype(self.dtype):

            def one(leaves: Any, *data: Any) -> Any:
                return self.function(unflatten(tree, leaves), *data)

            single = trace(one, kinds, *given, name="one_draw")
            out = single.program.output_types
            cost = sum(t.size * t.dtype.itemsize for t in out)
            size = int(max(1, min(n, PIECE_DRAWS, PIECE_BYTES // max(cost, 1))))

            def many(leaves: Any, *data: Any) -> Any:
                return scan(lambda _, x: ((), inline(single.program, *x, *data)), (), leaves)[1]

            types = [ArrayType((size, *t.shape), t.dtype) for t in kinds]
            program = trace(many, types, *given, name="each_draw").program
        brief = max(n, self.total) * _work(single.program) <= BRIEF
        return compile(program, brief=brief), single.tree, size


def _work(program: Program) -> float:
    """About how many numbers a Program computes; a term of a product is one."""
    return sum(_work_of(equation) for equation in live_equations(program))


def _work_of(equation: Equation) -> float:
    inner = sum(map(_work, programs_in(equation)))
    if equation.primitive.name == "while_loop":
        return math.inf
    if inner:
        return inner * float(equation.params.get("length", 1))
    sizes = [a.type.size for a in (*equation.inputs, *equation.outputs)]
    if equation.primitive.name in ("dot_general", "convolution"):
        return math.sqrt(math.prod(sizes))
    return max(sizes)
