"""Var, Literal, Equation, Program: the nouns that passes and transforms read, and their print."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.source import Source

from .primitive import Primitive
from .types import SHORT, ArrayType


@dataclass(frozen=True, eq=False, slots=True)
class Var:
    """A value named once: an input, or the output of one equation. Identity is the object."""

    type: ArrayType

    def __repr__(self) -> str:
        return f"Var({self.type})"


@dataclass(frozen=True, slots=True)
class Literal:
    """A scalar known at trace time.

    Parameters
    ----------
    value : numpy scalar
        Its value; the dtype is the type.
    """

    value: Any
    type: ArrayType

    @classmethod
    def of(cls, value: Any) -> Literal:
        """Literal from a NumPy scalar or rank-0 array."""
        scalar = np.asarray(value)[()]
        return cls(scalar, ArrayType((), scalar.dtype))

    @property
    def key(self) -> tuple[str, bytes]:
        """Equal for equal bits; tells 0.0 from -0.0 and keeps NaN equal to itself."""
        return self.type.dtype.str, self.value.tobytes()


Atom = Var | Literal


@dataclass(frozen=True, eq=False, slots=True)
class Equation:
    """One use of a primitive.

    Parameters
    ----------
    primitive : Primitive
        What is done.
    inputs : tuple of Var or Literal
        What it is done to.
    params : mapping
        Static parameters; sub-programs among them.
    outputs : tuple of Var
        What comes out.
    source : Source or None
        The user's line.
    """

    primitive: Primitive
    inputs: tuple[Atom, ...]
    params: Mapping[str, Any]
    outputs: tuple[Var, ...]
    source: Source | None = None


@dataclass(frozen=True, eq=False)
class Program:
    """Straight-line code over arrays with static shapes; control flow holds Programs as parameters.

    Parameters
    ----------
    name : str
        For people.
    inputs : tuple of Var
    equations : tuple of Equation
        In an order in which every value is computed before it is used.
    outputs : tuple of Var or Literal
    memo : dict
        Where transforms keep what they derived from this Program, so that each is derived once.
    """

    name: str
    inputs: tuple[Var, ...]
    equations: tuple[Equation, ...]
    outputs: tuple[Atom, ...]
    memo: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def input_types(self) -> tuple[ArrayType, ...]:
        """Types of the inputs."""
        return tuple(v.type for v in self.inputs)

    @property
    def output_types(self) -> tuple[ArrayType, ...]:
        """Types of the outputs."""
        return tuple(a.type for a in self.outputs)

    def __repr__(self) -> str:
        return to_text(self)

    def __reduce__(self) -> Any:
        return Program, (self.name, self.inputs, self.equations, self.outputs)


def to_text(program: Program, indent: str = "") -> str:
    """A Program as text: one equation a line, every type shown."""
    names: dict[Var, str] = {}

    def define(var: Var) -> str:
        names[var] = f"%{label(len(names))}"
        return f"{names[var]}: {var.type}"

    def atom(a: Atom) -> str:
        # An ill-formed Program must print too: the message that refuses it carries its text.
        if isinstance(a, Var):
            return names.get(a, "%undefined")
        return f"{_number(a.value)}:{SHORT[a.type.dtype]}"

    lines = [f"{indent}program {program.name}({', '.join(define(v) for v in program.inputs)}):"]
    for eq in program.equations:
        arguments = "".join(" " + atom(a) for a in eq.inputs)
        params = "".join(f" {k}={_param(v, indent + '    ')}" for k, v in sorted(eq.params.items()))
        outputs = ", ".join(define(v) for v in eq.outputs)
        lines.append(f"{indent}  {outputs} = {eq.primitive.name}{arguments}{params}")
    lines.append(f"{indent}  return{''.join(' ' + atom(a) for a in program.outputs)}")
    return "\n".join(lines)


def label(index: int) -> str:
    """The index-th name: a to z, aa, ab, …."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(ord("a") + rest) + letters
    return letters


def _number(value: Any) -> str:
    if isinstance(value, np.bool_):
        return "true" if value else "false"
    if isinstance(value, np.integer):
        return str(int(value))
    # repr of the value in its own precision reads back to the same bits.
    return np.format_float_scientific(value, trim="0") if np.isfinite(value) else str(float(value))


def _param(value: Any, indent: str) -> str:
    if isinstance(value, Program):
        return "{\n" + to_text(value, indent) + "\n" + indent[:-2] + "}"
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "(" + ",".join(_param(v, indent) for v in value) + ")"
    if isinstance(value, np.dtype):
        return SHORT[value]
    if isinstance(value, np.ndarray):
        flat = " ".join(_number(v) for v in value.ravel())
        return f"<{ArrayType(value.shape, value.dtype)} {flat}>"
    if isinstance(value, (float, np.floating)):
        return repr(float(value))
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, str):
        return '"' + value + '"'
    if value is None:
        return "none"
    raise TypeError(f"a parameter of type {type(value).__name__} cannot be printed")
