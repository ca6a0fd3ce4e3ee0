"""Derivatives that users call, against HIPS autograd, closed forms and each other."""

from __future__ import annotations

from typing import Any

import autograd
import autograd.numpy as anp
import autograd.scipy.special as asp
import numpy as np
import pytest

from bayesdl._base.errors import ArgumentError, ConcreteError, DtypeError, ShapeError, TraceError
from bayesdl.ops import linalg, special
from bayesdl.ops import numpy as bnp
from bayesdl.ops._bind import evaluate
from bayesdl.tracing import trace
from bayesdl.tracing.flow import cond, fori_loop, scan, while_loop
from bayesdl.transform.derived import (
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    value_and_grad,
    vjp,
    vmap,
)

X = np.random.default_rng(1).uniform(0.2, 1.5, 4)
A = np.random.default_rng(2).standard_normal((4, 4))

# Functions written once for both libraries: n is the NumPy module, s the special functions.
PAIRS: dict[str, Any] = {
    "polynomial": lambda n, x: n.sum(x**3 - 2.0 * x**2 + x),
    "exp and log": lambda n, x: n.sum(n.exp(-x) * n.log(x) + n.log1p(x) * n.expm1(x)),
    "trigonometric": lambda n, x: n.sum(n.sin(x) * n.cos(x) / n.tan(x + 0.1)),
    "inverse trigonometric": lambda n, x: n.sum(n.arctan(x) + n.arcsin(x / 2) * n.arccos(x / 2)),
    "hyperbolic": lambda n, x: n.sum(n.tanh(x) * n.sinh(x) + n.cosh(x)),
    "power": lambda n, x: n.sum(x ** x[0] + 2.0**x),
    "sqrt and division": lambda n, x: n.sum(n.sqrt(x) / (1.0 + x * x)),
    "absolute and sign": lambda n, x: n.sum(n.abs(x - 0.7) * n.sign(x - 0.9)),
    "maximum": lambda n, x: n.sum(n.maximum(x, 0.7) + n.minimum(x, x[1])),
    "where": lambda n, x: n.sum(n.where(x > 0.7, n.exp(x), x**2)),
    "mean and var": lambda n, x: n.mean(x) * n.var(x) + n.std(x),
    "prod": lambda n, x: n.prod(x) + n.sum(n.cumsum(x) ** 2),
    "max and min": lambda n, x: n.max(x) * n.min(x),
    "softmax": lambda n, x: n.sum(n.exp(x) / n.sum(n.exp(x)) * n.arange(4.0)),
    "quadratic form": lambda n, x: n.dot(x, n.dot(A, x)),
    "outer and trace": lambda n, x: n.trace(n.dot(n.outer(x, x), A)),
    "einsum": lambda n, x: n.einsum("i,ij,j->", x, A, x),
    "indexing": lambda n, x: n.sum(x[1:] * x[:-1]) + x[-1] ** 2 + n.sum(x[::-2]),
    "fancy indexing": lambda n, x: n.sum(x[np.array([0, 0, 3])] ** 2),
    "reshape and transpose": lambda n, x: n.sum(
        n.dot(n.reshape(x, (2, 2)).T, n.reshape(x, (2, 2)))
    ),
    "concatenate and stack": lambda n, x: (
        n.sum(n.concatenate([x, x**2]) ** 2) + n.sum(n.stack([x, x]))
    ),
    "broadcasting": lambda n, x: n.sum(n.expand_dims(x, 1) * A + x / n.sum(x)),
    "repeat, tile and roll": lambda n, x: n.sum(n.tile(x, 2) ** 2) + n.sum(n.roll(x, 1) * x),
    "solve": lambda n, x: n.sum(n.linalg.solve(A + n.diag(x) * 9.0, x)),
    "log determinant": lambda n, x: n.linalg.slogdet(n.dot(A.T, A) + n.diag(x))[1],
    "cholesky": lambda n, x: n.sum(n.linalg.cholesky(n.dot(A.T, A) + n.diag(x)) ** 3),
    "logaddexp": lambda n, x: n.sum(n.logaddexp(x, -x)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_gradients_are_those_of_autograd(name: str) -> None:
    function = PAIRS[name]
    value, found = value_and_grad(lambda x: function(bnp, x))(X)
    np.testing.assert_allclose(value, function(anp, X), rtol=1e-12)
    wanted = autograd.grad(lambda x: function(anp, x))(X)
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-10)


@pytest.mark.filterwarnings("ignore:Output seems independent of input")
@pytest.mark.parametrize("name", sorted(set(PAIRS) - {"cholesky"}))
def test_hessians_are_those_of_autograd(name: str) -> None:
    """Without `cholesky`, whose derivative autograd makes symmetric."""
    function = PAIRS[name]
    found = hessian(lambda x: function(bnp, x))(X)
    wanted = autograd.jacobian(autograd.grad(lambda x: function(anp, x)))(X)
    np.testing.assert_allclose(found, wanted, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", ["lgamma", "digamma", "erf"])
def test_special_functions(name: str) -> None:
    other = {"lgamma": asp.gammaln, "digamma": asp.digamma, "erf": asp.erf}[name]
    found = grad(lambda x: bnp.sum(getattr(special, name)(x)))(X)
    np.testing.assert_allclose(found, autograd.grad(lambda x: anp.sum(other(x)))(X), rtol=1e-9)


def test_numpy_functions_themselves_are_differentiated() -> None:
    found = grad(lambda x: np.sum(np.exp(x) * np.where(x > 0.7, x, 0.0)))(X)
    np.testing.assert_allclose(found, np.where(X > 0.7, np.exp(X) * (1 + X), 0.0), rtol=1e-13)


# --- points where a branch not taken has no derivative ----------------------------------------

SAFE = {
    "sqrt": (lambda x: bnp.where(x > 0, bnp.sqrt(x), 0.0), 0.0),
    "log": (lambda x: bnp.where(x > 0, bnp.log(x), 0.0), 0.0),
    "division": (lambda x: bnp.where(x > 0, 1.0 / x, 0.0), 0.0),
    "power": (lambda x: bnp.where(x > 0, bnp.power(x, -0.5), 0.0), 0.0),
    "log1p": (lambda x: bnp.where(x > -1, bnp.log1p(x), 0.0), -1.0),
    "arccosh": (lambda x: bnp.where(x > 1, bnp.arccosh(x), 0.0), 1.0),
}


@pytest.mark.parametrize("name", SAFE)
def test_branches_not_taken_leave_no_nan(name: str) -> None:
    function, point = SAFE[name]
    assert grad(function)(point) == 0.0
    assert jvp(function, (point,), (1.0,))[1] == 0.0
    assert hessian(function)(point) == 0.0
    assert grad(grad(function))(point) == 0.0


def test_ties_are_shared() -> None:
    np.testing.assert_array_equal(grad(bnp.max)(np.array([1.0, 3.0, 3.0])), [0.0, 0.5, 0.5])
    assert [float(g) for g in grad(bnp.maximum, (0, 1))(2.0, 2.0)] == [0.5, 0.5]


def test_prod_with_zeros() -> None:
    np.testing.assert_array_equal(grad(bnp.prod)(np.array([0.0, 2.0, 3.0])), [6.0, 0.0, 0.0])


def test_logsumexp_at_minus_infinity() -> None:
    found = grad(bnp.logsumexp)(np.array([-np.inf, 0.0]))
    np.testing.assert_array_equal(found, [0.0, 1.0])


# --- nesting ----------------------------------------------------------------------------------


def test_third_derivative() -> None:
    np.testing.assert_allclose(grad(grad(grad(bnp.sin)))(0.3), -np.cos(0.3), rtol=1e-14)


def test_vmap_of_grad_and_grad_of_vmap() -> None:
    def f(x):
        return bnp.sin(x) * x**2

    np.testing.assert_allclose(vmap(grad(f))(X), [grad(f)(x) for x in X], rtol=1e-13)
    found = grad(lambda x: vmap(f)(x).sum())(X)
    np.testing.assert_allclose(found, vmap(grad(f))(X), rtol=1e-13)


def test_jacobian_of_grad_is_the_hessian_in_every_mode() -> None:
    def f(x):
        return PAIRS["einsum"](bnp, x) * bnp.exp(x[0])

    full = hessian(f)(X)
    for mode in (None, "forward", "reverse"):
        np.testing.assert_allclose(jacobian(grad(f), mode=mode)(X), full, rtol=1e-11)
    np.testing.assert_allclose(hvp(f, (X,), (A[0],)), full @ A[0], rtol=1e-11)


def test_jacobians_of_matrices() -> None:
    def f(x):
        return bnp.outer(x, x**2)

    wanted = autograd.jacobian(lambda x: anp.outer(x, x**2))(X)
    for mode in (None, "forward", "reverse"):
        np.testing.assert_allclose(jacobian(f, mode=mode)(X), wanted, rtol=1e-13)
    np.testing.assert_allclose(jacobian(lambda a, x: a @ x, argnums=-1)(A, X), A)


def test_hvp_of_several_arguments() -> None:
    def f(x, y):
        return (x * y * y).sum()

    v, w = np.arange(4.0), np.ones(4)
    first, second = hvp(f, (X, 2 * X), (v, w))
    np.testing.assert_allclose(first, 2 * (2 * X) * w)
    np.testing.assert_allclose(second, 4 * X * v + 2 * X * w)


# --- closures, arguments, containers ----------------------------------------------------------


def test_closures_over_outer_arrays() -> None:
    """∂/∂x of x · ∂/∂y (x y²) = 2 x² y: the inner gradient is taken of a captured value."""

    def f(x):
        return x * grad(lambda y: x * y**2)(3.0)

    assert grad(f)(2.0) == 4 * 2.0 * 3.0
    (inside,) = evaluate(trace(grad(f), 2.0).program, np.float64(2.0))
    assert inside == 24.0


def test_perturbations_are_not_confused() -> None:
    """d/dx [x · d/dy (x + y)] = 1, where one tangent for both would give 2."""
    found = jvp(lambda x: x * jvp(lambda y: x + y, (1.0,), (1.0,))[1], (1.0,), (1.0,))[1]
    assert found == 1.0


def test_argnums_keywords_and_containers() -> None:
    def f(p, scale, *, shift):
        return (p["a"] * p["b"][0]).sum() * scale + shift

    p = {"a": X, "b": (2.0, None)}
    value, (gp, gs) = value_and_grad(f, argnums=(0, 1))(p, 3.0, shift=1.0)
    np.testing.assert_allclose(value, 6 * X.sum() + 1)
    np.testing.assert_allclose(gp["a"], np.full(4, 6.0))
    np.testing.assert_allclose(gp["b"][0], 3 * X.sum())
    assert gp["b"][1] is None
    np.testing.assert_allclose(gs, 2 * X.sum())


def test_arguments_without_influence() -> None:
    assert grad(lambda x: 3.0)(2.0) == 0.0
    assert grad(lambda x: bnp.floor(x) + bnp.sign(x))(2.5) == 0.0
    np.testing.assert_array_equal(grad(lambda x: bnp.argmax(x) * 1.0)(X), np.zeros(4))


def test_stop_gradient() -> None:
    assert grad(lambda x: x * bnp.stop_gradient(x))(3.0) == 3.0
    assert jvp(lambda x: x * bnp.stop_gradient(x), (3.0,), (1.0,))[1] == 3.0


def test_vjp_and_jvp_of_tuples() -> None:
    value, pullback = vjp(lambda x, y: {"s": x * y, "t": (x, None)}, 2.0, 3.0)
    assert (float(value["s"]), float(value["t"][0])) == (6.0, 2.0)
    assert [float(g) for g in pullback({"s": 1.0, "t": (10.0, None)})] == [13.0, 2.0]
    _, dots = jvp(lambda x, y: (x * y, x), (2.0, 3.0), (1.0, 10.0))
    assert [float(d) for d in dots] == [23.0, 1.0]


def test_single_precision_stays_single() -> None:
    with bnp.using_dtype(np.float32):
        x = X.astype(np.float32)
        value, found = value_and_grad(lambda v: (bnp.exp(v) * 2.0 + 1).sum())(x)
    assert (value.dtype, found.dtype) == (np.float32, np.float32)


def test_python_branches_on_values() -> None:
    assert grad(lambda x: x * x if x > 0 else -x)(-2.0) == -1.0
    assert grad(grad(lambda x: x**3 if x > 0 else -x))(2.0) == 12.0
    with pytest.raises(ConcreteError, match="a Python `if`"):
        vmap(lambda x: x if x > 0 else -x)(X)


def test_float_would_lose_the_derivative() -> None:
    with pytest.raises(ConcreteError, match=r"float\(\) needs a number"):
        grad(lambda x: x * float(x))(2.0)


# --- control flow -----------------------------------------------------------------------------


@pytest.mark.parametrize("x", [0.5, -0.5])
def test_through_cond(x: float) -> None:
    def f(v):
        return cond(v > 0, lambda a: bnp.sin(a) * v, lambda a: a**3, v)

    wanted = np.cos(x) * x + np.sin(x) if x > 0 else 3 * x**2
    second = 2 * np.cos(x) - x * np.sin(x) if x > 0 else 6 * x
    np.testing.assert_allclose(grad(f)(x), wanted, rtol=1e-13)
    np.testing.assert_allclose(jvp(f, (x,), (1.0,))[1], wanted, rtol=1e-13)
    np.testing.assert_allclose(hessian(f)(x), second, rtol=1e-12)
    np.testing.assert_allclose(vmap(grad(f))(np.array([x, -x])), [grad(f)(x), grad(f)(-x)])


@pytest.mark.parametrize("reverse", [False, True])
def test_through_scan(reverse: bool) -> None:
    def ours(x):
        carry, ys = scan(lambda c, v: (bnp.sin(c) * v + x[0], c * v), 0.5, x, reverse=reverse)
        return carry + (ys**2).sum()

    def plain(x):
        c, total = 0.5, 0.0
        for i in reversed(range(4)) if reverse else range(4):
            total = total + (c * x[i]) ** 2
            c = anp.sin(c) * x[i] + x[0]
        return c + total

    np.testing.assert_allclose(grad(ours)(X), autograd.grad(plain)(X), rtol=1e-12)
    np.testing.assert_allclose(
        jacobian(ours, mode="forward")(X), autograd.grad(plain)(X), rtol=1e-12
    )
    np.testing.assert_allclose(hessian(ours)(X), autograd.hessian(plain)(X), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        jacobian(grad(ours), mode="reverse")(X), autograd.hessian(plain)(X), rtol=1e-9, atol=1e-12
    )


def test_through_a_counted_loop_with_integers() -> None:
    def f(x):
        return fori_loop(0, 3, lambda i, c: c * x + bnp.astype(i, float), 1.0)

    np.testing.assert_allclose(grad(f)(2.0), 3 * 4.0 + 1.0)  # x³ + x + 2


def test_forward_through_while() -> None:
    def newton(a):
        return while_loop(lambda x: abs(x * x - a) > 1e-12, lambda x: 0.5 * (x + a / x), 1.0)

    np.testing.assert_allclose(jvp(newton, (2.0,), (1.0,))[1], 0.5 / np.sqrt(2.0), rtol=1e-6)
    assert np.shape(jacobian(newton, mode="forward")(2.0)) == ()


def test_reverse_through_while_is_refused() -> None:
    def f(x):
        return while_loop(lambda v: v < 9.0, lambda v: v * 2.0, x)  # the loop

    with pytest.raises(TraceError) as caught:
        grad(f)(1.0)
    text = str(caught.value)
    assert "reverse mode cannot go through `while_loop`" in text
    assert "[T105]" in text
    assert "# the loop" in text


def test_while_without_a_derivative_may_stand_in_a_gradient() -> None:
    def f(x):
        steps = while_loop(lambda c: c[0] < 9.0, lambda c: (c[0] * 2.0, c[1] + 1), (x, 0))[1]
        stopped = while_loop(lambda v: v < 9.0, lambda v: v * 2.0, bnp.stop_gradient(x))
        return x * steps * stopped

    assert grad(f)(1.0) == 4 * 16.0


def test_through_cholesky_and_triangular_solve() -> None:
    """log N(y | 0, K) by its Cholesky factor, against the closed form of its gradient."""
    y, eye = np.arange(4.0), np.eye(4)

    def f(k):
        factor = linalg.cholesky(k)
        z = linalg.triangular_solve(factor, y)
        return -0.5 * (z**2).sum() - bnp.log(bnp.diagonal(factor)).sum()

    k = A @ A.T + 2 * eye
    found = grad(f)(k)
    inverse = np.linalg.inv(k)
    wanted = 0.5 * (np.outer(inverse @ y, inverse @ y) - inverse)
    np.testing.assert_allclose(found + found.T, 2 * wanted, rtol=1e-9, atol=1e-12)


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize("result", [lambda x: x * 1.0, lambda x: (x.sum(),), lambda x: None])
def test_gradients_are_of_one_number(result: Any) -> None:
    with pytest.raises(ShapeError, match="returns one number") as caught:
        grad(result)(X)
    assert "[T112]" in str(caught.value)


def test_gradients_are_of_floats() -> None:
    with pytest.raises(DtypeError, match="a float argument"):
        grad(lambda x: x * 1.0)(3)
    with pytest.raises(DtypeError, match="a float result"):
        grad(lambda x: bnp.argmax(x))(X)


def test_shapes_of_tangents_and_cotangents() -> None:
    with pytest.raises(ShapeError, match="tangents of the shapes"):
        jvp(bnp.sin, (X,), (X[:2],))
    with pytest.raises(ShapeError, match="cotangent of the shape"):
        vjp(bnp.sin, X)[1](1.0)


def test_modes_of_jacobian() -> None:
    with pytest.raises(ArgumentError, match="no mode 'backward'"):
        jacobian(bnp.sin, mode="backward")
