"""What is said of the hosting of a run is told apart from the method's own settings."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist
from bayesdl._base.errors import ArgumentError, CapacityError
from bayesdl.infer import hosting
from bayesdl.infer.hosting import Hosting, identity, split
from bayesdl.infer.mcmc.nuts import NUTS
from bayesdl.infer.run import compile_kernel
from bayesdl.model.density import build_density
from bayesdl.model.statements import sample


def test_split() -> None:
    hosting, own = split({"checkpoint": "a", "target_accept": 0.9})
    assert hosting == Hosting(checkpoint="a")
    assert own == {"target_accept": 0.9}


def test_an_executor_or_what_gives_one_is_taken() -> None:
    with ThreadPoolExecutor(1) as pool:
        assert Hosting(executor=pool).executor is pool
    Hosting(executor=ThreadPoolExecutor)
    with pytest.raises(ArgumentError):
        Hosting(executor=3)


def test_the_identity_depends_on_numbers_and_statements() -> None:
    found = []
    for scale in (1.0, 2.0):
        density = build_density(lambda s=scale: sample("x", dist.Normal(0.0, s)), ())
        compiled = compile_kernel(NUTS(), density, 2)
        found.append(identity(compiled, [np.zeros(2)], np.zeros(1), np.zeros(2), {"draws": 3}))
    assert found[0]["draws"] == "3"
    assert found[0]["data"] == found[1]["data"]
    assert found[0]["model"] != found[1]["model"]


def untraced() -> None:
    raise AssertionError("traced")


@pytest.mark.parametrize("name", ["store", "checkpoint"])
def test_what_can_be_no_folder_is_refused_before_the_model_is_traced(
    tmp_path: Path, name: str
) -> None:
    pytest.importorskip("zarr")
    (tmp_path / "thesis.tex").write_text("all of it")
    for given in ("", 3, b"run"):
        with pytest.raises(ArgumentError, match=f"{name} must be the name of a folder") as caught:
            bdl.fit(untraced, progressbar=False, **{name: given})
        assert caught.value.code == "A108"
    for given in (tmp_path / "thesis.tex", tmp_path / "thesis.tex" / "run" / "a"):
        with pytest.raises(ArgumentError, match=f"the folder of {name} cannot be made") as caught:
            bdl.fit(untraced, progressbar=False, **{name: given})
        assert caught.value.code == "E102"
        assert (str(tmp_path / "thesis.tex"), "is a file") in caught.value.facts
    assert os.listdir(tmp_path) == ["thesis.tex"]


def test_a_folder_that_may_not_be_written_to_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(ArgumentError, match="cannot be made") as caught:
        Hosting(checkpoint=tmp_path / "run")
    assert (str(tmp_path), "cannot be written to") in caught.value.facts


@pytest.mark.parametrize("name", ["max_memory", "max_disk"])
@pytest.mark.parametrize("given", ["16 GB", 0, -1.0, True])
def test_bytes_are_a_number_above_zero(name: str, given: Any) -> None:
    with pytest.raises(ArgumentError, match=f"{name} must be a number of bytes above 0"):
        Hosting(**{name: given})


def test_draws_that_the_disk_does_not_hold_are_refused_with_the_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("zarr")
    free = 10**6
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    path = tmp_path / "made" / "later"
    with pytest.raises(CapacityError, match="would not fit on the disk") as caught:
        Hosting(store=path).require_room(1000, (4, 500))
    assert caught.value.code == "S122"
    facts = dict(caught.value.facts)
    assert facts["chains × draws"] == "4 × 500"
    assert (facts["all"], facts["free"], facts["limit"]) == ("2 MB", "1 MB", "1 MB")
    assert Hosting(store=path, max_disk=2e6).require_room(1000, (4, 500)) == 2 * 10**6
    assert Hosting(store=path).require_room(1000, (4, 250)) == 10**6
    with pytest.raises(CapacityError, match="fit on the disk"):
        Hosting(store=path, max_disk=1e5).require_room(1000, (4, 250))
    # What is there already needs no further room.
    path.mkdir(parents=True)
    (path / "chunk").write_bytes(bytes(10**6))
    Hosting(store=path).require_room(1000, (4, 500))


def test_the_disk_that_is_asked_is_the_one_of_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("zarr")
    asked: list[Path] = []

    def usage(path: Path) -> Any:
        asked.append(path)
        return SimpleNamespace(free=10**12)

    monkeypatch.setattr(hosting.shutil, "disk_usage", usage)
    Hosting(store=tmp_path / "made" / "later").require_room(1000, (4, 500))
    assert asked == [tmp_path]


def test_memory_holds_the_warmup_of_a_run_whose_draws_are_on_disk(tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    with pytest.raises(CapacityError, match="would not fit in memory") as caught:
        Hosting(store=tmp_path / "a", max_memory=1e6).require_room(1000, (4, 500), 300)
    assert dict(caught.value.facts)["chains × draws"] == "4 × 300"
    Hosting(store=tmp_path / "a", max_memory=1e6).require_room(1000, (4, 500), 200)
    with pytest.raises(CapacityError, match="would not fit in memory"):
        Hosting(max_memory=2e6).require_room(1000, (4, 500), 200)
