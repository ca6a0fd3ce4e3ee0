"""An embedding is rows of a table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl._base.errors import DtypeError, SupportError
from bayesdl.infer.targets import dropped_weights
from bayesdl.model.density import build_density
from bayesdl.model.predict import log_likelihood

from .reference import applied


def words(x: Any, y: Any = None) -> None:
    f = nn.Linear(1)(nn.Embedding(3, 2, "word")(x - 1))[:, 0]
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(f, 1.0), obs=y)


def test_embedding_takes_rows_of_its_table() -> None:
    """Any shape of indices."""
    index = np.array([[0, 2], [1, 0]])
    found, w = applied(nn.Embedding(3, 4), index)
    np.testing.assert_array_equal(found, w["embedding.weight"][index])
    with pytest.raises(DtypeError, match="whole numbers"):
        nn.Embedding(3, 4)(np.zeros(2))


@pytest.mark.parametrize(
    ("index", "extreme"), [([1, 2, 6], "largest index  5"), ([0, 1, 3], "smallest index  -1")]
)
def test_indices_without_an_entry_are_refused(index: list[int], extreme: str) -> None:
    """What the layer is given follows from the data, which are known when a model is read."""
    with pytest.raises(SupportError, match="layer 'word' got indices") as caught:
        bdl.log_density(words, np.array(index), np.zeros(3))
    for part in (extreme, "indices run from 0 to 2", "outside", "1 of 3", "[M106]"):
        assert part in str(caught.value)
    with pytest.raises(SupportError, match="layer 'embedding' got indices"):
        nn.Embedding(3, 2)(np.array([5]))
    assert bdl.log_density(words, np.array([1, 2, 3]), np.zeros(3)).dim == 9


def test_indices_of_rows_to_be_judged_are_refused_too() -> None:
    with pytest.raises(SupportError, match="layer 'word' got indices"):
        log_likelihood(words, (np.array([3, 4]), np.zeros(2)))


def test_an_embedding_behind_a_dropout_is_no_layer_of_units() -> None:
    """The rate belongs to the next layer whose units can be dropped."""

    def model(x: Any, y: Any) -> None:
        f = nn.Sequential((nn.Dropout(0.2), nn.Embedding(3, 4), nn.Linear(1, "out")))(x)[:, 0]
        with bdl.plate("rows", x.shape[0]):
            bdl.sample("y", dist.Normal(f, 1.0), obs=y)

    density = build_density(model, (np.array([0, 1, 2]), np.zeros(3)))
    assert [(w.layer, w.rate) for w in dropped_weights(density)] == [("out", 0.2)]
