"""What the abstract distribution does for all: checks, shapes, dtype, masks, few equations."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bayesdl import dist
from bayesdl._base.errors import ArgumentError, ClosedFormError, ShapeError
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random
from bayesdl.ops._bind import evaluate
from bayesdl.tracing import trace
from bayesdl.transform.derived import grad


def test_a_parameter_outside_its_range_is_refused() -> None:
    with pytest.raises(ArgumentError) as caught:
        dist.Normal(0.0, np.array([1.0, -2.0, 0.0]))
    text = str(caught.value)
    assert text.startswith("Normal got a parameter 'scale' outside its range.\n")
    assert "scale[1]     -2" in text
    assert "must lie in  (0, ∞)" in text
    assert "2 of 3" in text
    assert "At test_base.py:" in text
    assert text.endswith("[D101]")


def test_nan_is_refused() -> None:
    with pytest.raises(ArgumentError, match="'loc' outside its range"):
        dist.Normal(np.nan, 1.0)


def test_a_parameter_in_flight_is_not_looked_at() -> None:
    program = trace(lambda s: dist.Normal(0.0, s).log_prob(0.5), 1.0).program
    assert np.isnan(evaluate(program, np.float64(-1.0))[0])


def test_one_of_probs_and_logits() -> None:
    for given in ({}, {"probs": 0.5, "logits": 0.0}):
        with pytest.raises(ArgumentError, match="exactly one of probs, logits"):
            dist.Bernoulli(**given)


def test_parameters_that_do_not_fit_together() -> None:
    with pytest.raises(ShapeError, match="parameters of Normal do not fit together"):
        dist.Normal(np.zeros(2), np.ones(3))


def test_too_few_axes() -> None:
    with pytest.raises(ShapeError, match="'concentration' of Dirichlet has too few axes"):
        dist.Dirichlet(1.0)


def test_what_has_no_formula_says_so() -> None:
    with pytest.raises(ClosedFormError, match="Poisson has no entropy in closed form"):
        dist.Poisson(1.0).entropy()
    with pytest.raises(NotImplementedError):
        dist.Gamma(1.0, 1.0).icdf(0.5)


def test_records_are_immutable() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        dist.Normal(0.0, 1.0).loc = 1.0  # type: ignore[misc]


def test_batch_shape_is_that_of_all_parameters() -> None:
    d = dist.Normal(np.zeros((4, 1)), np.ones(3))
    assert d.batch_shape == (4, 3)
    assert np.shape(d.mean) == np.shape(d.entropy()) == (4, 3)
    assert np.shape(d.log_prob(np.zeros((2, 1, 1)))) == (2, 4, 3)


def test_expand_repeats_no_parameter() -> None:
    d = dist.Normal(0.0, 1.0).expand((50, 10))
    assert d.loc == 0.0
    assert d.batch_shape == (50, 10)
    assert d.expand((2, 50, 10)).batch_shape == (2, 50, 10)
    with pytest.raises(ShapeError, match="cannot be expanded"):
        d.expand((3,))


def test_to_event_of_too_many_axes() -> None:
    with pytest.raises(ArgumentError, match="2 batch axes cannot become event axes"):
        dist.Normal(np.zeros(3), 1.0).to_event(2)


def test_expanding_a_joined_distribution_adds_batch_axes() -> None:
    d = dist.Normal(np.zeros(3), 1.0).to_event(1).expand((2,))
    assert (d.batch_shape, d.event_shape) == ((2,), (3,))
    assert np.shape(d.sample(random.key(0), (4,))) == (4, 2, 3)


def test_an_integer_value_and_an_integer_parameter() -> None:
    assert dist.Normal(0, 1).log_prob(0) == dist.Normal(0.0, 1.0).log_prob(0.0)
    assert dist.Poisson(3).log_prob(2) == dist.Poisson(3.0).log_prob(2.0)


def test_a_count_that_is_not_whole_is_outside() -> None:
    assert dist.Poisson(3.0).log_prob(np.array([1.5, -1.0, 2.0])).tolist()[:2] == [-np.inf] * 2


def test_gradient_outside_the_support_is_zero() -> None:
    assert grad(lambda s: dist.HalfNormal(s).log_prob(-1.0))(2.0) == 0.0
    assert grad(lambda a: dist.Gamma(a, 1.0).log_prob(0.0))(2.0) == 0.0


def test_the_default_dtype_of_a_trace() -> None:
    with bnp.using_dtype(np.float32):
        drawn = trace(lambda k: dist.Gamma(2.0, 1.0).sample(k, (3,)), random.key(0)).program
        value = trace(lambda x: dist.HalfCauchy(np.float64(2.0)).log_prob(x), np.float32(1)).program
    assert str(drawn.output_types[0]) == "f32[3]"
    assert str(value.output_types[0]) == "f32[]"


@pytest.mark.parametrize(
    ("made", "limit"),
    [
        (lambda s: dist.Normal(0.0, s), 10),
        (lambda s: dist.Normal(0.0, 2.0), 5),
        (lambda s: dist.StudentT(4.0, 0.0, s), 13),
        (lambda s: dist.Bernoulli(logits=s), 12),
    ],
)
def test_few_equations(made: object, limit: int) -> None:
    program = trace(lambda x, s: made(s).log_prob(x), np.zeros(3), 1.0).program  # type: ignore[operator]
    assert len(program.equations) <= limit, program


def test_repr_says_the_parameters() -> None:
    assert repr(dist.Normal(0.0, np.ones(3))) == "Normal(loc=0.0, scale=array(3,))"
