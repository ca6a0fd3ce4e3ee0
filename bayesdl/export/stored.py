"""Predictions without the model's source: the Programs that a file keeps, and how to call them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ArgumentError, DtypeError, ModelError, ShapeError, SupportError
from bayesdl._base.source import user_source
from bayesdl._base.tree import flatten
from bayesdl.ir.program import Program
from bayesdl.model import Model
from bayesdl.model.arguments import frames, read_arguments
from bayesdl.model.handlers import surroundings
from bayesdl.tracing import inline

from .functions import Array, Prepared
from .template import Sizes, Template

INSIDE = "/inside"
PASS_MODEL = "bring the model's source back and pass it: bayesdl.load(path, model=my_model)."


@dataclass(frozen=True)
class Input:
    """One array that a stored Program takes.

    Parameters
    ----------
    label : str
        The argument it comes from, for example ``x`` or ``data.county``.
    shape : tuple
        For each axis its size, or the text ``"#i"`` for the i-th number of rows.
    dtype : str
    """

    label: str
    shape: tuple[int | str, ...]
    dtype: str

    def sizes(self, shape: Sequence[int]) -> dict[int, int] | None:
        """The numbers of rows that an array of this shape has; None if it does not fit."""
        if len(shape) != len(self.shape):
            return None
        pairs = list(zip(self.shape, shape, strict=True))
        if any(known != n for known, n in pairs if isinstance(known, int)):
            return None
        return {int(known[1:]): n for known, n in pairs if isinstance(known, str)}

    def __str__(self) -> str:
        sizes = ", ".join("rows" if isinstance(n, str) else str(n) for n in self.shape)
        return f"{self.dtype}[{sizes}]"


@dataclass(frozen=True)
class StoredFunction:
    """A Program for any number of rows, with the names of what goes in and comes out.

    Parameters
    ----------
    template : Template or None
        None where the model has no such function.
    inputs : tuple of Input
        The data, after the values and the key.
    outputs : tuple of str
        Names of the sites.
    arguments : dict of str to str
        The frame of each argument that the Program was made with; see `frames`. An argument that
        is not listed may be given, and is not looked at.
    reason : str
        Why there is no Program, or why there is none for other numbers of rows.
    """

    template: Template | None
    inputs: tuple[Input, ...] = ()
    outputs: tuple[str, ...] = ()
    arguments: dict[str, str] = field(default_factory=dict)
    reason: str = ""


OLDER = StoredFunction(None, reason="it was written by an earlier version")


@dataclass(frozen=True)
class Parameter:
    """One argument of the model's function: name, `inspect` kind, and the frame of its default."""

    name: str
    kind: int
    default: str | None


@dataclass(frozen=True)
class StoredFunctions:
    """What a file keeps of a model.

    Parameters
    ----------
    name : str
        The model's name.
    dtype : numpy.dtype
        In which it was fitted.
    parameters : tuple of Parameter
    table : dict of str to StoredFunction
        By kind, ``"observed"`` among them.
    fitted : dict of str to array
        The data that it was fitted to, by label; they stand in where no arguments are given.
    """

    name: str
    dtype: np.dtype[Any]
    parameters: tuple[Parameter, ...]
    table: dict[str, StoredFunction]
    fitted: dict[str, Array] = field(default_factory=dict)
    _filled: dict[tuple[str, Sizes], Program] = field(default_factory=dict, repr=False)

    def prepare(self, kind: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Prepared:
        """The function of one of `KINDS` for a model's arguments; the fitted ones if none given.

        Raises
        ------
        ArgumentError
            If the arguments are not those of the model, or others than it was fitted with.
        ShapeError, DtypeError
            If the data do not have the columns or the dtype of those it was fitted to.
        ModelError
            If the file keeps no such function, or handlers are active.
        SupportError
            If observed values lie outside the support of their distribution.
        """
        stored = self.table.get(kind, OLDER)
        if stored.template is None:
            raise ModelError(
                f"the file keeps no function for this: {stored.reason}.",
                facts=[("model", self.name), ("asked for", kind)],
                fix=PASS_MODEL,
                where=user_source(),
                code="E105",
            )
        if kind == "log_likelihood":
            self.observed(args, kwargs)
        if surroundings():
            raise ModelError(
                "the file keeps predictions of the model as it was fitted, without other handlers.",
                facts=[("active", ", ".join(type(h).__name__ for h in surroundings()))],
                fix=PASS_MODEL,
                where=user_source(),
                code="E105",
            )
        arrays = self._read(stored, args, kwargs) if args or kwargs else self.fitted
        data = tuple(_fitted(arrays[i.label], i) for i in stored.inputs)
        sizes = _sizes(stored, data)
        if (kind, sizes) not in self._filled:
            self._filled[kind, sizes] = _fill(stored.template, sizes)
        program = self._filled[kind, sizes]
        return Prepared(_called(program, stored.outputs), data, self.dtype, (kind, sizes))

    def observed(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Array]:
        """Values of the observed sites for a model's arguments; the fitted ones if none given."""
        prepared = self.prepare("observed", args, kwargs)
        found = {n: np.asarray(v) for n, v in prepared.function((), *prepared.data).items()}
        for name, inside in found.items():
            if name.endswith(INSIDE) and not inside.all():
                site = name.removesuffix(INSIDE)
                raise _outside(site, found.get(site), inside)
        return {name: value for name, value in found.items() if not name.endswith(INSIDE)}

    def _read(
        self, stored: StoredFunction, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> dict[str, Array]:
        """The arrays among the arguments, by label."""
        model = Model(_Signature(self.parameters), name=self.name)
        read = read_arguments(model, args, dict(kwargs), self.dtype)
        given = frames(model, read)
        for parameter in self.parameters:
            known = stored.arguments.get(parameter.name)
            found = given.get(parameter.name, parameter.default)
            if known is not None and found != known:
                raise _other_argument(self.name, parameter.name, known, found)
        return dict(zip(read.labels, read.arrays, strict=True))


def _called(program: Program, names: Sequence[str]) -> Callable[..., dict[str, Any]]:
    def function(draw: Any, *data: Any) -> dict[str, Any]:
        outputs = inline(program, *flatten(draw)[0], *data)
        return dict(zip(names, outputs, strict=True))

    return function


def _fill(template: Template, sizes: Sizes) -> Program:
    try:
        return template.fill(sizes)
    except ValueError as error:
        raise ModelError(
            f"the Programs of this file cannot be read: {error}.",
            fix="use the version of bayesdl that wrote the file, or " + PASS_MODEL,
            where=user_source(),
            code="E106",
        ) from error


def _fitted(array: Array, wanted: Input) -> Array:
    dtype = np.dtype(wanted.dtype)
    if not np.can_cast(array.dtype, dtype, "safe") and array.dtype.kind != dtype.kind:
        raise DtypeError(
            f"the argument `{wanted.label}` has another dtype than the model was fitted to.",
            facts=[("given", array.dtype), ("fitted", dtype)],
            fix=f"{wanted.label}.astype({dtype})." if dtype.kind != "f" else "pass numbers.",
            where=user_source(),
            code="E107",
        )
    return array.astype(dtype, copy=False)


def _sizes(stored: StoredFunction, data: Sequence[Array]) -> Sizes:
    found: dict[int, tuple[int, str]] = {}
    for array, wanted in zip(data, stored.inputs, strict=True):
        sizes = wanted.sizes(array.shape)
        if sizes is None:
            raise _misfit(stored, wanted, array)
        for i, n in sizes.items():
            known, label = found.setdefault(i, (n, wanted.label))
            if known != n:
                raise ShapeError(
                    "two arguments have different numbers of rows.",
                    facts=[(label, f"{known} rows"), (wanted.label, f"{n} rows")],
                    fix="give them the same rows.",
                    where=user_source(),
                    code="E108",
                )
    return tuple(found[i][0] for i in sorted(found))


def _misfit(stored: StoredFunction, wanted: Input, array: Array) -> ShapeError:
    return ShapeError(
        f"the argument `{wanted.label}` does not fit the model as it was fitted.",
        facts=[("given", f"{array.dtype}{list(array.shape)}"), ("fitted", wanted)],
        note=stored.reason or None,
        fix="give it the same columns, in the same order; any number where it says rows.",
        where=user_source(),
        code="E108",
    )


def _other_argument(model: str, name: str, known: str, found: str | None) -> ArgumentError:
    return ArgumentError(
        f"the file keeps predictions of {model} for other arguments.",
        facts=[
            (f"`{name}` fitted", known),
            (f"`{name}` given", "nothing" if found is None else found),
        ],
        fix=f"pass `{name}` as in the fit, or " + PASS_MODEL,
        where=user_source(),
        code="E109",
    )


def _outside(site: str, value: Any, inside: Array) -> SupportError:
    where = np.argwhere(~inside)
    first = f"{site}[{', '.join(map(str, where[0]))}]" if inside.ndim else site
    shown = "" if value is None else f" = {value[tuple(where[0])]}"
    return SupportError(
        f'the data of site "{site}" lie outside the support of its distribution.',
        facts=[("first", f"{first}{shown}"), ("outside", f"{len(where)} of {inside.size}")],
        fix="check those values.",
        where=user_source(),
        code="M106",
    )


class _Signature:
    """Stands for a model's function where only its arguments are known."""

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        kinds = list(inspect._ParameterKind)
        empty = inspect.Parameter.empty
        listed = [
            inspect.Parameter(
                p.name,
                kinds[p.kind],
                default=empty if p.default is None or kinds[p.kind] in _VARIADIC else None,
            )
            for p in parameters
        ]
        self.__signature__ = inspect.Signature(listed)

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        """Never called: a model that is only a signature has no statements."""
        raise AssertionError


_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
