"""Tables of probabilities that are a batch."""

from __future__ import annotations

import numpy as np

from bayesdl import dist
from bayesdl.transform.checking import check_grads

LOGITS = np.array([[0.3, -1.0, 2.0], [0.0, 0.0, 0.0]])


def test_each_row_has_its_own_value() -> None:
    d = dist.Categorical(logits=LOGITS)
    values = np.array([[0, 1], [2, 2], [1, 0]])
    table = LOGITS - np.log(np.exp(LOGITS).sum(-1, keepdims=True))
    np.testing.assert_allclose(d.log_prob(values), table[[0, 1], values])
    np.testing.assert_allclose(dist.Categorical(np.exp(table)).log_prob(values), d.log_prob(values))


def test_one_table_for_many_values() -> None:
    values = np.array([0, 2, 1, 1])
    found = dist.Categorical(logits=LOGITS[1]).log_prob(values)
    np.testing.assert_allclose(found, np.full(4, -np.log(3.0)))


def test_a_class_that_does_not_exist() -> None:
    assert np.all(np.isneginf(dist.Categorical(logits=LOGITS[0]).log_prob([-1, 3])))


def test_gradient_in_the_table() -> None:
    check_grads(lambda t: dist.Categorical(logits=t).log_prob(np.array([1, 2])), (LOGITS,))


def test_quantiles_invert_the_distribution_function() -> None:
    d = dist.Categorical([0.2, 0.5, 0.3])
    assert d.icdf(np.array([0.1, 0.3, 0.69, 0.71, 1.0])).tolist() == [0, 1, 1, 2, 2]
