"""Sets: what they contain, how they print, and that their bijectors lead into them."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl import constraints
from bayesdl._base.errors import ModelError
from bayesdl.bijectors import Exp, StickBreaking
from bayesdl.constraints import Constraint
from bayesdl.tracing import trace

NAMED = [getattr(constraints, name) for name in constraints.__all__ if name.islower()]
SETS = [
    *(c for c in NAMED if isinstance(c, Constraint)),
    constraints.interval(-1.0, 3.0),
    constraints.interval(np.array([0.0, 1.0]), 3.0),
    constraints.greater_than(2.0),
    constraints.less_than(-2.0),
    constraints.image(constraints.real, Exp()),
    constraints.independent(constraints.positive, 2),
]
EVENT = {0: (), 1: (3,), 2: (3, 3)}


CONTINUOUS = [c for c in SETS if not c.is_discrete and c is not constraints.positive_definite]


@pytest.mark.parametrize("c", CONTINUOUS, ids=repr)
def test_the_bijector_leads_into_the_set(c: Constraint) -> None:
    lead = (4, *c.batch_shape)
    shape = c.bijector.unconstrained_shape((*lead, *EVENT[c.event_ndim]))
    y = c.bijector.forward(np.random.default_rng(0).uniform(-3.0, 3.0, shape))
    inside = c.contains(y)
    assert inside.shape == lead
    assert np.all(inside)


@pytest.mark.parametrize(
    "c", [*(c for c in SETS if c.is_discrete), constraints.positive_definite], ids=repr
)
def test_what_has_no_bijector_says_so(c: Constraint) -> None:
    with pytest.raises(ModelError, match="there is no bijector onto"):
        _ = c.bijector


@pytest.mark.parametrize(
    ("c", "value"),
    [
        (constraints.positive, 0.0),
        (constraints.positive, np.inf),
        (constraints.nonnegative, -1e-300),
        (constraints.unit_interval, 1.0 + 1e-15),
        (constraints.real, np.inf),
        (constraints.boolean, 2),
        (constraints.nonnegative_integer, 1.5),
        (constraints.integer_interval(0, 3), 4),
        (constraints.counts(3), [1, 1]),
        (constraints.simplex, [0.5, 0.6]),
        (constraints.simplex, [1.5, -0.5]),
        (constraints.ordered, [1.0, 1.0]),
        (constraints.positive_ordered, [-1.0, 1.0]),
        (constraints.covariance_cholesky, [[1.0, 0.1], [0.0, 1.0]]),
        (constraints.covariance_cholesky, [[1.0, 0.0], [0.0, -1.0]]),
        (constraints.corr_cholesky, [[1.0, 0.0], [1.0, 1.0]]),
        (constraints.positive_definite, [[1.0, 0.5], [0.4, 1.0]]),
        (constraints.positive_definite, [[1.0, 2.0], [2.0, 1.0]]),
    ],
    ids=repr,
)
def test_what_lies_outside(c: Constraint, value: object) -> None:
    assert not c.contains(np.asarray(value))


@pytest.mark.parametrize("c", [c for c in SETS if c.event_ndim == 0], ids=repr)
def test_nan_lies_nowhere(c: Constraint) -> None:
    assert not np.any(c.contains(np.nan))


def test_booleans_are_zero_and_one() -> None:
    assert np.all(constraints.boolean.contains(np.array([True, False])))


def test_names() -> None:
    shown = [constraints.real, constraints.positive, constraints.nonnegative]
    shown += [constraints.unit_interval, constraints.boolean, constraints.nonnegative_integer]
    shown += [constraints.integer_interval(0, 5), constraints.interval(0.0, np.zeros(2))]
    names = ["(−∞, ∞)", "(0, ∞)", "[0, ∞)", "[0, 1]", "{0, 1}", "{0, 1, …}", "{0, …, 5}", "[0, …]"]
    assert [c.name for c in shown] == names


def test_bounds_in_flight() -> None:
    def inside(high: object) -> object:
        c = constraints.interval(0.0, high)
        assert c.name == "[0, …]"
        return c.bijector.forward(np.zeros(2))

    assert str(trace(inside, 2.0).program.output_types[0]) == "f64[2]"


def test_a_matrix_is_judged_at_once_inside_a_trace() -> None:
    found = []
    trace(lambda x: (found.append(constraints.positive_definite.contains(np.eye(2))), x)[1], 1.0)
    assert bool(found[0])


def test_image_of_vectors() -> None:
    c = constraints.image(constraints.independent(constraints.real, 1), StickBreaking())
    assert c.event_ndim == 1
    assert c.contains(np.array([[0.2, 0.8], [-0.2, 1.2]])).tolist() == [True, False]
