"""The mean-field guide."""

from __future__ import annotations

from typing import Any

import pytest

import bayesdl as bdl
from bayesdl import dist


def banana(y: Any) -> None:
    """A density whose second coordinate bends with the first: no Gaussian is near it."""
    first = bdl.sample("first", dist.Normal(0.0, 1.0))
    bdl.sample("second", dist.Normal(first * first, 0.1))
    bdl.factor("none", 0.0 * y)


@pytest.mark.parametrize("guide", ["mean_field", "full_rank"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_khat_flags_a_banana(guide: str, seed: int) -> None:
    post = bdl.fit(
        banana, 0.0, method="vi", guide=guide, draws=10_000, random_seed=seed, progressbar=False
    )
    assert post.khat > 0.7
    assert not post.verdict().fine
