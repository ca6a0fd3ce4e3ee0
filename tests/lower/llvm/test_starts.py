"""Sums of products that begin from a vector: the same numbers, and no loop for the addition."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl.ir.text import from_text
from bayesdl.lower.llvm import products
from bayesdl.lower.llvm.fuse import Fusion, Single

LAYER = """program f(%x: {t}[{m},{k}], %y: {t}[{k},{n}], %b: {t}[{n}]):
  %p: {t}[{m},{n}] = dot_general %x %y batch=((),()) contract=((1),(0))
  %r: {t}[{m},{n}] = broadcast %b axes=(0) shape=({m},{n})
  %s: {t}[{m},{n}] = add {order}
  %z: {t}[{m},{n}] = tanh %s
  return %z"""


def layer(m: int, k: int, n: int, dtype: str = "f64", order: str = "%p %r") -> str:
    return LAYER.format(m=m, k=k, n=n, t=dtype, order=order)


def inputs(m: int, k: int, n: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=s) / 3 for s in ((m, k), (k, n), (n,))]


@pytest.mark.parametrize("order", ["%p %r", "%r %p"])
@pytest.mark.parametrize("blas", [False, True])
@pytest.mark.parametrize("size", [(3, 2, 2), (5, 6, 50), (13, 7, 30), (9, 3, 5)], ids=str)
def test_a_layer(same, monkeypatch, size, blas: bool, order: str) -> None:
    monkeypatch.setattr(products, "LARGE", 0 if blas else 10**12)
    monkeypatch.setattr(products, "NEAR", dict.fromkeys(products.NEAR, -1))
    for dtype in ("f64", "f32"):
        same(layer(*size, dtype, order), *inputs(*size), rtol=1e-11, atol=1e-11)
    steps = Fusion(from_text(layer(*size))).steps
    assert len(steps) == 2
    assert isinstance(steps[0], Single)
    assert len(steps[0].equation.inputs) == 3


def test_a_batch_shares_the_vector(same) -> None:
    rng = np.random.default_rng(0)
    same(
        """program f(%x: f64[2,5,3], %y: f64[2,3,6], %b: f64[6]):
  %p: f64[2,5,6] = dot_general %x %y batch=((0),(0)) contract=((2),(1))
  %r: f64[2,5,6] = broadcast %b axes=(0,1) shape=(2,5,6)
  %z: f64[2,5,6] = add %p %r
  return %z""",
        *(rng.normal(size=s) for s in ((2, 5, 3), (2, 3, 6), (6,))),
    )


def test_the_vector_may_be_a_computed_piece_of_what_is_updated(same) -> None:
    """A loop writes its carry over the vector that the sums of the next turn begin from."""
    same(
        """program f(%n: i64[], %x: f64[4,3], %w: f64[12]):
  %i: i64[], %a: f64[12] = while_loop %n %x 0:i64 %w body={
    program turn(%n: i64[], %x: f64[4,3], %i: i64[], %w: f64[12]):
      %u: f64[9] = slice %w limit=(9) start=(0) stride=(1)
      %m: f64[3,3] = reshape %u shape=(3,3)
      %b: f64[3] = slice %w limit=(12) start=(9) stride=(1)
      %p: f64[4,3] = dot_general %x %m batch=((),()) contract=((1),(0))
      %r: f64[4,3] = broadcast %b axes=(0) shape=(4,3)
      %s: f64[4,3] = add %p %r
      %t: f64[4,3] = tanh %s
      %v: f64[12] = reshape %t shape=(12)
      %j: i64[] = add %i 1:i64
      return %j %v
  } constants=2 test={
    program going(%n: i64[], %x: f64[4,3], %i: i64[], %w: f64[12]):
      %g: bool[] = less %i %n
      return %g
  }
  return %a""",
        3,
        np.random.default_rng(0).normal(size=(4, 3)),
        np.random.default_rng(1).normal(size=12),
    )


@pytest.mark.parametrize(
    ("change", "to"),
    [
        ("return %z", "return %z %p"),
        ("broadcast %b axes=(0)", "broadcast %c axes=(1)"),
        ("add %p %r", "mul %p %r"),
    ],
)
def test_anything_else_stays_an_addition(same, change: str, to: str) -> None:
    """The product is wanted too; a number for each row; no addition."""
    text = layer(5, 4, 6).replace(change, to).replace("%b: f64[6])", "%b: f64[6], %c: f64[5])")
    assert all(len(e.inputs) < 3 for e in Fusion(from_text(text)).equations)
    same(text, *inputs(5, 4, 6), np.arange(5.0))
