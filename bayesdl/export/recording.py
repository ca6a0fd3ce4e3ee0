"""A model written down: its predictions and log likelihoods as Programs for any number of rows."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import BayesdlError
from bayesdl._base.source import warn_user
from bayesdl.ir.program import Program
from bayesdl.ir.text import to_text
from bayesdl.ir.types import ArrayType
from bayesdl.ir.walk import live_equations, subprograms
from bayesdl.model import Model
from bayesdl.model.arguments import frame, frames
from bayesdl.model.predict import LogLikelihood, Simulator
from bayesdl.tracing import trace

from .functions import (
    KINDS,
    FittedOnly,
    Functions,
    LawFunctions,
    ModelFunctions,
    one_log_likelihood,
    one_prediction,
)
from .stored import INSIDE, Input, Parameter, StoredFunction, StoredFunctions
from .template import MisfitError, Sizes, Template, template

KEY = ArrayType((2,), np.dtype(np.uint32))
Types = Mapping[str, ArrayType]
Source = Simulator | LogLikelihood
Shape = tuple[Any, ...]


def recorded(functions: Functions | None, values: Types) -> Functions | None:
    """What a file keeps of functions that may need their source.

    Parameters
    ----------
    functions : Functions or None
    values : mapping of str to ArrayType
        What they take of one draw.
    """
    inner = functions.functions if isinstance(functions, FittedOnly) else functions
    if isinstance(inner, LawFunctions):
        return record_laws(inner, values)
    return record(inner, values) if isinstance(inner, ModelFunctions) else inner


def record(functions: ModelFunctions, latent: Types) -> StoredFunctions | None:
    """Write down what a model predicts, so that its source is not needed any more.

    Parameters
    ----------
    functions : ModelFunctions
        The model, its dtype and what it was fitted to.
    latent : mapping of str to ArrayType
        The sites that have draws, and the type of one draw.

    Returns
    -------
    StoredFunctions or None
        None, with a warning that says why, where the model's structure depends on the number of
        rows.

    Notes
    -----
    Each function is traced at three or four numbers of rows that no other axis has; the Programs
    must be the same but for whole numbers that are affine in the number of rows. Arguments whose
    first axes have one length share their number of rows. Where the model itself refuses other
    numbers of rows, as with an unknown for each row, the Program is that of the fitted ones.
    """
    model = functions.model
    table: dict[str, StoredFunction] = {}
    for kind in (*KINDS, "observed"):
        try:
            table[kind] = _recorded(functions, kind, latent)
        except MisfitError as error:
            warn_user(
                f"the file will need the source of model {model.name} to predict: its structure "
                f"depends on the number of rows; {error}.",
                UserWarning,
            )
            return None
        except BayesdlError as error:
            table[kind] = StoredFunction(None, reason=error.headline.rstrip("."))
    return StoredFunctions(model.name, functions.dtype, _parameters(model), table)


def record_laws(functions: LawFunctions, values: Types) -> StoredFunctions:
    """Write down what the parameters of the observed sites give, for the fitted data.

    Parameters
    ----------
    functions : LawFunctions
    values : mapping of str to ArrayType
        Of one draw.
    """
    table = {}
    for kind in KINDS:
        draw = dict(values) if kind == "log_likelihood" else (dict(values), KEY)
        traced = trace(functions.prepare(kind, (), {}).function, draw, name=kind)
        found = template({(): traced.program})
        table[kind] = StoredFunction(found, (), tuple(traced.tree.keys))
    table["observed"] = StoredFunction(template({(): Program("observed", (), (), ())}))
    return StoredFunctions(functions.name, functions.dtype, (), table)


def _parameters(model: Model) -> tuple[Parameter, ...]:
    variadic = {inspect.Parameter.VAR_POSITIONAL: "()", inspect.Parameter.VAR_KEYWORD: "{}"}

    def default(p: inspect.Parameter) -> str | None:
        if p.kind in variadic:
            return variadic[p.kind]
        return None if p.default is inspect.Parameter.empty else frame(p.default)

    listed = model.signature.parameters.values()
    return tuple(Parameter(p.name, int(p.kind), default(p)) for p in listed)


@dataclass(frozen=True)
class _Traced:
    """One function at one set of shapes: only what its results depend on, and their names."""

    program: Program
    names: tuple[str, ...]

    @property
    def sizes(self) -> set[int]:
        """Sizes of all axes in it."""
        inner = [eq for p in subprograms(self.program) for eq in p.equations]
        kinds = [v.type for eq in inner for v in eq.outputs]
        return {n for t in (*kinds, *self.program.input_types) for n in t.shape}


def _recorded(functions: ModelFunctions, kind: str, latent: Types) -> StoredFunction:
    model = functions.model

    def source(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Source:
        return functions.simulator(kind, args, kwargs)

    full = source(*functions.fitted)
    fitted = _traced(full, kind, latent, full.arguments.shapes)
    if kind in ("y", "mean", "parts"):
        used, fitted, ignored = _without_unused(source, full, functions, fitted, kind, latent)
    else:
        used, ignored = full, []
    found, shapes, reason = _over_rows(used, fitted, kind, latent)
    arguments = {**_defaults(model), **frames(model, used.arguments)}
    labels, arrays = used.arguments.labels, used.arguments.arrays
    return StoredFunction(
        found,
        tuple(Input(n, s, str(a.dtype)) for n, s, a in zip(labels, shapes, arrays, strict=True)),
        fitted.names,
        {name: text for name, text in arguments.items() if name not in ignored},
        reason,
    )


def _defaults(model: Model) -> dict[str, str]:
    return {p.name: p.default for p in _parameters(model) if p.default is not None}


def _traced(source: Source, kind: str, latent: Types, shapes: Sequence[Shape]) -> _Traced:
    of_shapes = replace(source, arguments=source.arguments.of_shapes(shapes))
    function: Callable[..., Any]
    draw: Any = dict(latent)
    if isinstance(of_shapes, Simulator):
        function, draw = one_prediction(of_shapes), (draw, KEY)
    elif kind == "observed":
        function = _observed(of_shapes)
    else:
        function = one_log_likelihood(of_shapes)
    traced = trace(function, draw, *of_shapes.arguments.types, name=kind)
    program, names = traced.program, tuple(traced.tree.keys)
    if kind == "observed":
        program, names = _of_data_alone(program, names, len(latent))
    program = Program(kind, program.inputs, tuple(live_equations(program)), program.outputs)
    return _Traced(program, names)


def _observed(source: LogLikelihood) -> Callable[..., dict[str, Any]]:
    """Values of observed sites, and under ``name/inside`` where they lie in their support."""

    def function(values: Any, *data: Any) -> dict[str, Any]:
        found = source.read(values, *data)
        inside = {f"{name}{INSIDE}": pair[1] for name, pair in found.items()}
        return {**{name: pair[0] for name, pair in found.items()}, **inside}

    return function


def _of_data_alone(
    program: Program, names: Sequence[str], latent: int
) -> tuple[Program, tuple[str, ...]]:
    """Without the first inputs, and without the outputs that need them."""
    drawn: set[Any] = set(program.inputs[:latent])
    for equation in program.equations:
        if drawn.intersection(equation.inputs):
            drawn.update(equation.outputs)
    kept = [i for i, output in enumerate(program.outputs) if output not in drawn]
    outputs = tuple(program.outputs[i] for i in kept)
    alone = Program(program.name, program.inputs[latent:], program.equations, outputs)
    return alone, tuple(names[i] for i in kept)


def _without_unused(
    source: Callable[..., Source],
    full: Source,
    functions: ModelFunctions,
    fitted: _Traced,
    kind: str,
    latent: Types,
) -> tuple[Source, _Traced, list[str]]:
    """The function without the arguments that may be left out, such as the observed values.

    Those whose presence changes nothing are listed: they may be given, and are not looked at.
    """
    model = full.model
    first_data = len(fitted.program.inputs) - len(full.arguments.arrays)
    read = {a for eq in fitted.program.equations for a in eq.inputs} | {*fitted.program.outputs}
    data = zip(full.arguments.labels, fitted.program.inputs[first_data:], strict=True)
    unused = {f"<{label}>" for label, var in data if var not in read}
    optional = [
        name
        for name, text in frames(model, full.arguments).items()
        if text in unused
        and model.signature.parameters[name].default is not inspect.Parameter.empty
    ]
    args, kwargs = functions.fitted
    bound = model.signature.bind(*args, **kwargs)
    for name in optional:
        bound.arguments.pop(name)
    try:
        less = source(bound.args, bound.kwargs)
        found = _traced(less, kind, latent, less.arguments.shapes)
    except Exception:  # the model cannot do without them
        return full, fitted, []
    same = _body(found.program) == _body(fitted.program)
    return less, found, optional if same else []


def _body(program: Program) -> str:
    """A Program as text that does not depend on inputs which nothing reads."""
    read = {a for eq in program.equations for a in eq.inputs} | {*program.outputs}
    inputs = tuple(v for v in program.inputs if v in read)
    return to_text(Program(program.name, inputs, program.equations, program.outputs))


def _over_rows(
    source: Source, fitted: _Traced, kind: str, latent: Types
) -> tuple[Template, list[Shape], str]:
    """The template, the shapes that go with it, and why some rows cannot be others."""
    shapes = source.arguments.shapes

    def at(rows: Sequence[int], sizes: Sizes) -> Program:
        return _traced(source, kind, latent, _resized(shapes, rows, sizes)).program

    prime = _Primes(fitted.sizes)
    rows, reason = [], ""
    for n in sorted({s[0] for s in shapes if s}):
        try:
            at([n], (prime.above(n),))
        except Exception as error:  # whatever the user's Python says of other rows
            reason = f"The model takes {n} rows, no others: {str(error).splitlines()[0]}"
        else:
            rows.append(n)
    if not rows:
        return template({(): fitted.program}), list(shapes), reason
    traces = {sizes: at(rows, sizes) for sizes in _sizes_to_trace(rows, prime)}
    with suppress(Exception):  # a model of time lags needs more rows than these
        few = tuple(prime.above(n // 3) for n in rows)
        traces[few] = at(rows, few)
    names = [f"#{i}" for i in range(len(rows))]
    return template(traces), _resized(shapes, rows, names), reason


def _sizes_to_trace(rows: Sequence[int], prime: _Primes) -> list[Sizes]:
    """A start, one step along each number of rows, and a proof; see `template`."""
    start = tuple(prime.above(n) for n in rows)
    steps = [(*start[:i], prime.above(n), *start[i + 1 :]) for i, n in enumerate(start)]
    return [start, *steps, tuple(prime.above(2 * n) for n in start)]


def _resized(shapes: Sequence[Shape], rows: Sequence[int], sizes: Sequence[Any]) -> list[Shape]:
    """The shapes with other sizes in the place of some first axes."""
    new = dict(zip(rows, sizes, strict=True))
    return [(new.get(s[0], s[0]), *s[1:]) if s else s for s in shapes]


class _Primes:
    """Prime numbers that are the size of no axis, each given once."""

    def __init__(self, taken: Iterable[int]) -> None:
        self.taken = set(taken)

    def above(self, least: int) -> int:
        """The next one."""
        free = (n for n in count(least + 1) if n not in self.taken and n > 3)
        found = next(n for n in free if all(n % d for d in range(2, int(n**0.5) + 1)))
        self.taken.add(found)
        return found
