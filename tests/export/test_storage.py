"""Files: what is saved comes back, and nothing is overwritten unasked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist
from bayesdl._base.errors import ArgumentError, ModelError


@bdl.model
def line(x: Any, y: Any = None) -> None:
    slope = bdl.sample("slope", dist.Normal(0.0, 1.0))
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(slope * x, 0.5), obs=y)


@pytest.fixture(scope="module")
def post() -> Any:
    x = np.linspace(0.0, 1.0, 6)
    return bdl.fit(line, x, 2.0 * x, draws=40, tune=40, random_seed=0, progressbar=False)


def test_a_loaded_posterior_predicts_for_any_number_of_rows(post: Any, tmp_path: Path) -> None:
    post.save(tmp_path / "fit.nc")
    loaded = bdl.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(loaded["slope"], post["slope"])
    new = np.linspace(0.0, 2.0, 11)
    np.testing.assert_array_equal(loaded.predict(new)["y"], post.predict(new)["y"])
    assert post.predict(new)["y"].shape == (4, 40, 11)


def test_an_existing_file_is_not_overwritten(post: Any, tmp_path: Path) -> None:
    post.save(tmp_path / "fit.nc")
    with pytest.raises(ArgumentError, match="exists already"):
        post.save(tmp_path / "fit.nc")
    post.save(tmp_path / "fit.nc", overwrite=True)


def test_a_missing_file_and_a_missing_model_say_so(post: Any, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="no such file"):
        bdl.load(tmp_path / "none.nc")

    def inner(y: Any = None) -> None:
        mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
        bdl.sample("y", dist.Normal(mu, 1.0), obs=y)

    found = bdl.fit(inner, 1.0, draws=10, tune=10, random_seed=0, progressbar=False)
    found.save(tmp_path / "inner.nc")
    loaded = bdl.load(tmp_path / "inner.nc")
    assert loaded["mu"].shape == (4, 10)
    with pytest.raises(ModelError, match="was not found"):
        loaded.predict()
    assert bdl.load(tmp_path / "inner.nc", model=inner).predict()["y"].shape == (4, 10)
