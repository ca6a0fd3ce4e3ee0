"""Python function → Program, and a Program inlined into the function being traced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesdl._base.clock import stage
from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import BayesdlError, TraceError
from bayesdl._base.source import Source, user_source
from bayesdl._base.tree import Tree, flatten, unflatten
from bayesdl.ir.builder import Builder, Handle, active_builders
from bayesdl.ir.program import Program, Var
from bayesdl.ir.types import ArrayType, type_of
from bayesdl.ops._bind import rebind
from bayesdl.ops._trace import building
from bayesdl.ops.array import Array
from bayesdl.ops.numpy import asarray


@dataclass(frozen=True)
class Traced:
    """What a trace found.

    Parameters
    ----------
    program : Program
        Takes the flattened arguments, then the captured values.
    captures : list of Handle
        Values of outer traces that the function used.
    tree : Tree
        Shape of the function's result.
    """

    program: Program
    captures: list[Handle]
    tree: Tree


def trace(
    function: Callable[..., Any], *args: Any, name: str | None = None, concrete: bool = False
) -> Traced:
    """Run a Python function once on types and write down what it did.

    Parameters
    ----------
    function : callable
        Of arrays, or of nested containers of arrays.
    *args
        Arrays, numbers or `ArrayType`, in containers of any depth; only their types are used,
        unless `concrete`.
    name : str, optional
        Name of the Program; the function's own by default.
    concrete : bool, default False
        Also compute with the values of `args`, so that Python may branch on them.

    Returns
    -------
    Traced

    Examples
    --------
    >>> from bayesdl import numpy as bnp
    >>> trace(lambda x: bnp.exp(x) * 2.0, 1.0, name="f").program
    program f(%a: f64[]):
      %b: f64[] = exp %a
      %c: f64[] = mul %b 2.0e+00:f64
      return %c
    """
    leaves, tree = flatten(args)
    types = [leaf if isinstance(leaf, ArrayType) else type_of_leaf(leaf) for leaf in leaves]
    builder = Builder(Array, concrete=concrete)
    with stage("trace") as clock, building(builder):
        values = [concrete_value(leaf) if concrete else None for leaf in leaves]
        handles = [builder.input(t, v) for t, v in zip(types, values, strict=True)]
        result = function(*unflatten(tree, handles))
        outputs, out_tree = flatten(result)
        lifted = [builder.lift(as_leaf(o)) for o in outputs]
    program = builder.build(name or getattr(function, "__name__", "f").strip("<>"), lifted)
    if clock.totals is not None:
        program.memo["seconds"] = clock.totals
    return Traced(program, builder.captured(), out_tree)


def inline(program: Program, *args: Any) -> list[Any]:
    """Use a Program here and now: append its equations to the current trace, or compute them.

    Parameters
    ----------
    program : Program
    *args : arrays
        One per input.

    Returns
    -------
    list of arrays
    """
    values: dict[Var, Any] = dict(zip(program.inputs, args, strict=True))
    for equation in program.equations:
        inputs = [values[a] if isinstance(a, Var) else a.value for a in equation.inputs]
        values.update(zip(equation.outputs, rebind(equation, inputs), strict=True))
    return [values[a] if isinstance(a, Var) else a.value for a in program.outputs]


class source_of:
    """Equations appended inside, and errors raised, carry this line instead of the caller's.

    Parameters
    ----------
    source : Source or None
        The line; None leaves that of the surroundings.
    """

    __slots__ = ("builder", "earlier", "source")

    def __init__(self, source: Source | None) -> None:
        self.source = source

    def __enter__(self) -> None:
        builders = active_builders()
        self.builder = builders[-1] if builders else None
        if self.builder is not None:
            self.earlier = self.builder.source
            self.builder.source = self.source or self.earlier

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if self.builder is not None:
            self.builder.source = self.earlier
        if isinstance(error, BayesdlError):
            error.where = error.where or self.source


def type_of_leaf(leaf: Any) -> ArrayType:
    """The type of an argument; Python numbers become the dtype that NumPy gives them."""
    return leaf.type if isinstance(leaf, Handle) else type_of(leaf)


def concrete_value(leaf: Any) -> Any:
    """The number behind an argument, or None where there is none."""
    if isinstance(leaf, ArrayType):
        return None
    return leaf.value if isinstance(leaf, Handle) else np.asarray(leaf)


def as_leaf(value: Any) -> Any:
    """A result as something that can be lifted; anything that is not an array is refused."""
    if isinstance(value, Handle):
        return value
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise TraceError(
            f"a traced function returned a {type(value).__name__}, which is not an array.",
            fix="return arrays, numbers, or dicts, lists and tuples of them.",
            where=user_source(),
            code="T107",
        )
    return asarray(array)
