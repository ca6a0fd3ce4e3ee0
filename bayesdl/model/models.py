"""`@model`: a Python function whose statements describe a joint distribution."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import update_wrapper
from typing import Any


class Model:
    """A function of data whose statements name random quantities.

    Parameters
    ----------
    function : callable
        Its array arguments are data; arguments that feed ``obs=`` may be None for prediction.
    coords : mapping of str to sequence, optional
        Labels of named dims, carried to the results.
    """

    def __init__(
        self, function: Callable[..., Any], coords: Mapping[str, Any] | None = None
    ) -> None:
        self.function = function
        self.coords = dict(coords or {})
        update_wrapper(self, function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"Model({self.name}{inspect.signature(self.function)})"

    @property
    def name(self) -> str:
        """The function's name."""
        return getattr(self.function, "__name__", "model")

    @property
    def argument_names(self) -> tuple[str, ...]:
        """Names of the arguments."""
        return tuple(inspect.signature(self.function).parameters)


def model(
    function: Callable[..., Any] | None = None, *, coords: Mapping[str, Any] | None = None
) -> Any:
    """Make a model of a function; usable with and without options.

    Parameters
    ----------
    function : callable
    coords : mapping of str to sequence, optional
        Labels of named dims.

    Examples
    --------
    >>> from bayesdl import dist
    >>> from bayesdl.model.statements import sample
    >>> @model
    ... def coin(y=None):
    ...     p = sample("p", dist.Beta(1.0, 1.0))
    ...     return sample("y", dist.Bernoulli(p), obs=y)
    >>> coin
    Model(coin(y=None))
    """
    if function is None:
        return lambda f: Model(f, coords)
    return as_model(function) if coords is None else Model(function, coords)


def as_model(function: Any) -> Model:
    """A Model as it is; any other callable wrapped."""
    return function if isinstance(function, Model) else Model(function)
