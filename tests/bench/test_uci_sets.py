"""The UCI sets: how they are read and scaled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bayesdl._base.errors import ArgumentError
from bayesdl.bench.uci_sets import count_splits, read_split


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    x = rng.normal(3.0, 2.0, size=(40, 3))
    x[:, 1] = 7.0
    order = np.stack([rng.permutation(40) for _ in range(2)])
    arrays = {"X": x, "y": 5.0 * x[:, 0], "train": order[:, :30], "test": order[:, 30:]}
    np.savez(tmp_path / "yacht.npz", **arrays)
    return tmp_path


def test_rows_are_scaled_by_the_training_rows(folder: Path) -> None:
    """Population sd; a constant column becomes 0, not NaN."""
    split = read_split(folder, "yacht", 1)
    np.testing.assert_allclose(split.x.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(split.x.std(axis=0), [1.0, 0.0, 1.0], atol=1e-12)
    np.testing.assert_allclose([split.y.mean(), split.y.std()], [0.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(split.y_test, split.x_test[:, 0])
    assert (len(split.y), len(split.y_test), count_splits(folder, "yacht")) == (30, 10, 2)


def test_scores_are_in_the_unit_of_the_target(folder: Path) -> None:
    split = read_split(folder, "yacht", 0)
    rmse, ll = split.scores(split.y_test + 0.5, np.full(10, -1.0))
    assert rmse == pytest.approx(0.5 * split.spread)
    assert ll == pytest.approx(-1.0 - np.log(split.spread))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="not there"):
        read_split(tmp_path, "boston", 0)
