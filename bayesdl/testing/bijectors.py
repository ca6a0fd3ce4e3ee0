"""The laws of bijectors: inverse, log-determinant, shapes, dtype, batches.

A class of your own is held to them by ``check_bijector(MyBijector)``.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bayesdl.bijectors import Bijector
from bayesdl.ops._bind import evaluate
from bayesdl.tracing import trace
from bayesdl.transform.derived import jacobian, vmap

from .laws import BrokenLaw

Shape = tuple[int, ...]
BATCH = 3


def check_bijector(cls: type[Bijector], laws: Sequence[str] | None = None) -> None:
    """Test a bijector class against the laws, on each of its examples and shapes.

    Parameters
    ----------
    cls : subclass of Bijector
    laws : sequence of str
        Of `LAWS`; all by default.

    Raises
    ------
    BrokenLaw
        With the bijector, the law, and both results.

    Examples
    --------
    >>> from bayesdl.bijectors import Exp
    >>> check_bijector(Exp)
    """
    for example in cls.examples:
        for shape in cls.example_event_shapes:
            for law in LAWS if laws is None else laws:
                LAWS[law](cls(*example), shape)


def law_of_inverse(b: Bijector, event_shape: Shape) -> None:
    """inverse(forward(x)) = x, and the two log-determinants cancel."""
    x = _arguments(b, event_shape)
    y, log_det = b.forward_and_log_det(x)
    back, negative = b.inverse_and_log_det(y)
    _agree("inverse ∘ forward = id", b, back, x, 1e-9)
    _agree("log-determinants cancel", b, negative, -np.asarray(log_det), 1e-9)
    _agree("forward = forward_and_log_det", b, b.forward(x), y, 1e-15)


def law_of_log_det(b: Bijector, event_shape: Shape) -> None:
    """The log-determinant is that of the Jacobian of automatic differentiation.

    Where a result has more numbers than the argument, it is the Jacobian of those that are not a
    function of the ones before them.
    """
    for x in _arguments(b, event_shape):
        expected = 0.0
        if x.size:
            rows = np.asarray(jacobian(b.forward)(x)).reshape(-1, x.size)
            expected = np.linalg.slogdet(_independent(rows))[1]
        _agree("log-det = Jacobian", b, b.forward_and_log_det(x)[1], expected, 1e-8)


def law_of_shapes(b: Bijector, event_shape: Shape) -> None:
    """The two shape rules are inverse, and say what the map does."""
    shape = (BATCH, *event_shape)
    below = b.unconstrained_shape(shape)
    y, log_det = b.forward_and_log_det(_arguments(b, event_shape))
    _agree("constrained_shape inverts unconstrained_shape", b, b.constrained_shape(below), shape, 0)
    _agree("constrained_shape is that of the result", b, np.shape(y), shape, 0)
    lead = below[: len(below) - b.forward_event_ndim]
    _agree("log_det has the batch shape", b, np.shape(log_det), lead, 0)
    _agree("inverse has the shape of x", b, np.shape(b.inverse(y)), below, 0)


def law_of_batches(b: Bijector, event_shape: Shape) -> None:
    """A batch is its members one by one, by broadcasting and by vmap."""
    x = _arguments(b, event_shape)
    y, log_det = b.forward_and_log_det(x)
    one_by_one = [b.forward_and_log_det(row) for row in x]
    _agree("batch = one by one", b, y, np.stack([r[0] for r in one_by_one]), 1e-12)
    _agree("batch = one by one", b, log_det, np.stack([r[1] for r in one_by_one]), 1e-12)
    _agree("vmap = batch", b, vmap(b.forward)(x), y, 1e-12)
    _agree("vmap = batch", b, vmap(b.inverse)(y), b.inverse(y), 1e-12)


def law_of_traces(b: Bijector, event_shape: Shape) -> None:
    """A Program of the map gives what the map gives at once."""
    x = _arguments(b, event_shape)
    program = trace(lambda v: b.forward_and_log_det(v), x).program
    for found, expected in zip(evaluate(program, x), b.forward_and_log_det(x), strict=True):
        _agree("traced = at once", b, found, expected, 1e-14)


def law_of_dtype(b: Bijector, event_shape: Shape) -> None:
    """float32 stays float32."""
    x = _arguments(b, event_shape).astype(np.float32)
    y, log_det = b.forward_and_log_det(x)
    kinds = [str(np.asarray(v).dtype) for v in (y, log_det, b.inverse(y))]
    _agree("float32 stays float32", b, kinds, ["float32"] * 3, 0)


def law_of_order(b: Bijector, event_shape: Shape) -> None:
    """A map of one number keeps the order, or turns it round, as it says."""
    if b.forward_event_ndim or b.inverse_event_ndim or b.is_increasing is None:
        return
    y = np.asarray(b.forward(np.linspace(-3.0, 3.0, 7)))
    _agree("is_increasing", b, bool(np.all(np.diff(y) > 0)), bool(b.is_increasing), 0)


def law_of_pickling(b: Bijector, event_shape: Shape) -> None:
    """A bijector can be sent to another process."""
    x = _arguments(b, event_shape)
    _agree("pickling", b, pickle.loads(pickle.dumps(b)).forward(x), b.forward(x), 0)


LAWS: dict[str, Callable[[Bijector, Shape], None]] = {
    "inverse": law_of_inverse,
    "log_det": law_of_log_det,
    "shapes": law_of_shapes,
    "batches": law_of_batches,
    "traces": law_of_traces,
    "dtype": law_of_dtype,
    "order": law_of_order,
    "pickling": law_of_pickling,
}


def _arguments(b: Bijector, event_shape: Shape) -> Any:
    """A batch of arguments whose results have an event shape.

    They lie in (−2, 2) if the map is defined there, else they are images under the inverse.
    """
    shape = b.unconstrained_shape((BATCH, *event_shape))
    x = np.random.default_rng(7).uniform(-2.0, 2.0, shape)
    return x if np.all(np.isfinite(np.asarray(b.forward(x)))) else np.asarray(b.inverse(x))


def _independent(rows: Any) -> Any:
    """The first rows that are linearly independent of those before them."""
    chosen: list[Any] = []
    for row in rows:
        if np.linalg.matrix_rank(np.array([*chosen, row]), tol=1e-10) > len(chosen):
            chosen.append(row)
    return np.array(chosen)


def _agree(law: str, b: Bijector, found: Any, expected: Any, tolerance: float) -> None:
    if not tolerance:
        same = np.array_equal(found, expected)
    else:
        same = np.allclose(found, expected, rtol=tolerance, atol=tolerance)
    if not same:
        raise BrokenLaw(f"{b} breaks the law of {law}: {found} is not {expected}")
