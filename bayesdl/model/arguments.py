"""The door for data: what the user passes becomes plain arrays, fixed settings, and labels."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ArgumentError, DtypeError, did_you_mean
from bayesdl._base.source import user_source
from bayesdl._base.tree import tree_map
from bayesdl.ir.types import ArrayType, type_of
from bayesdl.ops import numpy as bnp

from ._definition import Model

_SHOWN = 5
_LINE, _CACHED = 64, 2**24  # bytes of a cache line, and of data that may stay in a cache
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


@dataclass(frozen=True)
class _Slot:
    """Stands for the i-th array in the containers of static arguments."""

    index: int


@dataclass(frozen=True)
class Arguments:
    """What a model is called with: arrays, which Programs take as inputs, and what is fixed.

    Parameters
    ----------
    arrays : tuple of numpy.ndarray
        All array arguments in order, of dtypes that Programs have.
    labels : tuple of str
        Where each came from, for example ``x`` or ``data.y``.
    coords : dict of str to list
        Labels found on data frames and labelled arrays.
    layout : nested container
        Positional and keyword arguments with places for the arrays.
    """

    arrays: tuple[np.ndarray[Any, Any], ...]
    labels: tuple[str, ...]
    coords: dict[str, list[Any]]
    layout: tuple[tuple[Any, ...], dict[str, Any]]

    @property
    def types(self) -> tuple[ArrayType, ...]:
        """Types of the arrays."""
        return tuple(type_of(a) for a in self.arrays)

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the arrays."""
        return tuple(a.shape for a in self.arrays)

    def of_shapes(self, shapes: Sequence[tuple[int, ...]]) -> Arguments:
        """The same arguments with arrays of other shapes: zeros, which are good for a trace."""
        pairs = zip(self.arrays, shapes, strict=True)
        # One stored number each, whatever the shape.
        zeros = [np.broadcast_to(np.zeros((), a.dtype), shape) for a, shape in pairs]
        return replace(self, arrays=tuple(zeros))

    @property
    def given(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and keyword arguments, with these arrays in their places."""
        return self._placed(self.arrays)

    def call(self, model: Model, arrays: Sequence[Any]) -> Any:
        """Call the model with other arrays, in flight or not, in the places of these."""
        args, kwargs = self._placed(arrays)
        return model(*args, **kwargs)

    def _placed(self, arrays: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        args, kwargs = tree_map(
            lambda leaf: arrays[leaf.index] if isinstance(leaf, _Slot) else leaf, self.layout
        )
        return args, kwargs


def read_arguments(
    model: Model, args: Sequence[Any], kwargs: dict[str, Any] | None = None, dtype: Any = np.float64
) -> Arguments:
    """Convert a model's arguments.

    Parameters
    ----------
    model : Model
    args, kwargs
        As for a call. Arrays, data frames, labelled arrays, lists of numbers and floats become
        arrays; ints, bools, strings, None and anything else stay as they are and are fixed.
    dtype : dtype
        Of all floats.

    Returns
    -------
    Arguments

    Raises
    ------
    ArgumentError
        If the model does not take these arguments, or data are missing (NaN).
    DtypeError
        If data are not numbers.
    """
    bound = _bound(model, tuple(args), dict(kwargs or {}))
    names = list(bound.arguments)
    door = _Door(dtype)
    positional = tuple(
        door.enter(names[min(i, len(names) - 1)], value) for i, value in enumerate(bound.args)
    )
    named = {name: door.enter(name, value) for name, value in bound.kwargs.items()}
    return Arguments(tuple(door.arrays), tuple(door.labels), door.coords, (positional, named))


def frames(model: Model, arguments: Arguments) -> dict[str, str]:
    """What of each given argument is fixed, as text: settings as they print, arrays as ``<label>``.

    >>> def m(x, degree=2): ...
    >>> known = Model(m)
    >>> frames(known, read_arguments(known, (np.zeros(3), 4)))
    {'x': '<x>', 'degree': '4'}
    """
    args, kwargs = arguments.layout
    bound = model.signature.bind(*args, **kwargs)
    return {name: _frame(v, arguments.labels) for name, v in bound.arguments.items()}


def frame(value: Any) -> str:
    """A setting as text that does not change from run to run."""
    return _ADDRESS.sub("", repr(value))


def _frame(value: Any, labels: Sequence[str]) -> str:
    if isinstance(value, _Slot):
        return f"<{labels[value.index]}>"
    if type(value) is dict:
        return (
            "{" + ", ".join(f"{k!r}: {_frame(v, labels)}" for k, v in sorted(value.items())) + "}"
        )
    if type(value) is tuple:
        return "(" + ", ".join(_frame(v, labels) for v in value) + ")"
    return frame(value)


def _bound(model: Model, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    try:
        return model.signature.bind(*args, **kwargs)
    except TypeError as error:
        unknown = next((k for k in kwargs if k not in model.argument_names), None)
        guess = unknown and did_you_mean(unknown, model.argument_names)
        raise ArgumentError(
            f"model {model.name} does not take these arguments: {error}.",
            facts=[
                ("given", ", ".join([f"{len(args)} by position", *kwargs])),
                ("takes", model.signature),
            ],
            fix=f"did you mean {guess}=?"
            if guess
            else "call it with the arguments in its `def` line.",
            where=user_source(),
            code="M115",
        ) from None


class _Door:
    """Collects arrays on the way in."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        self.arrays: list[np.ndarray[Any, Any]] = []
        self.labels: list[str] = []
        self.coords: dict[str, list[Any]] = {}

    def enter(self, label: str, value: Any) -> Any:
        """The value with places instead of arrays."""
        if type(value) is dict:
            return {key: self.enter(f"{label}.{key}", item) for key, item in value.items()}
        if type(value) is tuple:
            return tuple(self.enter(f"{label}[{i}]", item) for i, item in enumerate(value))
        if not _is_data(value):
            return value
        self.coords.update(_coords_of(label, value))
        self.arrays.append(_checked_array(label, value, self.dtype))
        self.labels.append(label)
        return _Slot(len(self.arrays) - 1)


def _is_data(value: Any) -> bool:
    """Whether something is data rather than a setting."""
    if isinstance(value, list):
        return any(isinstance(v, int | float | str) or _is_data(v) for v in value)
    # Arrays of other libraries say so by this method: data frames, labelled arrays, tensors.
    return isinstance(value, float | complex) or getattr(type(value), "__array__", None) is not None


def _coords_of(label: str, value: Any) -> dict[str, list[Any]]:
    """Labels that data carry: column names of a data frame, coordinates of a labelled array."""
    columns = getattr(value, "columns", None)
    if columns is not None:
        return {getattr(columns, "name", None) or label: list(columns)}
    dims, coords = getattr(value, "dims", ()), getattr(value, "coords", {})
    return {str(dim): np.asarray(coords[dim]).tolist() for dim in dims if dim in coords}


def _checked_array(label: str, value: Any, dtype: Any) -> np.ndarray[Any, Any]:
    array = _plain_array(label, value)
    if array.dtype.kind not in "fiub":
        raise DtypeError(
            f"the argument `{label}` is not made of numbers.",
            facts=[("dtype", array.dtype), ("shape", array.shape), *_first_not_a_number(array)],
            fix="convert it first; np.unique(x, return_inverse=True)[1] numbers categories.",
            where=user_source(),
            code="M108",
        )
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise _missing(label, array)
    with bnp.using_dtype(dtype):
        ready = bnp.asarray(array, dtype if array.dtype.kind == "f" else None)
    return _at_a_line(np.asarray(ready, order="C"))


def _at_a_line(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same numbers from the beginning of a cache line on, where they may stay in a cache.

    A register that is read across two lines takes twice the time. Large data come from memory,
    which takes longer than either, and are not copied.
    """
    if array.ctypes.data % _LINE == 0 or not 0 < array.nbytes <= _CACHED:
        return array
    room = np.empty(array.nbytes + _LINE, np.uint8)
    start = -room.ctypes.data % _LINE
    found = np.ndarray(array.shape, array.dtype, room, start)
    found[...] = array
    return found


def _is_masked(value: Any) -> bool:
    """Whether a value is a masked array, without loading the module where nobody else has."""
    return "numpy.ma" in sys.modules and isinstance(value, np.ma.MaskedArray)


def _plain_array(label: str, value: Any) -> np.ndarray[Any, Any]:
    if _is_masked(value) and value.mask.any():
        return np.asarray(np.ma.filled(value.astype(float), np.nan))
    try:
        return np.asarray(value)
    except ValueError:
        raise DtypeError(
            f"the argument `{label}` has rows of different lengths.",
            facts=[("given", f"{type(value).__name__} of {len(value)}")],
            fix="pad the rows to one length, or pass a tuple of arrays.",
            where=user_source(),
            code="M108",
        ) from None


def _first_not_a_number(array: np.ndarray[Any, Any]) -> list[tuple[str, str]]:
    items = array.ravel()[:1000].tolist() if array.dtype.kind in "OUS" else []
    found = next((x for x in items if not isinstance(x, int | float)), None)
    return [] if found is None else [("first", repr(found)[:40])]


def _missing(label: str, array: np.ndarray[Any, Any]) -> ArgumentError:
    bad = np.isnan(array)
    facts: list[tuple[str, object]] = [("missing", f"{int(bad.sum())} of {array.size} values")]
    fix = "leave the value out."
    if array.ndim:
        facts.append(("rows", first_few(np.unique(np.nonzero(bad)[0]))))
        per_row = f"np.isnan({label})" + f".any(axis={tuple(range(1, array.ndim))})" * (
            array.ndim > 1
        )
        fix = f"keep = ~{per_row}, then [keep] on every argument; or fill the values in."
    return ArgumentError(
        f"the argument `{label}` has missing values (NaN).",
        facts=facts,
        fix=fix,
        where=user_source(),
        code="M107",
    )


def first_few(items: Any) -> str:
    """The first items of a list, and how many more there are."""
    shown = ", ".join(map(str, items[:_SHOWN]))
    more = len(items) - _SHOWN
    return shown if more <= 0 else f"{shown} and {more} more"
