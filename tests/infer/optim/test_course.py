"""Which steps of an optimisation count, and when it is over."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bayesdl.infer.optim.course import (
    LOST,
    Course,
    counts,
    either,
    is_over,
    lost_from,
    onward,
    start_course,
)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_step_counts_where_objective_and_gradient_are_finite(bad: float, dtype: type) -> None:
    course, good = start_course(dtype), np.array([1.0, -1.0], dtype)
    assert counts(course, dtype(0.0), {"a": good, "b": good})
    assert not counts(course, dtype(bad), {"a": good, "b": good})
    # The two infinities of opposite sign have a sum that is none.
    spoilt = np.array([bad, -bad], dtype)
    with np.errstate(invalid="ignore"):
        assert not counts(course, dtype(0.0), {"a": good, "b": spoilt})
    assert counts(course, dtype(0.0), np.array([1e30, 1e30], dtype))


def test_what_is_passed_over_leaves_everything_as_it_was() -> None:
    course = onward(True, start_course(float))
    assert (float(course.made), float(course.lost)) == (1.0, 0.0)
    for _ in range(LOST + 3):
        course = onward(False, course)
    assert (float(course.made), float(course.lost)) == (1.0, LOST)
    before, after = {"x": np.zeros(2)}, {"x": np.full(2, np.nan)}
    np.testing.assert_array_equal(either(False, after, before)["x"], 0.0)
    np.testing.assert_array_equal(either(True, before, after)["x"], 0.0)


def test_single_losses_are_forgotten_and_ten_in_a_row_are_final() -> None:
    course = Course(np.asarray(5.0), np.asarray(LOST - 1.0))
    assert counts(course, 0.0, np.zeros(1))
    assert float(onward(True, course).lost) == 0.0
    assert not counts(onward(False, course), 0.0, np.zeros(1))


def _with(bad: slice, steps: int = 100) -> Any:
    found = np.zeros(steps)
    found[bad] = np.nan
    return found


def test_it_is_lost_at_the_first_of_ten_steps_that_lead_nowhere() -> None:
    assert lost_from(_with(slice(50, 51))) is None
    assert lost_from(_with(slice(91, 100))) is None
    assert lost_from(_with(slice(90, 100))) == 90
    assert lost_from(_with(slice(0, 5), 5)) == 0
    assert lost_from(np.zeros(0)) is None


def test_what_is_lost_is_over_and_so_is_what_climbs_no_more(rng: np.random.Generator) -> None:
    level = np.tile(rng.normal(size=100), 40)
    assert is_over(_with(slice(90, 100)), whole=True)
    assert is_over(level, whole=False)
    assert not is_over(level, whole=True)
    assert not is_over(level + 0.01 * np.arange(4000), whole=False)


def test_values_under_a_tempered_prior_are_not_judged(rng: np.random.Generator) -> None:
    """They fall while the prior comes to count, and climb afterwards."""
    noise = rng.normal(size=12_000)
    bounds = noise - 0.1 * np.minimum(np.arange(12_000), 5000)
    bounds[5000:] += 0.005 * np.arange(7000)
    assert is_over(bounds[:5000], whole=False)
    assert not is_over(bounds[:5000], whole=False, tempered=5000)
    assert not is_over(bounds, whole=False, tempered=5000)
    level = np.append(bounds[:5000], np.tile(noise[:100], 40))
    assert is_over(level, whole=False, tempered=5000)
