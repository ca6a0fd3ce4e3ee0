"""A run in the background can be looked at, held, and stopped, without a draw being another one."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist
from bayesdl._base.errors import ArgumentError, RunError
from bayesdl.infer.chain import Job


def gaussian() -> None:
    bdl.sample("x", dist.Normal(0.0, 1.0))


class Seen:
    """A progress function that holds the run until it may go on.

    It does so when its first chain is beyond so many iterations: no chain is further than a block.
    """

    def __init__(self, count: int) -> None:
        self.count, self.reached, self.go = count, threading.Event(), threading.Event()

    def __call__(self, record: dict[str, Any]) -> None:
        if max(record["iterations"]) > self.count and not self.reached.is_set():
            self.reached.set()
            assert self.go.wait(60.0)


def test_inspect_gives_the_beginning_of_what_wait_gives() -> None:
    seen = Seen(100)
    run: Any = bdl.fit(
        gaussian, draws=2000, tune=50, random_seed=1, progressbar=seen, blocking=False
    )
    assert seen.reached.wait(60.0)
    so_far = run.inspect()
    assert run.running
    seen.go.set()
    whole = run.wait()
    count = so_far["x"].shape[1]
    assert 0 < count < 2000
    assert all(any(np.array_equal(s, w[:count]) for w in whole["x"]) for s in so_far["x"])
    assert not run.running
    same = bdl.fit(gaussian, draws=2000, tune=50, random_seed=1, progressbar=False)
    np.testing.assert_array_equal(whole["x"], same["x"])


def test_paused_it_stands_still_and_resumed_it_ends() -> None:
    seen = Seen(60)
    run: Any = bdl.fit(
        gaussian, draws=500, tune=50, random_seed=1, progressbar=seen, blocking=False
    )
    assert seen.reached.wait(60.0)
    run.pause()
    seen.go.set()
    with pytest.raises(TimeoutError):
        run.wait(timeout=0.2)
    assert run.running
    run.resume()
    assert run.wait(60.0)["x"].shape == (4, 500)


def test_aborted_it_keeps_its_draws() -> None:
    seen = Seen(100)
    run: Any = bdl.fit(
        gaussian, draws=100_000, tune=50, random_seed=1, progressbar=seen, blocking=False
    )
    assert seen.reached.wait(60.0)
    run.pause()
    run.abort()
    seen.go.set()
    with pytest.warns(RuntimeWarning, match="stopped by hand"):
        post = run.wait(60.0)
    assert 0 < post["x"].shape[1] < 100_000


def test_what_goes_wrong_is_raised_by_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: Job, here: Any, limit: int) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(Job, "advance", fails)
    run: Any = bdl.fit(
        gaussian, draws=10, tune=10, random_seed=1, progressbar=False, blocking=False
    )
    with pytest.raises(RunError) as caught:
        run.wait(60.0)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_what_is_wrong_with_the_call_is_raised_at_once() -> None:
    with pytest.raises(ArgumentError):
        bdl.fit(gaussian, draws=0, blocking=False)
