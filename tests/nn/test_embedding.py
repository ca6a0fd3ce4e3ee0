"""An embedding is rows of a table."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl import nn
from bayesdl._base.errors import DtypeError

from .reference import applied

X = np.random.default_rng(1).normal(size=(3, 5, 4))


def test_embedding_takes_rows_of_its_table() -> None:
    """Any shape of indices."""
    index = np.array([[0, 2], [1, 0]])
    found, w = applied(nn.Embedding(3, 4), index)
    np.testing.assert_array_equal(found, w["embedding.weight"][index])
    with pytest.raises(DtypeError, match="whole numbers"):
        nn.Embedding(3, 4)(np.zeros(2))
