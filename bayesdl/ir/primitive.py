"""The Primitive record and its slots: all that is known of one operation stands in one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Any

from bayesdl._base.dataclass import dataclass
from bayesdl._base.registry import Registry

Rule = Callable[..., Any]
ALL = (-1,)  # linear in all inputs, however many


@dataclass(frozen=True, eq=False)
class Primitive:
    """One word of the language.

    Rules that meet sub-programs (`scan`, `cond`, …) are handed the transform that calls them, so
    that the vocabulary need not import its own calculus.

    Parameters
    ----------
    name : str
        Unique name; also the word in the text format.
    type : callable, (*types, **params) -> tuple of ArrayType
        Types of the outputs. Raises the house's errors for operands that do not fit.
    numpy : callable, (*arrays, **params) -> array or tuple of arrays
        The meaning. A primitive with sub-programs is handed an evaluator first.
    elementwise : bool
        One output whose element i depends on element i of each (equally shaped) input only.
    partials : callable, (output, *inputs, **params) -> tuple, optional
        For elementwise primitives: the derivative by each input, a number for a constant one, None
        where the derivative vanishes or does not exist.
    guarded : bool
        Whether the partials can be infinite where a zero cotangent arrives; their product is
        then zero.
    selects : bool
        Whether it passes some elements on and drops others. A dropped element moves nothing, also
        where something infinite comes from it or goes to it.
    linear_in : tuple of int, optional
        Inputs in which the outputs are linear (jointly, unless `multilinear`); `ALL` for every one.
    multilinear : bool
        Linear in each input of `linear_in` separately, as a matrix product is.
    transpose : callable, (cotangent, *inputs, **params) -> tuple, optional
        For linear primitives: the cotangent of each input of `linear_in`, in order.
    jvp : callable, (transform, inputs, tangents, **params) -> (outputs, tangents), optional
        For general primitives. A tangent is None where it is zero.
    vjp : callable, (transform, active, inputs, **params) -> (outputs, pullback), optional
        For general primitives; ``pullback(cotangents)`` gives a cotangent or None per input.
    batch : callable, (transform, size, inputs, batched, **params) -> (outputs, batched), optional
        What the primitive does to inputs that carry a batch axis in front (where ``batched``).
    has_programs : bool
        Whether parameters hold Programs.
    generates : bool
        Whether it makes large arrays out of nothing: such a result is kept as an equation during a
        trace, never as stored numbers.
    llvm : callable, optional
        For elementwise primitives: ``(b, *scalars, **params) -> scalar`` over the backend's scalar
        builder. Without it the backend looks the name up in its own table.
    cases : tuple
        Inputs and parameters on which the laws are tested.
    """

    name: str
    type: Rule
    numpy: Rule
    elementwise: bool = False
    partials: Rule | None = None
    guarded: bool = False
    selects: bool = False
    linear_in: tuple[int, ...] | None = None
    multilinear: bool = False
    transpose: Rule | None = None
    jvp: Rule | None = None
    vjp: Rule | None = None
    batch: Rule | None = None
    has_programs: bool = False
    generates: bool = False
    llvm: Rule | None = None
    cases: tuple[Case, ...] = ()

    def __repr__(self) -> str:
        return self.name

    def linear_positions(self, count: int) -> tuple[int, ...]:
        """The inputs, of `count`, in which the primitive is linear."""
        return tuple(range(count)) if self.linear_in == ALL else self.linear_in or ()

    def __reduce__(self) -> Any:
        return _lookup, (self.name,)


@dataclass(frozen=True)
class Case:
    """Inputs on which a primitive is tested.

    Parameters
    ----------
    types : tuple of str
        Types of the inputs in the text format, for example ``"f64[3,4]"``.
    params : dict
        Parameters of the primitive.
    domain : tuple of (float, float)
        Open interval from which float inputs are drawn; one per input, or one for all.
    values : tuple, optional
        Given inputs instead of drawn ones; None where one is drawn.
    """

    types: tuple[str, ...]
    params: dict[str, Any] = field(default_factory=dict)
    domain: tuple[Any, ...] = (-2.0, 2.0)
    values: tuple[Any, ...] | None = None


PRIMITIVES: Registry[Primitive] = Registry("primitive")


def _lookup(name: str) -> Primitive:
    return PRIMITIVES[name]
