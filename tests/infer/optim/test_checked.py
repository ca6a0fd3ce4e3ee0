"""Settings of optimisers, schedules and objectives, each with its range."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bayesdl._base.errors import ArgumentError
from bayesdl.infer.optim._checked import is_number
from bayesdl.infer.optim.adam import AdamW
from bayesdl.infer.optim.lbfgs import LBFGS
from bayesdl.infer.optim.rates import Cosine, InverseRoot, OneCycle
from bayesdl.infer.optim.sgd import SGD
from bayesdl.infer.vi.objectives import Renyi


@pytest.mark.parametrize(
    ("kind", "settings", "needed"),
    [
        (OneCycle, {"warm": 0.0}, "a finite number above 0, below 1"),
        (OneCycle, {"warm": 1.0}, "a finite number above 0, below 1"),
        (OneCycle, {"first": -0.1}, "a finite number from 0, up to 1"),
        (OneCycle, {"last": 2.0}, "a finite number from 0, up to 1"),
        (Cosine, {"last": -1.0}, "a finite number from 0, up to 1"),
        (InverseRoot, {"steps": 0.0}, "a finite number above 0"),
        (SGD, {"momentum": 2.0}, "a finite number from 0, below 1"),
        (SGD, {"momentum": 1.0}, "a finite number from 0, below 1"),
        (SGD, {"momentum": float("nan")}, "a finite number from 0, below 1"),
        (SGD, {"momentum": "0.5"}, "a finite number from 0, below 1"),
        (AdamW, {"decay": -0.1}, "a finite number from 0"),
        (LBFGS, {"memory": 0}, "a whole number from 1"),
        (LBFGS, {"memory": 2.5}, "a whole number from 1"),
        (LBFGS, {"tolerance": 0.0}, "a finite number above 0, up to 1"),
        (Renyi, {"alpha": float("inf")}, "a finite number"),
    ],
)
def test_what_is_out_of_range_is_refused(kind: Any, settings: dict[str, Any], needed: str) -> None:
    with pytest.raises(ArgumentError, match=f"{kind.__name__} cannot have this") as caught:
        kind(**settings)
    assert caught.value.code == "A108"
    assert ("needed", needed) in caught.value.facts
    assert "test_checked.py" in str(caught.value.where)


def test_ends_that_belong_to_a_range_are_taken() -> None:
    assert SGD(momentum=0.0).momentum == 0.0
    assert Cosine(last=1.0)(0, 0.5) == 1.0
    assert AdamW(decay=0).decay == 0
    assert Renyi(alpha=-3).alpha == -3


def test_numbers_are_real_and_finite() -> None:
    assert is_number(np.float32(1.5))
    assert is_number(np.int64(2), whole=True)
    assert not any(map(is_number, (True, None, "1", np.inf, np.nan, 1j, np.zeros(2))))
    assert not is_number(2.0, whole=True)
