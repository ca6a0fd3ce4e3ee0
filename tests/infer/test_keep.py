"""Keepers give back what they took, in order, chain by chain."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from bayesdl.infer.keep import Positions
from bayesdl.ir.types import ArrayType


class OneSite:
    """As much of a Block as a keeper looks at."""

    position_type = ArrayType((3,), np.dtype(np.float32))
    info_types: ClassVar = {"lp": ArrayType((), np.dtype(np.float64))}


def test_positions_are_stacked_in_order_and_cut(rng: np.random.Generator) -> None:
    block: Any = OneSite()
    keeper = Positions(block)
    x = rng.normal(size=(2, 10, 3)).astype(np.float32)
    for first, stop in ((0, 4), (4, 10)):
        for chain in (1, 0):
            part = x[chain, first:stop]
            keeper.append(chain, first, part, {"lp": part[:, 0].astype(np.float64)})
    values, stats = keeper.collect([0, 1], 7)
    np.testing.assert_array_equal(values["position"], x[:, :7])
    np.testing.assert_array_equal(stats["lp"], x[:, :7, 0])


def test_a_chain_without_draws_has_arrays_of_length_zero() -> None:
    block: Any = OneSite()
    values, stats = Positions(block).collect([0, 2], 0)
    assert values["position"].shape == (2, 0, 3)
    assert values["position"].dtype == np.float32
    assert stats["lp"].shape == (2, 0)
