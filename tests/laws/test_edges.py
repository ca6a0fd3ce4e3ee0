"""Derivatives where a formula divides by zero, ties, or is not taken: the conventions, and why.

Where the function has a derivative the test is against it; where it has none the number is the
convention that docs/design/0003-derivatives-at-edges.md states.
"""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl._base.errors import ShapeError
from bayesdl.ir.types import parse_type
from bayesdl.ops import numpy as bnp
from bayesdl.ops import special
from bayesdl.ops import structural as st
from bayesdl.ops._trace import trace_flat
from bayesdl.transform.derived import grad, hessian, jvp

INF, NAN = np.inf, np.nan


def both(function, x, wanted):
    """Reverse mode gives `wanted`, and forward mode the same, column by column."""
    x, wanted = np.asarray(x, float), np.asarray(wanted, float)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(grad(function)(x), wanted, rtol=1e-12, atol=1e-12)
        basis = np.eye(x.size).reshape(x.size, *x.shape)
        columns = [jvp(function, (x,), (e,))[1] for e in basis]
    np.testing.assert_allclose(np.reshape(columns, x.shape), wanted, rtol=1e-12, atol=1e-12)


TAKEN = {
    "log": (lambda x: bnp.where(x > 0.0, bnp.log(x), 2.0 * x), -1.0, 2.0),
    "sqrt": (lambda x: bnp.where(x > 0.0, bnp.sqrt(x), 2.0 * x), -1.0, 2.0),
    "division": (lambda x: bnp.where(x != 0.0, bnp.sin(x) / x, 1.0), 0.0, 0.0),
    "exp": (lambda x: bnp.where(x > 0.0, x, bnp.exp(x)), 1000.0, 1.0),
    "exp of a square": (lambda x: bnp.where(x > 0.0, x, bnp.exp(bnp.square(x))), 1000.0, 1.0),
    "product": (lambda x: bnp.where(x > 0.0, x * bnp.log(x), 0.0), 0.0, 0.0),
    "product outside": (lambda x: bnp.where(x > 0.0, x * bnp.log(x), x), -1.0, 1.0),
    "power": (lambda x: bnp.where(x > 0.0, x**-2.0 * x, x), 0.0, 1.0),
    "sinh": (lambda x: bnp.where(x < 1.0, bnp.sinh(x) * x, x), 2000.0, 1.0),
    "nested": (
        lambda x: bnp.where(x > 0.0, bnp.where(x > -1.0, bnp.exp(-1.0 / x) * x, x), x),
        0.0,
        1.0,
    ),
    "maximum": (lambda x: bnp.sqrt(bnp.maximum(x, 0.0)), -1.0, 0.0),
    "maximum of a product": (lambda x: bnp.maximum(x * bnp.log(x), 1.0), 0.0, 0.0),
    "clip": (lambda x: bnp.log(bnp.clip(x, 0.0, 1.0)), -3.0, 0.0),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", TAKEN)
def test_a_branch_that_is_not_taken_moves_nothing(name: str) -> None:
    function, x, wanted = TAKEN[name]
    # An array, so that plain Python arithmetic does not refuse 0/0 before it is traced.
    both(lambda v: function(v).sum(), np.array([x]), np.array([wanted]))


def test_where_over_rows_keeps_the_rows_apart() -> None:
    x = np.array([0.0, 0.5, 2.0, -1.0])
    both(
        lambda v: bnp.where(v > 0.0, v * bnp.log(v), v**2).sum(),
        x,
        np.where(x > 0.0, np.log(np.where(x > 0.0, x, 1.0)) + 1.0, 2.0 * x),
    )


def test_second_derivatives_of_a_choice() -> None:
    f = grad(lambda x: bnp.where(x > 0.0, x, bnp.exp(x)))
    assert float(grad(f)(1000.0)) == 0.0
    np.testing.assert_allclose(grad(f)(-1.0), np.exp(-1.0), rtol=1e-14)


def test_a_product_without_a_choice_is_not_guarded() -> None:
    # What follows a `where` is guarded, all else is not: 0 · ∞ stays visible.
    assert np.isnan(grad(lambda x: bnp.exp(x[0]) * x[1])(np.array([1000.0, 0.0]))[0])


LOGSUMEXP = {
    "none": ([-INF, -INF], [0.0, 0.0]),
    "one": ([-INF, 0.0], [0.0, 1.0]),
    "equal": ([1.0, 1.0], [0.5, 0.5]),
    "far": ([-1e300, 1e300], [0.0, 1.0]),
}


@pytest.mark.parametrize("name", LOGSUMEXP)
def test_logsumexp(name: str) -> None:
    x, wanted = LOGSUMEXP[name]
    both(bnp.logsumexp, x, wanted)


def test_logsumexp_of_rows_of_which_one_is_impossible() -> None:
    # A mixture or a forward algorithm with a state that cannot be reached.
    x = np.array([[-INF, -INF], [0.0, 0.0]])
    both(lambda v: bnp.logsumexp(v, axis=1)[1], x, [[0.0, 0.0], [0.5, 0.5]])
    assert np.isneginf(bnp.logsumexp(x, axis=1)[0])
    both(lambda v: bnp.logsumexp(bnp.log(v)), [0.0, 0.0], [0.0, 0.0])
    assert np.isfinite(hessian(bnp.logsumexp)(x[0])).all()


def test_logaddexp_shares_a_tie() -> None:
    for x in ([1.0, 1.0], [-INF, -INF]):
        both(lambda v: bnp.logaddexp(v[0], v[1]), x, [0.5, 0.5])
    both(lambda v: bnp.logaddexp(v[0], v[1]), [-INF, 0.0], [0.0, 1.0])


POWER = {
    "zero squared": ([0.0, 2.0], [0.0, 0.0]),
    "zero to the one": ([0.0, 1.0], [1.0, 0.0]),
    "zero to the zero": ([0.0, 0.0], [0.0, 0.0]),
    "root of zero": ([0.0, 0.5], [INF, 0.0]),
    "one": ([1.0, 3.0], [3.0, 0.0]),
    "negative base": ([-2.0, 3.0], [12.0, NAN]),
}


@pytest.mark.parametrize("name", POWER)
def test_power(name: str) -> None:
    x, wanted = POWER[name]
    both(lambda v: bnp.power(v[0], v[1]), x, wanted)


@pytest.mark.parametrize(("exponent", "slope"), [(2, 0.0), (1, 1.0), (0, 0.0), (1.5, 0.0)])
def test_a_fixed_power_of_zero(exponent: float, slope: float) -> None:
    both(lambda v: (v**exponent).sum(), [0.0], [slope])


def test_second_derivative_of_a_power_at_zero() -> None:
    f = grad(grad(lambda x: bnp.power(x, np.array(2.0))))
    assert float(f(0.0)) == 2.0


def test_roots_at_zero() -> None:
    both(bnp.sqrt, 0.0, INF)
    # Lengths take the shortest subgradient, the root of a square alone does not know better.
    for length in (
        lambda v: bnp.linalg.norm(v),
        lambda v: bnp.hypot(v[0], v[1]),
        lambda v: bnp.std(v),
        lambda v: bnp.abs(v).sum(),
    ):
        both(length, [0.0, 0.0], [0.0, 0.0])
    both(lambda v: bnp.hypot(v[0], v[1]), [3.0, -4.0], [0.6, -0.8])
    both(bnp.std, [1.0, 3.0], [-0.5, 0.5])
    assert np.isnan(grad(lambda x: bnp.sqrt(bnp.square(x)))(0.0))


def test_hypot_of_integers_is_a_float() -> None:
    assert float(bnp.hypot(3, 4)) == 5.0


def test_x_log_x() -> None:
    assert float(special.xlogy(0.0, 0.0)) == 0.0
    both(lambda v: special.xlogy(v[0], v[1]), [0.0, 0.0], [0.0, 0.0])
    both(lambda v: special.xlogy(v[0], v[1]), [0.0, 2.0], [np.log(2.0), 0.0])
    both(lambda v: special.xlogy(v[0], v[1]), [3.0, 2.0], [np.log(2.0), 1.5])
    both(lambda v: special.xlog1py(v[0], v[1]), [0.0, -1.0], [0.0, 0.0])


def test_products_with_zeros() -> None:
    both(bnp.prod, [0.0, 2.0, 3.0], [6.0, 0.0, 0.0])
    both(bnp.prod, [0.0, 0.0, 3.0], [0.0, 0.0, 0.0])
    both(lambda v: bnp.cumprod(v).sum(), [2.0, 0.0, 3.0], [1.0, 8.0, 0.0])
    np.testing.assert_array_equal(
        hessian(bnp.prod)(np.array([0.0, 0.0, 3.0])), [[0, 3, 0], [3, 0, 0], [0, 0, 0]]
    )


def test_running_sums_pass_an_infinity_by() -> None:
    both(lambda v: bnp.cumsum(v)[0], [2.0, INF, 3.0], [1.0, 0.0, 0.0])


def test_ties_are_shared() -> None:
    both(bnp.max, [1.0, 1.0, 0.0], [0.5, 0.5, 0.0])
    both(bnp.min, [1.0, 1.0, 2.0], [0.5, 0.5, 0.0])
    both(lambda v: bnp.maximum(v[0], v[1]), [1.0, 1.0], [0.5, 0.5])
    both(lambda v: bnp.maximum(v, 0.0).sum(), [0.0], [0.5])
    both(lambda v: bnp.clip(v, 0.0, 1.0).sum(), [0.0], [0.5])
    # A stable sort takes one order, so each element keeps its own weight.
    both(lambda v: (bnp.sort(v) * np.array([1.0, 2.0, 3.0])).sum(), [1.0, 1.0, 0.0], [2, 3, 1])


def test_an_extremum_does_not_look_at_what_lost() -> None:
    # log has an infinite tangent at 0, and that element is not the largest.
    both(lambda v: bnp.max(bnp.log(v)), [0.0, 2.0], [0.0, 0.5])
    both(lambda v: bnp.sqrt(bnp.min(v)), [4.0, 9.0], [0.25, 0.0])


@pytest.mark.parametrize("x", [np.zeros((2, 2)), np.ones((2, 2))])
def test_the_derivative_of_a_singular_determinant_is_not_known(x: np.ndarray) -> None:
    assert np.isnan(grad(bnp.linalg.det)(x)).all()


def test_python_numbers_alone() -> None:
    assert float(special.log_sigmoid(-1000.0)) == -1000.0
    assert float(special.xlogy(2.0, 1.0)) == 0.0


@pytest.mark.parametrize("indices", ["i64[4,0]", "i64[4,3]", "i32[4,1]", "i64[]"])
def test_indices_that_do_not_index_are_refused(indices: str) -> None:
    x, i = parse_type("f64[3,2]"), parse_type(indices)
    with pytest.raises(ShapeError, match="rows of 64-bit indices"):
        trace_flat(lambda a, b: [st.gather(a, b)], [x, i], "f")
    with pytest.raises(ShapeError, match="rows of 64-bit indices"):
        trace_flat(lambda a, b: [st.scatter_add(a, b, a)], [x, i], "f")


def test_updates_that_do_not_fit_are_refused() -> None:
    types = [parse_type(t) for t in ("f64[3,2]", "i64[4,1]", "f64[4]")]
    with pytest.raises(ShapeError, match="do not fit its indices"):
        trace_flat(lambda a, b, c: [st.scatter_add(a, b, c)], types, "f")
