"""Time is charged to the innermost stage, once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from bayesdl._base import clock
from bayesdl._base.clock import derives, stage


@pytest.fixture(autouse=True)
def ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by one at each look."""
    count = iter(range(10_000))
    monkeypatch.setattr(clock, "perf_counter", lambda: float(next(count)))


def test_each_second_is_charged_once() -> None:
    with stage("trace") as outer:
        with stage("derive") as first, stage("trace") as inside:
            pass
        with stage("trace"):
            pass
    assert outer.totals == {"trace": 4.0, "derive": 3.0}
    assert (first.totals, inside.totals) == (None, None)


def test_outermost_stages_are_apart() -> None:
    with stage("trace") as one:
        pass
    with stage("trace") as two:
        pass
    assert one.totals == two.totals == {"trace": 1.0}
    assert one.totals is not two.totals


def test_an_error_ends_its_stage() -> None:
    @derives
    def fails() -> None:
        raise ValueError

    with stage("trace") as outer, pytest.raises(ValueError):
        fails()
    assert outer.totals == {"trace": 2.0, "derive": 1.0}
    with stage("trace") as after:
        pass
    assert after.totals == {"trace": 1.0}


def test_threads_do_not_meet() -> None:
    def work(_: int) -> bool:
        with stage("trace") as outer:
            pass
        return outer.totals is not None

    with stage("derive"), ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(8)))
