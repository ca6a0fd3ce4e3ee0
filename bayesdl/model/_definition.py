"""Model, the noun: a Python function with statements in it, its name and its arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import update_wrapper
from typing import Any, overload

from bayesdl._base.errors import ArgumentError
from bayesdl._base.source import user_source

Coords = Mapping[str, Sequence[Any]]


class Model:
    """A function whose statements describe a joint distribution.

    Called, it runs the function once under the handlers that are active; to fit it, pass it to
    `bayesdl.fit`.

    Parameters
    ----------
    function : callable
        Contains statements such as `sample`. It is run on arrays in flight, so it must depend on
        its arguments alone and name the same sites each time.
    name : str, optional
        How the model prints; the function's name by default.
    coords : mapping of str to sequence, optional
        Labels of the values along named dimensions.

    Attributes
    ----------
    argument_names : tuple of str
        Names of the function's arguments.
    """

    def __init__(
        self, function: Callable[..., Any], *, name: str | None = None, coords: Coords | None = None
    ) -> None:
        update_wrapper(self, function, updated=())
        self.function = function
        self.name = name or str(getattr(function, "__name__", type(function).__name__))
        self.coords = {dim: list(labels) for dim, labels in (coords or {}).items()}
        self.signature = _plain(inspect.signature(function))
        self.argument_names = tuple(self.signature.parameters)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"Model {self.name}{self.signature}"

    def __reduce__(self) -> str:
        # By reference, as functions are: the name of the decorated function is bound to the Model.
        return str(getattr(self, "__qualname__", self.name))


@overload
def model(function: Callable[..., Any], /) -> Model: ...


@overload
def model(
    *, coords: Coords | None = None, name: str | None = None
) -> Callable[[Callable[..., Any]], Model]: ...


def model(
    function: Callable[..., Any] | None = None,
    /,
    *,
    coords: Coords | None = None,
    name: str | None = None,
) -> Any:
    """Make a function with statements a `Model`.

    Parameters
    ----------
    function : callable
    coords : mapping of str to sequence, optional
        Labels of the values along the dimensions named in ``dims`` and by plates.
    name : str, optional
        How the model prints.

    Returns
    -------
    Model, or a decorator if no function is given

    Examples
    --------
    >>> from bayesdl import dist
    >>> from bayesdl.model.statements import sample
    >>> @model
    ... def coin(heads=None):
    ...     bias = sample("bias", dist.Beta(1.0, 1.0))
    ...     sample("heads", dist.Bernoulli(bias), obs=heads)
    >>> coin
    Model coin(heads=None)
    """
    if function is not None:
        return Model(_checked(function), name=name, coords=coords)
    return lambda f: Model(_checked(f), name=name, coords=coords)


def as_model(function: Callable[..., Any]) -> Model:
    """A Model as it is; any other callable made one.

    Raises
    ------
    ArgumentError
        If it cannot be called.
    """
    return function if isinstance(function, Model) else Model(_checked(function))


def _plain(signature: inspect.Signature) -> inspect.Signature:
    """Without annotations, as the arguments are shown to the user."""
    empty = inspect.Signature.empty
    bare = [p.replace(annotation=empty) for p in signature.parameters.values()]
    return signature.replace(parameters=bare, return_annotation=empty)


def _checked(function: Any) -> Any:
    if callable(function):
        return function
    raise ArgumentError(
        "a model is a function with `sample` statements in it.",
        facts=[("given", f"{type(function).__name__} {function!r}"[:60])],
        fix="@bayesdl.model above `def my_model(x, y=None):`",
        where=user_source(),
        code="M114",
    )
