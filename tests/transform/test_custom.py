"""A derivative of one's own: used in reverse mode, refused in forward mode, its shapes checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bayesdl._base.errors import ShapeError, TraceError
from bayesdl.ops import numpy as bnp
from bayesdl.tracing import trace
from bayesdl.transform.custom import custom_vjp
from bayesdl.transform.derived import grad, jvp, vjp, vmap

X = np.array([0.5, 1.0, 2.0])

# The derivative is three times x instead of twice, so that one sees whose is used.
square = custom_vjp(
    lambda x: x * x, lambda x: (x * x, (x,)), lambda kept, ct: (ct * 3.0 * kept[0],)
)


def test_own_derivative_is_used() -> None:
    assert square(3.0) == 9.0
    assert grad(square)(2.0) == 6.0
    np.testing.assert_array_equal(grad(lambda x: square(x).sum())(X), 3.0 * X)


def test_second_derivative_is_that_of_the_backward_function() -> None:
    assert grad(grad(square))(2.0) == 3.0


def test_batching() -> None:
    np.testing.assert_array_equal(vmap(square)(X), X * X)
    np.testing.assert_array_equal(vmap(grad(square))(X), 3.0 * X)
    np.testing.assert_array_equal(grad(lambda x: vmap(square)(x).sum())(X), 3.0 * X)


def test_containers_integers_and_zeros() -> None:
    f = custom_vjp(
        lambda x, n, y: {"power": x**2 * y, "n": n},
        lambda x, n, y: ({"power": x**2 * y, "n": n}, {"x": x}),
        lambda kept, ct: (ct["power"] * kept["x"], None),
    )
    value, pullback = vjp(lambda x, y: f(x, 3, y)["power"], 2.0, 5.0)
    assert value == 20.0
    assert [float(g) for g in pullback(1.0)] == [2.0, 0.0]


def test_forward_mode_is_refused() -> None:
    with pytest.raises(TraceError, match="custom reverse-mode derivative") as caught:
        jvp(square, (1.0,), (1.0,))
    assert "[T106]" in str(caught.value)


def test_captured_arrays_are_refused() -> None:
    def outer(y):
        f = custom_vjp(lambda x: x * y, lambda x: (x * y, x), lambda kept, ct: (ct,))
        return f(1.0)

    with pytest.raises(ShapeError, match="may not use arrays of the surrounding"):
        trace(outer, 2.0)


@pytest.mark.parametrize(
    ("forward", "backward", "message"),
    [
        (lambda x: x * x, lambda kept, ct: (ct,), r"returns \(result, residuals\)"),
        (lambda x: (x[0], x), lambda kept, ct: (ct,), r"returns \(result, residuals\)"),
        (lambda x: (x * x, x), lambda kept, ct: (ct, ct), "one cotangent per float argument"),
        (lambda x: (x * x, x), lambda kept, ct: (ct[0],), "one cotangent per float argument"),
    ],
)
def test_functions_that_do_not_fit(forward: Any, backward: Any, message: str) -> None:
    with pytest.raises(ShapeError, match=message) as caught:
        custom_vjp(lambda x: x * x, forward, backward)(X)
    assert "[T113]" in str(caught.value)


def test_single_precision_cotangents() -> None:
    x = X.astype(np.float32)
    assert grad(lambda v: bnp.sum(square(v)))(x).dtype == np.float32
