"""Draws on disk are judged some coordinates at a time, to the same numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bayesdl.criticism import _parts, convergence
from bayesdl.criticism.summary import summary
from bayesdl.infer.lazy import Lazy

zarr = pytest.importorskip("zarr")


@pytest.fixture
def pair(tmp_path: Path, rng: np.random.Generator) -> tuple[Any, Any]:
    """The same draws in memory and on disk."""
    draws = rng.normal(size=(3, 50, 2, 5)).astype(np.float32)
    source = zarr.create_array(tmp_path / "a", data=draws, chunks=(1, 7, 2, 5), zarr_format=2)
    return draws[:, :47], Lazy(source, [0, 1, 2], 47)


def never(*args: Any, **kwargs: Any) -> Any:
    """In the place of reading all."""
    raise AssertionError


@pytest.mark.parametrize(("panel", "values"), [(1, 1), (3, 2), (4, 100), (100, 3)])
def test_the_summary_is_that_of_memory_without_reading_all(
    pair: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch, panel: int, values: int
) -> None:
    """Panels and parts of so many of the ten elements."""
    memory, disk = pair
    monkeypatch.setattr(_parts, "PANEL_BYTES", panel * 3 * 47 * 4)
    monkeypatch.setattr(_parts, "PART_VALUES", values * 3 * 47)
    monkeypatch.setattr(Lazy, "__array__", never)
    sizes = [part.shape[2] for part in _parts.parts(disk)]
    assert sum(sizes) == 10
    assert max(sizes) <= min(panel, values)
    found, expected = summary({"w": disk}), summary({"w": memory})
    assert found.names == expected.names
    for name, column in expected.columns.items():
        np.testing.assert_allclose(found.columns[name], column, rtol=1e-13)
    np.testing.assert_array_equal(convergence.rhat(disk), convergence.rhat(memory))
    np.testing.assert_array_equal(
        convergence.ess_quantile(disk, 0.1), convergence.ess_quantile(memory, 0.1)
    )


def test_arrays_in_memory_are_one_part() -> None:
    draws = np.zeros((2, 3, 4))
    (part,) = _parts.parts(draws)
    assert part is draws
