"""One function against NumPy's: on numbers, through a trace, and through NumPy's own protocols."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from bayesdl._base.tree import flatten
from bayesdl.ops import numpy as bnp
from bayesdl.ops._bind import evaluate
from bayesdl.tracing import trace

from .cases import CALLS, REFERENCE

# Results that are not arrays, and functions that make arrays out of no array: nothing to trace.
STATIC = ("shape", "ndim", "size", "broadcast_shapes")


def names_of(module: Any) -> list[str]:
    """The names under which a module of the surface entered functions."""
    return sorted(n for n, f in bnp.FUNCTIONS.items() if f.__module__ == module.__name__)


def agree(name: str) -> None:
    """Every listed call gives what NumPy gives: values, shapes and dtypes."""
    assert name in CALLS, f"no case for {name!r}: add one to tests/ops/numpy/cases.py"
    for args, kwargs in CALLS[name]:
        wanted = _reference(name, args, kwargs)
        _same(name, bnp.FUNCTIONS[name](*args, **kwargs), wanted)
        if name not in STATIC:
            _same(name, _traced(name, args, kwargs), wanted)


def _reference(name: str, args: Any, kwargs: Any) -> Any:
    function = REFERENCE[name] if name in REFERENCE else getattr(np, name)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)


def _traced(name: str, args: Any, kwargs: Any) -> Any:
    """Float and integer arrays become inputs; index arrays, shapes and numbers stay as they are."""
    leaves = [a for a in flatten((args, kwargs))[0] if _moves(name, a)]

    def call(*v: Any) -> Any:
        rest = iter(v)
        return bnp.FUNCTIONS[name](*_filled(args, rest, name), **_filled(kwargs, rest, name))

    traced = trace(call, *leaves)
    return evaluate(traced.program, *leaves)


def _moves(name: str, leaf: Any) -> bool:
    return isinstance(leaf, np.ndarray)


def _filled(value: Any, rest: Any, name: str) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_filled(v, rest, name) for v in value)
    if isinstance(value, dict):
        return {k: _filled(v, rest, name) for k, v in sorted(value.items())}
    return next(rest) if _moves(name, value) else value


def _same(name: str, found: Any, wanted: Any) -> None:
    parts = list(wanted) if isinstance(wanted, (list, tuple)) else [wanted]
    given = list(found) if isinstance(found, (list, tuple)) else [found]
    assert len(given) == len(parts), name
    for x, y in zip(given, parts, strict=True):
        x, y = np.asarray(x), np.asarray(y)
        assert x.shape == y.shape, (name, x.shape, y.shape)
        assert x.dtype == y.dtype, (name, x.dtype, y.dtype)
        np.testing.assert_allclose(x, y, rtol=2e-13, atol=1e-14, err_msg=name)
