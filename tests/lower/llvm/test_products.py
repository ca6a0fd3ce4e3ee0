"""Products of every layout and size, in our own tiles and in BLAS."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl.ir.text import from_text
from bayesdl.lower.llvm import emitted_text, products
from bayesdl.lower.llvm.fuse import Fusion, Products
from bayesdl.lower.llvm.matrix import cover, share

SIZES = [(1, 1, 2), (2, 3, 2), (4, 7, 12), (5, 10, 13), (9, 3, 50), (33, 17, 26), (353, 10, 7)]
SIZES += [(m, 8, n) for m in (5, 6, 7, 14) for n in (3, 9, 12, 50)]
SIZES += [(7, 9, n) for n in (4, 8, 16, 17, 24, 25, 36, 37, 41, 80)]


def text(m: int, k: int, n: int, left: bool, right: bool, dtype: str = "f64") -> str:
    x, y = (k, m) if left else (m, k), (n, k) if right else (k, n)
    return f"""program f(%x: {dtype}[{x[0]},{x[1]}], %y: {dtype}[{y[0]},{y[1]}]):
  %z: {dtype}[{m},{n}] = dot_general %x %y batch=((),()) contract=(({int(not left)}),({int(right)}))
  return %z"""


def operands(m: int, k: int, n: int, left: bool, right: bool) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(k, m) if left else (m, k)), rng.normal(size=(n, k) if right else (k, n))


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_layouts(same, registers, monkeypatch, size, left: bool, right: bool) -> None:
    monkeypatch.setattr(products, "LARGE", 10**12)
    for dtype in ("f64", "f32"):
        same(text(*size, left, right, dtype), *operands(*size, left, right), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_layouts_in_blas(same, monkeypatch, size, left: bool, right: bool) -> None:
    monkeypatch.setattr(products, "LARGE", 0)
    monkeypatch.setattr(products, "NEAR", dict.fromkeys(products.NEAR, -1))
    for dtype in ("f64", "f32"):
        same(text(*size, left, right, dtype), *operands(*size, left, right), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("cut", [cover, share])
def test_tiles_cover_an_axis_once(cut) -> None:
    for size in range(1, 40):
        for tile in range(1, 9):
            parts = cut(size, tile)
            ends = [a + i * w for a, w, n in parts for i in range(n)]
            widths = [w for _, w, n in parts for _ in range(n)]
            assert ends == [sum(widths[:i]) for i in range(len(widths))]
            assert sum(widths) == size
            assert 0 < min(widths) <= max(widths) <= tile
            assert cut is cover or max(widths) - min(widths) <= 1


@pytest.mark.parametrize("size", [(160, 160, 160), (64, 512, 128)], ids=str)
def test_large_ones_go_to_blas(avx2, size: tuple[int, int, int]) -> None:
    assert "call void @dgemm" in emitted_text(from_text(text(*size, False, False)))


@pytest.mark.parametrize("size", [(159, 160, 160), (4000, 50, 50), (20, 512, 128)], ids=str)
def test_small_and_long_ones_do_not(avx2, size: tuple[int, int, int]) -> None:
    assert "dgemm" not in emitted_text(from_text(text(*size, False, False)))


def test_wider_registers_keep_more_from_blas(registers) -> None:
    wide = registers.size == 64
    for size, turned, blas in (
        ((300, 300, 300), False, not wide),
        ((128, 1000, 100), False, not wide),
        ((128, 100, 1000), True, True),
        ((400, 400, 400), False, True),
    ):
        assert ("dgemm" in emitted_text(from_text(text(*size, False, turned)))) == blas, size


@pytest.mark.parametrize("size", [(3, 4), (353, 50), (1, 9), (9, 1)], ids=str)
def test_matrices_and_vectors(same, registers, size: tuple[int, int]) -> None:
    """Along rows and across them; the matrix is a fused value."""
    m, k = size
    rng = np.random.default_rng(0)
    for axis, n in ((1, k), (0, m)):
        for first in (True, False):
            names = "%y %v" if first else "%v %y"
            pair = f"(({axis}),(0))" if first else f"((0),({axis}))"
            same(
                f"""program f(%x: f64[{m},{k}], %v: f64[{n}]):
  %y: f64[{m},{k}] = sin %x
  %z: f64[{size[1 - axis]}] = dot_general {names} batch=((),()) contract={pair}
  return %z""",
                rng.normal(size=size),
                rng.normal(size=n),
            )


@pytest.mark.parametrize("blas", [False, True])
def test_batches_and_several_axes(same, monkeypatch, blas: bool) -> None:
    """Axes that cannot be walked through as one are rearranged first."""
    monkeypatch.setattr(products, "LARGE", 0 if blas else 10**12)
    monkeypatch.setattr(products, "NEAR", dict.fromkeys(products.NEAR, -1))
    rng = np.random.default_rng(0)
    same(
        """program f(%x: f64[2,5,3,4], %y: f64[3,6,2,5]):
  %z: f64[5,4,6] = dot_general %x %y batch=((1),(3)) contract=((0,2),(2,0))
  return %z""",
        rng.normal(size=(2, 5, 3, 4)),
        rng.normal(size=(3, 6, 2, 5)),
    )
    same(
        """program f(%x: f64[2,5,3], %y: f64[4,5,2]):
  %z: f64[2,3,4,2] = dot_general %x %y batch=((),()) contract=((1),(1))
  return %z""",
        rng.normal(size=(2, 5, 3)),
        rng.normal(size=(4, 5, 2)),
    )


def test_integers_wrap(same) -> None:
    big = np.full((2, 3), 2**62)
    same(text(2, 3, 2, False, False, "i64"), big, big.T)
    same(text(2, 3, 2, False, True, "u32"), np.full((2, 3), 2**31), np.full((2, 3), 3))


def test_an_outer_product_is_part_of_a_loop(same, avx2) -> None:
    program = """program f(%x: f64[3], %y: f64[40]):
  %z: f64[3,40] = dot_general %x %y batch=((),()) contract=((),())
  %s: f64[3] = reduce_sum %z axes=(1)
  return %s"""
    assert emitted_text(from_text(program)).count("\nloop") == 2
    same(program, np.arange(3.0), np.arange(40.0))


@pytest.mark.parametrize(
    "size", [(1, 9), (9, 1), (3, 8), (8, 8), (17, 9), (50, 25), (13, 101)], ids=str
)
@pytest.mark.parametrize("dtype", ["f64", "f32"])
def test_kernels_of_a_matrix_and_a_vector(
    same, registers, size: tuple[int, int], dtype: str
) -> None:
    """Along rows and across them, batched and not, the vector on either side."""
    m, k = size
    rng = np.random.default_rng(1)
    for axis, n in ((1, k), (0, m)):
        for names, pair in (("%x %v", f"(({axis}),(0))"), ("%v %x", f"((0),({axis}))")):
            same(
                f"""program f(%x: {dtype}[{m},{k}], %v: {dtype}[{n}]):
  %z: {dtype}[{size[1 - axis]}] = dot_general {names} batch=((),()) contract={pair}
  return %z""",
                rng.normal(size=size),
                rng.normal(size=n),
                rtol=1e-11,
                atol=1e-11,
            )
        same(
            f"""program f(%x: {dtype}[3,{m},{k}], %v: {dtype}[{n},3]):
  %z: {dtype}[3,{size[1 - axis]}] = dot_general %x %v batch=((0),(1)) contract=(({axis + 1}),(0))
  return %z""",
            rng.normal(size=(3, m, k)),
            rng.normal(size=(n, 3)),
            rtol=1e-11,
            atol=1e-11,
        )


@pytest.mark.parametrize("columns", [8, 25, 100, 210])
def test_products_along_and_across_read_their_matrix_together(
    same, registers, columns: int
) -> None:
    program = f"""program f(%x: f64[19,{columns}], %v: f64[{columns}], %u: f64[19]):
  %a: f64[19] = dot_general %x %v batch=((),()) contract=((1),(0))
  %s: f64[] = reduce_sum %a axes=(0)
  %w: f64[19] = exp %u
  %b: f64[{columns}] = dot_general %w %x batch=((),()) contract=((0),(0))
  return %s %b"""
    (step,) = (s for s in Fusion(from_text(program)).steps if isinstance(s, Products))
    assert len(step.roots) == 2
    rng = np.random.default_rng(2)
    same(program, *(rng.normal(size=n) for n in ((19, columns), columns, 19)))


def test_products_that_need_each_other_stay_apart(same) -> None:
    program = """program f(%x: f64[19,9], %v: f64[9]):
  %a: f64[19] = dot_general %x %v batch=((),()) contract=((1),(0))
  %b: f64[9] = dot_general %a %x batch=((),()) contract=((0),(0))
  return %b"""
    steps = [s for s in Fusion(from_text(program)).steps if isinstance(s, Products)]
    assert [len(s.roots) for s in steps] == [1, 1]
    rng = np.random.default_rng(2)
    same(program, rng.normal(size=(19, 9)), rng.normal(size=9))


@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize("terms", [2, 3, 7])
def test_few_terms_and_few_sums(same, registers, terms: int, dtype: str) -> None:
    """A sum of a few terms is part of the loop over rows, and so are a few sums over rows."""
    rng = np.random.default_rng(terms)
    same(
        f"""program f(%x: {dtype}[30,{terms}], %w: {dtype}[{terms}], %y: {dtype}[30]):
  %f: {dtype}[30] = dot_general %x %w contract=((1),(0)) batch=((),())
  %r: {dtype}[30] = sub %f %y
  %e: {dtype}[30] = exp %r
  %g: {dtype}[{terms}] = dot_general %e %x contract=((0),(0)) batch=((),())
  return %g""",
        rng.random((30, terms)),
        rng.random(terms),
        rng.random(30),
    )
