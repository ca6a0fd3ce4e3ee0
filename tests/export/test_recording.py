"""Models written down: which rows are free, which arguments may be left out, and what is said."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import bijectors, dist
from bayesdl._base.errors import ModelError
from bayesdl.export.functions import ModelFunctions
from bayesdl.export.recording import record
from bayesdl.export.records import from_record, to_record
from bayesdl.export.stored import StoredFunctions
from bayesdl.ir.types import ArrayType
from bayesdl.model import as_model

F64 = np.dtype(float)
RNG = np.random.default_rng(4)


def line(x: Any, y: Any = None) -> None:
    slope = bdl.sample("slope", dist.Normal(0.0, 1.0))
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(slope * x, 0.5), obs=y)


def counties(x: Any, level: Any, county: Any, y: Any = None) -> None:
    effect = bdl.sample("effect", dist.Normal(0.0, 1.0).expand((5,)))
    with bdl.plate("rows", len(county)):
        bdl.sample("y", dist.Poisson(np.exp((effect + level)[county] * x)), obs=y)


def each_row(y: Any = None) -> None:
    with bdl.plate("rows", 6):
        z = bdl.sample("z", dist.Normal(0.0, 1.0))
        bdl.sample("y", dist.Normal(z, 1.0), obs=y)


def by_size(x: Any, y: Any = None) -> None:
    slope = bdl.sample("slope", dist.Normal(0.0, 1.0))
    bdl.sample("y", dist.Normal(slope * x * float(len(x) ** 2), 0.5), obs=y)


def without_mean(x: Any, y: Any = None) -> None:
    slope = bdl.sample("slope", dist.Normal(0.0, 1.0))
    squashed = dist.TransformedDistribution(dist.Normal(slope * x, 1.0), bijectors.Sigmoid())
    bdl.sample("y", squashed, obs=y)


def recorded(model: Any, args: tuple[Any, ...], **latent: tuple[int, ...]) -> StoredFunctions:
    functions = ModelFunctions(as_model(model), F64, (args, {}))
    found = record(functions, {n: ArrayType(s, F64) for n, s in latent.items()})
    assert found is not None
    kept, arrays = to_record(found)
    return from_record(json.loads(json.dumps(kept)), arrays, {})


def inputs(found: StoredFunctions, kind: str) -> list[str]:
    return [str(i) for i in found.table[kind].inputs]


def test_rows_are_free_and_the_observed_values_are_left_out() -> None:
    found = recorded(line, (RNG.normal(size=9), RNG.normal(size=9)), slope=())
    assert inputs(found, "y") == inputs(found, "mean") == ["float64[rows]"]
    assert inputs(found, "log_likelihood") == ["float64[rows]"] * 2
    prepared = found.prepare("mean", (np.arange(4.0),), {})
    draw = ({"slope": np.array(2.0)}, np.asarray(bdl.random.key(0)))
    np.testing.assert_array_equal(
        prepared.function(draw, *prepared.data)["y"], 2.0 * np.arange(4.0)
    )


def test_observed_values_may_be_given_and_are_not_looked_at() -> None:
    found = recorded(line, (RNG.normal(size=9), RNG.normal(size=9)), slope=())
    assert len(found.prepare("y", (np.ones(3), np.ones(8)), {}).data) == 1


def test_groups_keep_their_size() -> None:
    args = (RNG.normal(size=20), RNG.normal(size=5), np.arange(20) % 5, np.ones(20, int))
    found = recorded(counties, args, effect=(5,))
    assert inputs(found, "y") == ["float64[rows]", "float64[5]", "int64[rows]"]
    assert found.table["y"].reason.startswith("The model takes 5 rows, no others")


def test_an_unknown_for_each_row_fixes_the_rows_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = recorded(each_row, (np.zeros(6),), z=(6,))
    assert inputs(found, "log_likelihood") == ["float64[6]"]


def test_a_structure_that_depends_on_the_rows_is_said_and_not_stored() -> None:
    functions = ModelFunctions(as_model(by_size), F64, ((np.ones(9), np.ones(9)), {}))
    with pytest.warns(UserWarning, match="need the source of model by_size.*a number in `.*mul"):
        assert record(functions, {"slope": ArrayType((), F64)}) is None


def test_what_the_model_does_not_have_is_kept_as_the_reason() -> None:
    found = recorded(without_mean, (np.ones(9), np.full(9, 0.5)), slope=())
    assert found.table["y"].template is not None
    with pytest.raises(ModelError, match=r"keeps no function for this: .*mean"):
        found.prepare("mean", (np.ones(3),), {})


def test_arrays_in_containers_are_found_by_name() -> None:
    def model(data: Any, power: int = 1) -> None:
        slope = bdl.sample("slope", dist.Normal(0.0, 1.0))
        bdl.sample("y", dist.Normal(slope * data["x"] ** power, 1.0), obs=data["y"])

    found = recorded(model, ({"y": np.ones(5), "x": np.arange(5.0)}, 2), slope=())
    prepared = found.prepare("mean", ({"x": np.arange(3.0), "y": np.zeros(3)}, 2), {})
    draw = ({"slope": np.array(2.0)}, np.asarray(bdl.random.key(0)))
    np.testing.assert_array_equal(prepared.function(draw, *prepared.data)["y"], [0.0, 2.0, 8.0])
