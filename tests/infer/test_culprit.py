"""Where numbers cease to be finite."""

from __future__ import annotations

from typing import Any

import numpy as np

import bayesdl as bdl
from bayesdl import dist
from bayesdl.infer.culprit import (
    all_finite,
    computed,
    first_bad_operation,
    operation_rows,
    site_rows,
)
from bayesdl.model.density import build_density
from bayesdl.ops import numpy as bnp


def test_the_first_bad_operation_is_found_in_any_container() -> None:
    def function(p: Any, x: Any) -> Any:
        return {"a": bnp.exp(p["b"]) + x, "c": bnp.sqrt(bnp.log(x) + p["b"])}

    ours = {"b": np.asarray(1.0)}
    assert first_bad_operation(function, ours, np.asarray(2.0)) is None
    found = first_bad_operation(function, ours, np.asarray(-1.0))
    assert found is not None
    assert operation_rows(found)[0][1] == "`log`"
    assert operation_rows(None) == []
    # What was not finite before is not this function's fault.
    assert first_bad_operation(function, ours, np.asarray(np.nan)) is None


def test_a_distribution_is_not_asked_to_object() -> None:
    """Computed at once, a distribution with a parameter that is NaN is an error of its own."""

    def model(y: Any) -> None:
        x = bdl.sample("x", dist.Normal(0.0, 1.0))
        bdl.sample("y", dist.Normal(bnp.log(x), 1.0), obs=y)

    density = build_density(model, (0.0,))
    rows = site_rows(density, np.array([-1.0]), np.array([np.nan]))
    assert [row[0] for row in rows] == ["site", "x", "y"]
    assert rows[2][2] == "nan"
    value = computed(density.function, np.array([-1.0]), *density.data)
    assert np.isnan(value)


def test_numbers_in_containers_are_looked_at() -> None:
    assert all_finite({"a": np.zeros(2), "b": (np.uint32(1), None)})
    assert not all_finite({"a": np.zeros(2), "b": [np.array([1.0, np.inf])]})
