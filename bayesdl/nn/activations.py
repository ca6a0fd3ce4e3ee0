"""Names of activation functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bayesdl._base.errors import ArgumentError, did_you_mean
from bayesdl._base.source import user_source
from bayesdl.ops import numpy as bnp

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "identity": lambda x: x,
    "relu": lambda x: bnp.maximum(x, 0.0),
    "sigmoid": bnp.sigmoid,
    "silu": lambda x: x * bnp.sigmoid(x),
    "softplus": bnp.softplus,
    "tanh": bnp.tanh,
}


def activation(name: str | Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The function of that name; a function is returned as it is.

    Raises
    ------
    ArgumentError
        For an unknown name.
    """
    if callable(name):
        return name
    if name not in ACTIVATIONS:
        guess = did_you_mean(name, ACTIVATIONS)
        raise ArgumentError(
            f"there is no activation {name!r}.",
            facts=[("known", ", ".join(ACTIVATIONS))],
            fix=f"use {guess!r}." if guess else "use one of them, or pass a function.",
            where=user_source(),
            code="A102",
        )
    return ACTIVATIONS[name]
