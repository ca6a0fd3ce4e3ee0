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
