"""One function for every draw."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl import pipeline
from bayesdl.infer import draw_loop, each
from bayesdl.infer.each import EachDraw
from bayesdl.ops import numpy as bnp


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
