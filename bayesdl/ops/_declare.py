"""elementwise(...), linear(...), general(...): the three ways to declare a primitive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesdl._base.errors import DtypeError, ShapeError
from bayesdl.ir.primitive import PRIMITIVES, Case, Primitive, Rule
from bayesdl.ir.types import ArrayType

from ._bind import bind

Op = Callable[..., Any]

PLAIN = (int, float, bool)
FLOAT, NUMBER, BOOL, INTEGER, ANY = "f", "fiu", "b", "iu", "fiub"


def elementwise(
    name: str,
    *,
    numpy: Rule,
    partials: Rule | None = None,
    accepts: str = FLOAT,
    gives: Any = None,
    guarded: bool = False,
    selects: bool = False,
    linear_in: tuple[int, ...] | None = None,
    multilinear: bool = False,
    transpose: Rule | None = None,
    llvm: Rule | None = None,
    arity: int | None = None,
    domain: tuple[Any, ...] = (-2.0, 2.0),
    params: tuple[dict[str, Any], ...] = ({},),
    type: Rule | None = None,
    kinds: tuple[str, ...] = ("f64", "f32"),
    cases: tuple[Case, ...] | None = None,
) -> Op:
    """Declare a primitive that works element by element on inputs of one shape and dtype.

    Literals (Python numbers among them) may stand beside inputs of any shape.

    Parameters
    ----------
    name : str
        Unique name.
    numpy : callable
        Its meaning.
    partials : callable, (output, *inputs, **params) -> tuple, optional
        Partial derivative by each input; a Python number for a constant, None for none. Both
        derivative modes come from it.
    accepts : str
        Dtype kinds accepted, of ``f i u b``.
    gives : dtype, optional
        Output dtype where it is not that of the inputs.
    guarded : bool
        Whether a zero cotangent times an infinite partial must be zero.
    selects : bool
        Whether it drops elements, as `where` and `max` do.
    linear_in, multilinear, transpose
        For the few elementwise primitives that are linear in some inputs only (`where`).
    llvm : callable, optional
        Scalar code, where the backend has none of this name.
    arity, domain, params, kinds
        What the laws test: number of inputs (read off ``numpy`` for ufuncs), the interval of float
        inputs, sets of parameters, and dtypes.
    type : callable, optional
        The type rule, where it is not the usual one.
    """

    def usual(*types: ArrayType, **_: Any) -> tuple[ArrayType, ...]:
        widest = _widest(name, types, accepts)
        return (widest if gives is None else widest.with_dtype(gives),)

    count = arity if arity is not None else getattr(numpy, "nin", 1)
    cases = cases or tuple(
        Case((f"{kind}[{shape}]",) * count, p, domain)
        for kind in kinds
        for shape in ("", "3", "2,3")
        for p in params
    )
    return _declare(
        Primitive(
            name,
            type=type or usual,
            numpy=numpy,
            elementwise=True,
            partials=partials,
            guarded=guarded,
            selects=selects,
            linear_in=linear_in,
            multilinear=multilinear,
            transpose=transpose,
            llvm=llvm,
            cases=cases,
        )
    )


def linear(
    name: str,
    *,
    type: Rule,
    numpy: Rule,
    transpose: Rule,
    batch: Rule,
    linear_in: tuple[int, ...] = (0,),
    multilinear: bool = False,
    generates: bool = False,
    cases: tuple[Case, ...] = (),
) -> Op:
    """Declare a primitive that is linear in some inputs: its transpose is all that calculus needs.

    Parameters
    ----------
    transpose : callable, (cotangent, *inputs, **params) -> tuple
        A cotangent (or None) for each input of `linear_in`.
    batch : callable, (size, inputs, batched, **params) -> (output, batched)
        The batch axis of a batched input is its axis 0.
    linear_in : tuple of int
        The inputs in which it is linear: jointly, or each alone if `multilinear`.
    """
    return _declare(
        Primitive(
            name,
            type=lambda *types, **params: _tuple(type(*types, **params)),
            numpy=numpy,
            linear_in=linear_in,
            multilinear=multilinear,
            transpose=transpose,
            batch=_without_transform(batch),
            generates=generates,
            cases=cases,
        )
    )


def general(
    name: str,
    *,
    type: Rule,
    numpy: Rule,
    jvp: Rule | None = None,
    vjp: Rule | None = None,
    batch: Rule | None = None,
    selects: bool = False,
    has_programs: bool = False,
    generates: bool = False,
    cases: tuple[Case, ...] = (),
) -> Op:
    """Declare a primitive that writes its own rules; the calling transform is their first argument.

    A primitive without `jvp` and `vjp` has no derivative (its outputs are constants to calculus).
    Without `batch` it is run once per example in a scan.
    """
    return _declare(
        Primitive(
            name,
            type=lambda *types, **params: _tuple(type(*types, **params)),
            numpy=numpy,
            jvp=jvp,
            vjp=vjp,
            batch=batch,
            selects=selects,
            has_programs=has_programs,
            generates=generates,
            cases=cases,
        )
    )


def _declare(primitive: Primitive) -> Op:
    PRIMITIVES.add(primitive.name, primitive)

    def op(*args: Any, **params: Any) -> Any:
        for a in args:
            if type(a) in PLAIN:
                return bind(primitive, *_typed(args), **params)
        return bind(primitive, *args, **params)

    op.__name__ = op.__qualname__ = primitive.name
    op.__doc__ = f"Bind the primitive `{primitive.name}`."
    return op


def _typed(args: tuple[Any, ...]) -> list[Any]:
    """Python numbers in the dtype of the last array beside them; alone, in NumPy's."""
    strong = [a.dtype.type for a in args if type(a) not in PLAIN]
    number = strong[-1] if strong else lambda a: np.asarray(a)[()]
    return [number(a) if type(a) in PLAIN else a for a in args]


def _without_transform(batch: Rule) -> Rule:
    def rule(_: Any, size: int, inputs: Any, batched: Any, **params: Any) -> Any:
        output, flag = batch(size, inputs, batched, **params)
        return (output,), (flag,)

    return rule


def _tuple(types: Any) -> tuple[ArrayType, ...]:
    return types if isinstance(types, tuple) else (types,)


def _widest(name: str, types: tuple[ArrayType, ...], accepts: str) -> ArrayType:
    """The type of an elementwise result: one dtype, which is accepted, and one shape."""
    first = widest = types[0]
    fit = first.dtype.kind in accepts
    for t in types:
        # Types are handed on from equation to equation, so most are the same object.
        if t is not first:
            fit = fit and t.dtype == first.dtype
            widest = t if not widest.shape else widest
            if t.shape and t.shape != widest.shape:
                _check_dtypes(name, types, accepts)
                common_shape(name, types)
    if not fit:
        _check_dtypes(name, types, accepts)
    return widest


def common_shape(name: str, types: tuple[ArrayType, ...]) -> tuple[int, ...]:
    """The one shape of all operands that are not scalars.

    Raises
    ------
    ShapeError
        If there are two.
    """
    shape: tuple[int, ...] = ()
    for found in types:
        if found.shape and shape and found.shape != shape:
            raise ShapeError(
                f"`{name}` got shapes that do not fit together.",
                facts=[(f"operand {i}", t) for i, t in enumerate(types)],
                fix="broadcast one of them to the other's shape.",
                code="T101",
            )
        shape = found.shape or shape
    return shape


def _check_dtypes(name: str, types: tuple[ArrayType, ...], accepts: str) -> None:
    if any(t.dtype != types[0].dtype for t in types):
        raise _dtype(name, types, "cast one of them, x.astype(dtype).")
    if types[0].dtype.kind not in accepts:
        kinds = {"f": "floats", "i": "integers", "u": "unsigned integers", "b": "booleans"}
        raise _dtype(name, types, f"`{name}` takes {' and '.join(kinds[k] for k in accepts)}.")


def _dtype(name: str, types: tuple[ArrayType, ...], fix: str) -> DtypeError:
    return DtypeError(
        f"`{name}` got dtypes that do not fit.",
        facts=[(f"operand {i}", t) for i, t in enumerate(types)],
        fix=fix,
        code="T102",
    )
