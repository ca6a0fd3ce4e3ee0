"""Factorisations on both sides of the size where LAPACK takes over, and without an answer."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl.ir.text import from_text
from bayesdl.lower.llvm import compile_program, factors

SIZES = [1, 2, 5, factors.SMALL, factors.SMALL + 1, 90]


def definite(n: int, *lead: int) -> np.ndarray:
    root = np.random.default_rng(n).normal(size=(*lead, n, n))
    return root @ np.swapaxes(root, -1, -2) + n * np.eye(n)


def cholesky(n: int, dtype: str = "f64") -> str:
    return (
        f"program f(%a: {dtype}[2,{n},{n}]):\n  %b: {dtype}[2,{n},{n}] = cholesky %a\n  return %b"
    )


@pytest.mark.parametrize("n", SIZES)
def test_cholesky_reads_the_lower_triangle(n: int) -> None:
    a = definite(n, 2)
    spoilt = np.tril(a) + np.triu(np.full((n, n), np.nan), 1) if n > 1 else a
    (factor,) = compile_program(from_text(cholesky(n)))(spoilt)
    np.testing.assert_allclose(factor @ np.swapaxes(factor, 1, 2), a, rtol=1e-12, atol=1e-12)
    assert not np.triu(factor, 1).any()


@pytest.mark.parametrize("n", SIZES)
def test_cholesky_of_no_definite_matrix_is_nan(n: int) -> None:
    """Only for the matrix of the batch that is not; for a zero, a negative and a NaN pivot."""
    executable = compile_program(from_text(cholesky(n)))
    for bad in (0.0, -1.0, np.nan):
        a = definite(n, 2)
        a[1, n // 2, n // 2] = bad
        (factor,) = executable(a)
        assert np.isfinite(factor[0]).all()
        assert np.isnan(factor[1]).all()


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("columns", [1, 4])
@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("turned", [True, False])
def test_triangular_solve(same, n: int, columns: int, lower: bool, turned: bool) -> None:
    """The other triangle is not read."""
    a = definite(n, 2) / n
    keep = np.tril if lower else np.triu
    a = np.where(keep(np.ones((n, n))) != 0, a, np.nan)
    words = f"lower={str(lower).lower()} transpose={str(turned).lower()}"
    text = f"""program f(%a: f64[2,{n},{n}], %b: f64[2,{n},{columns}]):
  %x: f64[2,{n},{columns}] = triangular_solve %a %b {words}
  return %x"""
    b = np.random.default_rng(0).normal(size=(2, n, columns))
    (x,) = compile_program(from_text(text))(a, b)
    operator = np.swapaxes(keep(a), 1, 2) if turned else keep(a)
    operator = np.nan_to_num(operator)
    np.testing.assert_allclose(operator @ x, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n", [1, 3, 60])
@pytest.mark.parametrize("dtype", ["f64", "f32"])
def test_solve_and_determinant(same, n: int, dtype: str) -> None:
    rng = np.random.default_rng(n)
    text = f"""program f(%a: {dtype}[3,{n},{n}], %b: {dtype}[3,{n},2]):
  %x: {dtype}[3,{n},2] = solve %a %b
  %s: {dtype}[3], %l: {dtype}[3] = slogdet %a
  return %x %s %l"""
    same(
        text,
        rng.normal(size=(3, n, n)) + np.eye(n),
        rng.normal(size=(3, n, 2)),
        rtol=1e-9,
        atol=1e-9,
    )


def test_singular_matrices(same) -> None:
    a = np.array([[[1.0, 2.0], [2.0, 4.0]], [[0.0, 1.0], [1.0, 0.0]]])
    text = """program f(%a: f64[2,2,2], %b: f64[2,2,1]):
  %x: f64[2,2,1] = solve %a %b
  %s: f64[2], %l: f64[2] = slogdet %a
  return %x %s %l"""
    x, sign, logarithm = same(text, a, np.ones((2, 2, 1)))
    assert np.isnan(x[0]).all()
    assert sign.tolist() == [0.0, -1.0]
    assert logarithm.tolist() == [-np.inf, 0.0]


@pytest.mark.parametrize("n", [1, 3, 60])
@pytest.mark.parametrize("dtype", ["f64", "f32"])
def test_eigenvalues(same, n: int, dtype: str) -> None:
    """Of a random matrix, and of one that is not finite."""
    a = np.random.default_rng(n).normal(size=(3, n, n))
    a[1, -1, 0] = np.inf
    text = f"""program f(%a: {dtype}[3,{n},{n}]):
  %w: {dtype}[3,{n}], %v: {dtype}[3,{n},{n}] = eigh %a
  return %w %v"""
    values, _ = same(text, a, rtol=1e-9, atol=1e-9)
    assert np.isnan(values[1]).all()
