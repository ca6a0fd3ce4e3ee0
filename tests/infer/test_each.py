"""One function for every draw."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bayesdl import nn, pipeline
from bayesdl.infer import draw_loop, each
from bayesdl.infer.each import EachDraw
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random


@pytest.mark.parametrize("size", [1, 4, 100])
def test_equals_a_loop(
    size: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the pieces, and whether or not they divide the number of draws."""
    monkeypatch.setattr(draw_loop, "PIECE_DRAWS", size)
    x, y, data = rng.normal(size=(9, 3)), rng.normal(size=9), rng.normal(size=3)
    function = EachDraw(
        lambda draw, d: {"a": draw["x"] * d + draw["y"], "b": draw["y"]}, np.float64
    )
    found = function({"x": x, "y": y}, [data])
    np.testing.assert_allclose(found["a"], x * data + y[:, None])
    np.testing.assert_array_equal(found["b"], y)


@pytest.mark.parametrize(("count", "brief"), [(4, True), (40_000, False)])
def test_code_for_few_draws_is_made_quickly(
    count: int, brief: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def compile(program, brief):
        asked.append(brief)
        return pipeline.compile(program, brief=brief)

    monkeypatch.setattr(draw_loop, "compile", compile)
    weights = np.ones((20, 30))

    def one(x, w):
        w @ bnp.ones((30, 10_000))  # not wanted, so not counted
        return (x * bnp.ones(20)) @ w

    found = EachDraw(one, np.float64)(np.ones(count), [weights])
    assert asked == [brief]
    np.testing.assert_array_equal(found[:3], np.full((3, 30), 20.0))


HEADS = {
    "gaussian": (lambda f: nn.heads.gaussian(f, 0.5), 1),
    "categorical": (nn.heads.categorical, 3),
    "mixture": (lambda f: nn.heads.mixture_density(f, 2), 6),
    "student_t": (lambda f: nn.heads.student_t(f, 3.0, 1.0), 1),
}


def passes(head: str, dtype: Any, rng: np.random.Generator) -> tuple[Any, Any]:
    """A network that observes, and eleven draws of its weights."""
    law, out = HEADS[head]

    def one(draw: Any, x: Any) -> dict[str, Any]:
        w, key = draw
        found = law(bnp.tanh(x @ w["a"] + w["b"]) @ w["c"])
        return {"y": found.sample(key), "mean": found.mean, "first": w["b"][0]}

    sizes = {"a": (2, 9), "b": (9,), "c": (9, out)}
    weights = {n: rng.normal(size=(11, *s)).astype(dtype) for n, s in sizes.items()}
    return one, (weights, np.asarray(random.split(random.key(1), 11)))


@pytest.mark.parametrize(
    ("head", "dtype"), [*((h, np.float64) for h in HEADS), ("categorical", np.float32)]
)
def test_no_bit_depends_on_chunks_and_pieces(
    head: str, dtype: Any, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random numbers included; all rows at once, in chunks, and draws by fours."""
    one, draws = passes(head, dtype, rng)
    x = rng.normal(size=(203, 2)).astype(dtype)

    def found() -> list[Any]:
        each = EachDraw(one, dtype)
        return [each(draws, [x]), *each.moments(draws, [x])]

    chunks = [found()]
    monkeypatch.setattr(each, "CHUNK_BYTES", 1)
    chunks.append(found())
    monkeypatch.setattr(draw_loop, "PIECE_DRAWS", 4)
    monkeypatch.setattr(each, "PIECE_BYTES", 10_000)
    chunks.append(found())
    monkeypatch.setattr(each, "chunked", lambda *_: None)
    *others, whole = [*chunks, found()]
    for other in others:
        for part, expected in zip(other, whole, strict=True):
            for name in expected:
                np.testing.assert_array_equal(part[name], expected[name])


def test_other_lengths_of_data_need_no_other_code(rng: np.random.Generator) -> None:
    """Of up to an eighth more rows, and of any number that takes several chunks."""
    one, draws = passes("gaussian", np.float64, rng)
    compiled: dict[Any, Any] = {}
    function = EachDraw(one, np.float64, compiled=compiled)
    x = rng.normal(size=(104, 2))
    whole = function(draws, [x])["y"]
    for rows in (97, 99, 103):
        np.testing.assert_array_equal(function(draws, [x[:rows]])["y"], whole[:, :rows])
    assert len(compiled) == 1


def test_fewer_draws_need_no_other_code(rng: np.random.Generator) -> None:
    """The last block of a run is often a short one."""
    draws, data = rng.normal(size=(30, 3)), rng.normal(size=3)
    for rows in (data, rng.normal(size=(40, 3))):
        function = EachDraw(lambda w, d: bnp.sum(w * d, -1), np.float64)
        whole, moments = function(draws, [rows]), function.moments(draws[:7], [rows])
        np.testing.assert_array_equal(function(draws[:7], [rows]), whole[:7])
        np.testing.assert_allclose(moments[0], whole[:7].mean(0), rtol=1e-13)
        np.testing.assert_allclose(moments[1], whole[:7].var(0), rtol=1e-13)
        assert len(function.compiled) == 2


def test_moments_are_those_of_all_draws(rng: np.random.Generator) -> None:
    """Of rows in chunks, of what rows do not enter, and of whole numbers."""
    x = rng.normal(size=(50, 2))
    draws = rng.normal(1e6, 1.0, size=(700, 2))
    function = EachDraw(
        lambda w, x: {"f": x @ w, "w": w, "n": bnp.astype(w[0] > 1e6, np.int64)}, np.float64
    )
    every, (means, variances) = function(draws, [x]), function.moments(draws, [x])
    for name, values in every.items():
        np.testing.assert_allclose(means[name], values.mean(0), rtol=1e-14)
        np.testing.assert_allclose(variances[name], values.var(0), rtol=1e-8)


def test_moments_of_infinite_values() -> None:
    """A mean of infinite variances is infinite, not unknown."""
    draws = np.array([1.0, np.inf, np.inf, 2.0])
    means, _ = EachDraw(lambda v: {"v": v}, np.float64).moments(draws, [])
    assert means["v"] == np.inf


def test_rows_that_meet_are_computed_at_once(rng: np.random.Generator) -> None:
    def one(scale: Any, x: Any) -> Any:
        gram = bnp.exp(-scale * bnp.square(x[:, None] - x[None, :]))
        return gram @ x

    x, scales = rng.normal(size=40), np.array([1.0, 2.0])
    found = EachDraw(one, np.float64)(scales, [x])
    for value, scale in zip(found, scales, strict=True):
        np.testing.assert_allclose(value, np.exp(-scale * (x[:, None] - x) ** 2) @ x)
