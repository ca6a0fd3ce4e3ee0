"""Model, the decorator, and the room of the same name."""

from __future__ import annotations

import importlib
import pickle
from typing import Any

import pytest

import bayesdl as bdl
from bayesdl import dist
from bayesdl._base.errors import ArgumentError
from bayesdl.model import Model, as_model

from .models import line


def test_the_decorator_with_and_without_arguments() -> None:
    """Both spellings give a Model that knows its arguments."""

    @bdl.model
    def plain(x: Any, y: Any = None) -> Any:
        """Doc."""
        return bdl.sample("a", dist.Normal(x, 1.0))

    assert isinstance(plain, Model)
    assert (plain.name, plain.argument_names, plain.__doc__) == ("plain", ("x", "y"), "Doc.")
    named = bdl.model(name="other", coords={"k": (1, 2)})(plain.function)
    assert (named.name, named.coords) == ("other", {"k": [1, 2]})
    assert bdl.seed(0)(plain)(100.0) > 50.0


def test_any_function_is_accepted_and_nothing_else() -> None:
    """Functions are wrapped, Models are left alone."""
    assert as_model(line) is line
    assert as_model(lambda y: None).argument_names == ("y",)
    with pytest.raises(ArgumentError, match="a model is a function"):
        as_model(3)  # type: ignore[arg-type]


def test_the_name_is_the_decorator_however_it_was_reached() -> None:
    """Loading the room rebinds ``bayesdl.model``; called, it still decorates."""
    room = importlib.import_module("bayesdl.model")
    assert isinstance(room(line.function), Model)  # type: ignore[operator]
    assert isinstance(bdl.model(line.function), Model)


def test_a_model_is_pickled_by_reference() -> None:
    """As functions are."""
    assert pickle.loads(pickle.dumps(line)) is line
