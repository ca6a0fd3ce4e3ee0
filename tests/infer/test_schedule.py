"""The windows of the warm-up."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl.infer.schedule import schedule


@pytest.mark.parametrize("tune", [0, 5, 20, 149, 150, 1000, 3333])
def test_slow_windows_lie_inside_the_warmup(tune: int) -> None:
    phases = schedule(tune, 10)
    assert len(phases.tuning) == tune + 10
    assert phases.tuning.sum() == tune
    assert not (phases.slow & ~phases.tuning).any()
    ends = np.flatnonzero(phases.window_end)
    assert (ends.size > 0) == (tune >= 20)
    assert all(phases.slow[e] for e in ends)


def test_the_mass_is_learnt_from_the_first_iteration_and_stands_still_at_the_end() -> None:
    phases = schedule(1000, 0)
    assert phases.slow.tolist() == [True] * 850 + [False] * 150


def test_windows_grow() -> None:
    """Up to the last one, which ends where learning does."""
    ends = np.flatnonzero(schedule(4000, 0).window_end)
    lengths = np.diff([-1, *ends])
    assert lengths[0] == 10
    assert (np.diff(lengths[:-1]) >= 0).all()
    assert ends[-1] == 3399
    # What is in use at the end comes from between a quarter and a half of the warm-up.
    assert 850 < 3400 - ends[-3] < 2000
