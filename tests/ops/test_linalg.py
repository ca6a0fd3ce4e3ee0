"""What the laws cannot know of linear algebra: edges, special matrices, the surface."""

from __future__ import annotations

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

from bayesdl._base.errors import DtypeError, ShapeError
from bayesdl.ir.types import ArrayType
from bayesdl.ops import linalg
from bayesdl.ops._bind import evaluate
from bayesdl.ops._trace import trace_flat
from bayesdl.ops.linalg.factor import solve_columns
from bayesdl.transform.jvp import jvp_program
from bayesdl.transform.vjp import vjp_program
from bayesdl.transform.vmap import vmap_program

F64 = np.dtype(np.float64)


def definite(n: int, seed: int = 0) -> np.ndarray:
    root = np.random.default_rng(seed).normal(size=(n, n))
    return root @ root.T + n * np.eye(n)


def gradient(function, x):
    program = trace_flat(lambda v: [function(v)], [ArrayType(x.shape, x.dtype)], "f")
    return evaluate(vjp_program(program, (True,)), x, np.float64(1.0))[1]


def test_dot_general_is_einsum(rng):
    x, y = rng.normal(size=(2, 5, 3)), rng.normal(size=(3, 4, 2, 5))
    found = linalg.dot_general(x, y, contract=((0, 2), (2, 0)), batch=((1,), (3,)))
    np.testing.assert_allclose(found, np.einsum("abc,cdab->bd", x, y), rtol=1e-13)


def test_dot_general_names_both_operands():
    with pytest.raises(ShapeError, match="contracted axes of different lengths"):
        trace_flat(
            lambda x, y: [linalg.dot_general(x, y, contract=((1,), (0,)), batch=((), ()))],
            [ArrayType((2, 3), F64), ArrayType((4, 2), F64)],
            "f",
        )
    with pytest.raises(DtypeError, match="two dtypes"):
        trace_flat(
            lambda x, y: [linalg.dot_general(x, y, contract=((0,), (0,)), batch=((), ()))],
            [ArrayType((2,), F64), ArrayType((2,), np.dtype(np.float32))],
            "f",
        )


def test_cholesky_reads_the_lower_triangle_only():
    a = definite(4)
    spoiled = np.tril(a) + np.triu(np.full((4, 4), np.nan), 1)
    np.testing.assert_array_equal(linalg.cholesky(spoiled), linalg.cholesky(a))
    assert np.all(np.triu(linalg.cholesky(a), 1) == 0.0)


def test_cholesky_of_an_indefinite_matrix_is_nan_and_spares_its_neighbours():
    stack = np.stack([definite(3), -definite(3), definite(3, seed=1)])
    found = linalg.cholesky(stack)
    assert np.all(np.isnan(found[1]))
    assert np.all(np.isfinite(found[[0, 2]]))


def test_singular_systems_are_nan():
    assert np.all(np.isnan(linalg.solve(np.ones((2, 2)), np.ones(2))))
    sign, logarithm = linalg.slogdet(np.ones((2, 2)))
    assert sign == 0.0
    assert logarithm == -np.inf


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda a: linalg.logdet(a), lambda a: anp.linalg.slogdet(a)[1]),
        (lambda a: linalg.det(a), lambda a: anp.linalg.det(a)),
        (lambda a: linalg.norm(linalg.inv(a)), lambda a: anp.sqrt(anp.sum(anp.linalg.inv(a) ** 2))),
        (
            lambda a: linalg.norm(linalg.cholesky(a)),
            lambda a: anp.sqrt(anp.sum(anp.linalg.cholesky(a) ** 2)),
        ),
        (
            lambda a: linalg.norm(linalg.solve(a, np.arange(4.0))),
            lambda a: anp.sqrt(anp.sum(anp.linalg.solve(a, np.arange(4.0)) ** 2)),
        ),
    ],
)
def test_gradients_of_symmetric_functions_are_those_of_autograd(ours, theirs):
    # Of a symmetric matrix one triangle is free, and a function that reads the lower one puts
    # the whole derivative there; so gradients are compared after both are made symmetric.
    a = definite(4)
    found, wanted = gradient(ours, a), autograd.grad(theirs)(a)
    np.testing.assert_allclose(found + found.T, wanted + wanted.T, rtol=1e-9, atol=1e-12)


def test_cho_solve_and_vectors(rng):
    a, b, c = definite(4), rng.normal(size=4), rng.normal(size=(4, 2))
    factor = linalg.cholesky(a)
    for right in (b, c):
        np.testing.assert_allclose(
            linalg.cho_solve(factor, right), np.linalg.solve(a, right), rtol=1e-10
        )
        np.testing.assert_allclose(linalg.solve(a, right), np.linalg.solve(a, right), rtol=1e-10)


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("transpose", [True, False])
def test_triangular_solve_reads_one_triangle(lower, transpose, rng):
    a, b = definite(4), rng.normal(size=(4, 2))
    triangle = np.tril(a) if lower else np.triu(a)
    wanted = np.linalg.solve(triangle.T if transpose else triangle, b)
    np.testing.assert_allclose(
        linalg.triangular_solve(a, b, lower=lower, transpose=transpose), wanted, rtol=1e-10
    )


def test_norm_at_zero_has_gradient_zero():
    np.testing.assert_array_equal(gradient(linalg.norm, np.zeros(3)), np.zeros(3))


def test_one_matrix_with_a_batch_of_right_hand_sides_is_factorised_once():
    program = trace_flat(
        lambda a, b: [solve_columns(a, b)], [ArrayType((3, 3), F64), ArrayType((3, 2), F64)], "f"
    )
    batched, _ = vmap_program(program, (False, True), 5, None)
    (solve,) = (e for e in batched.equations if e.primitive.name == "solve")
    assert solve.inputs[1].type.shape == (3, 10)


def test_forward_derivative_of_cholesky_ignores_the_upper_triangle(rng):
    program = trace_flat(lambda a: [linalg.cholesky(a)], [ArrayType((3, 3), F64)], "f")
    derived = jvp_program(program, (True,))
    tangent = rng.normal(size=(3, 3))
    found = [evaluate(derived, definite(3), t)[1] for t in (tangent, np.tril(tangent))]
    np.testing.assert_array_equal(*found)


def test_not_square_is_refused():
    with pytest.raises(ShapeError, match="needs square matrices"):
        trace_flat(lambda a: [linalg.cholesky(a)], [ArrayType((2, 3), F64)], "f")
    with pytest.raises(ShapeError, match="right-hand side"):
        trace_flat(
            lambda a, b: [linalg.solve(a, b)], [ArrayType((2, 2), F64), ArrayType((3,), F64)], "f"
        )


def test_eigenvectors_rebuild_the_matrix_and_the_lower_triangle_alone_is_read():
    a = definite(4)
    spoiled = np.tril(a) + np.triu(np.full((4, 4), np.nan), 1)
    values, vectors = linalg.eigh(spoiled)
    np.testing.assert_allclose((vectors * values) @ vectors.T, a, rtol=1e-12)
    assert (np.diff(values) > 0.0).all()


def test_eigenvalues_of_what_is_not_finite_are_nan_and_spare_their_neighbours():
    values, vectors = linalg.eigh(np.stack([definite(3), np.full((3, 3), np.nan)]))
    assert np.isfinite(values[0]).all()
    assert np.isnan(values[1]).all()
    assert np.isnan(vectors[1]).all()


def test_equal_eigenvalues_have_a_finite_derivative():
    found = gradient(lambda a: linalg.norm(linalg.eigh(a)[0]), np.eye(3))
    np.testing.assert_allclose(found, np.eye(3) / np.sqrt(3.0))
