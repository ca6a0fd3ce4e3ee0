"""Rules: arrays of any shape from the one that a model made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bayesdl.export.rules import FAMILIES, Rule


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("ramp", np.zeros(4)),
        ("ramp", np.arange(5)),
        ("ramp", 2.0 + np.arange(4.0)[:, None] - 3.0 * np.arange(2.0)),
        ("ramp", np.ones((3, 1), bool)),
        ("eye", 0.1 * np.eye(4)),
        ("lower", np.tril(np.ones((3, 3)))),
        ("upper", np.triu(np.full((2, 3, 3), 7))),
    ],
)
def test_rules_make_the_arrays_that_they_were_read_from(name: str, array: Any) -> None:
    made = Rule(name, FAMILIES[name].numbers(array)).make(array.shape, array.dtype)
    assert made.dtype == array.dtype
    np.testing.assert_array_equal(made, array)
